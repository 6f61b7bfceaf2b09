"""Makes ``karpenter_crds.json.gz`` from the Go module github.com/aws/karpenter-provider-aws.

python -m labs.api.data.make_karpenter_crds <module folder>
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml

FILES = ("karpenter.sh_nodepools", "karpenter.sh_nodeclaims", "karpenter.k8s.aws_ec2nodeclasses")


def main() -> None:
    """Read the definitions and write them beside this file."""
    folder = Path(sys.argv[1], "pkg/apis/crds")
    found: list[dict[str, Any]] = [yaml.safe_load(folder.joinpath(f"{name}.yaml").read_text("utf-8")) for name in FILES]
    text = json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
    Path(__file__).with_name("karpenter_crds.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main()
