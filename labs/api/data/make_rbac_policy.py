"""Makes ``rbac_policy.json.gz`` from the default roles and bindings of kubernetes/kubernetes.

python -m labs.api.data.make_rbac_policy <folder plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata>
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml

FILES = (
    "cluster-roles.yaml",
    "controller-roles.yaml",
    "cluster-role-bindings.yaml",
    "controller-role-bindings.yaml",
    "namespace-roles.yaml",
    "namespace-role-bindings.yaml",
)


def policy(folder: Path) -> list[dict[str, Any]]:
    """The objects of every file, in the order in which a server makes them."""
    return [item for name in FILES for item in yaml.safe_load((folder / name).read_text("utf-8"))["items"]]


if __name__ == "__main__":
    packed = json.dumps(policy(Path(sys.argv[1])), sort_keys=True, separators=(",", ":"))
    Path(__file__).with_name("rbac_policy.json.gz").write_bytes(gzip.compress(packed.encode(), mtime=0))
