"""Makes ``protobuf_fields.json.gz`` from the Go sources of k8s.io/api and k8s.io/apimachinery.

    python -m labs.api.data.make_protobuf_fields <api folder> <apimachinery folder>

A row is ``number: [JSON name, type, form, keeps zero]``: the type is string, bool, int, double, bytes or the name
of a message; the form is one, list, map or inline.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path

GROUPS = (
    "core/v1",
    "apps/v1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "coordination/v1",
    "discovery/v1",
    "events/v1",
    "networking/v1",
    "policy/v1",
    "rbac/v1",
    "scheduling/v1",
    "storage/v1",
    "authorization/v1",
    "authentication/v1",
    "certificates/v1",
    "flowcontrol/v1",
    "node/v1",
)
SCALARS = {
    "string": "string",
    "types.UID": "string",
    "bool": "bool",
    "int32": "int",
    "int64": "int",
    "int": "int",
    "uint32": "int",
    "float64": "double",
    "[]byte": "bytes",
    "byte": "bytes",
}
PACKAGES = {
    "metav1": "meta/v1",
    "v1": "core/v1",
    "corev1": "core/v1",
    "apiv1": "core/v1",
    "autoscalingv1": "autoscaling/v1",
}
FIELD = re.compile(
    r'^\t(?:(\w+)\s+)?([*\[\]\w.]+(?:\[[\w.]+\][*\[\]\w.]+)?)\s+`json:"([^"]*)"[^`]*protobuf:"([^"]*)"', re.M
)
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.M | re.S)
ALIAS = re.compile(r"^type (\w+) ((?:\[\]|map\[)?[\w.\]]+)(?: *//.*)?$", re.M)

Row = tuple[str, str, str, bool]


def main(api: Path, machinery: Path) -> None:
    """Read the sources and write the table beside this file."""
    sources = {group: (api / group / "types.go").read_text() for group in GROUPS}
    sources["meta/v1"] = (machinery / "pkg/apis/meta/v1/types.go").read_text()
    aliases = {(group, name): target for group, text in sources.items() for name, target in ALIAS.findall(text)}
    table: dict[str, dict[str, Row]] = {}
    for group, text in sources.items():
        for name, body in STRUCT.findall(text):
            rows = {}
            for _, go_type, json_tag, proto_tag in FIELD.findall(body):
                rows[proto_tag.split(",")[1]] = row(group, go_type, json_tag, aliases)
            table[f"{group}.{name}"] = rows
    packed = gzip.compress(json.dumps(table, separators=(",", ":"), sort_keys=True).encode(), mtime=0)
    Path(__file__).with_name("protobuf_fields.json.gz").write_bytes(packed)


def row(group: str, go_type: str, json_tag: str, aliases: dict[tuple[str, str], str]) -> Row:
    """The row of one Go field."""
    name, _, options = json_tag.partition(",")
    keeps_zero = go_type.startswith("*") or "omitempty" not in options
    target = go_type.lstrip("*")
    form = "inline" if not name else "one"
    for _ in range(4):
        package, _, local = target.rpartition(".")
        home = PACKAGES.get(package, group) if package else group
        if (home, local) in aliases and package not in ("resource", "intstr", "runtime"):
            target, group = aliases[(home, local)], home
    if target in SCALARS:
        return name, SCALARS[target], form, keeps_zero
    if target.startswith("map["):
        form, target = "map", target.partition("]")[2]
    elif target.startswith("[]"):
        form, target = "list", target[2:]
    return name, resolve(group, target.lstrip("*"), aliases), form, keeps_zero


def resolve(group: str, target: str, aliases: dict[tuple[str, str], str]) -> str:
    """The scalar or message that a type name stands for."""
    if target in SCALARS:
        return SCALARS[target]
    package, _, local = target.rpartition(".")
    home = PACKAGES.get(package, package or group)
    alias = aliases.get((home, local))
    return resolve(home, alias, aliases) if alias else f"{home}.{local}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
