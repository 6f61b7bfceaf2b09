"""Makes ``karpenter_schemas.json.gz`` from Karpenter's custom resource definitions.

python -m labs.api.data.make_karpenter_schemas <folder pkg/apis/crds of aws/karpenter-provider-aws>
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml

FILES = ("karpenter.sh_nodepools.yaml", "karpenter.sh_nodeclaims.yaml", "karpenter.k8s.aws_ec2nodeclasses.yaml")


def schemas(folder: Path) -> dict[str, Any]:
    """The schema of each served version, by ``group/version/kind``."""
    found = {}
    for name in FILES:
        spec = yaml.safe_load((folder / name).read_text("utf-8"))["spec"]
        for version in spec["versions"]:
            key = f"{spec['group']}/{version['name']}/{spec['names']['kind']}"
            found[key] = version["schema"]["openAPIV3Schema"]
    return found


if __name__ == "__main__":
    packed = json.dumps(schemas(Path(sys.argv[1])), sort_keys=True, separators=(",", ":"))
    Path(__file__).with_name("karpenter_schemas.json.gz").write_bytes(gzip.compress(packed.encode(), mtime=0))
