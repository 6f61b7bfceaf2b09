"""Makes ``go_types.json.gz``, ``zero_values.json.gz`` and ``go_names.json.gz`` from what Go's reflection tells.

    python -m labs.api.data.make_go_types <folder>

The folder holds ``internal_types.json``, ``zero_values.json`` and ``go_names.json``, as the programs in
``tests/upstream`` print them. Of the first are kept the types that a value in a refusal may hold; of the others what
concerns a published type, and what its definition does not tell already.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOTS = (
    "apiextensions.CustomResourceDefinitionSpec",
    "apps.DaemonSetSpec",
    "apps.DeploymentSpec",
    "apps.ReplicaSetSpec",
    "apps.StatefulSetSpec",
    "autoscaling.HorizontalPodAutoscalerSpec",
    "batch.CronJobSpec",
    "core.EndpointSubset",
    "core.LimitRangeSpec",
    "core.LoadBalancerStatus",
    "core.NodeSpec",
    "core.NodeStatus",
    "core.PodStatus",
    "core.ResourceQuotaSpec",
    "core.ResourceQuotaStatus",
    "core.ServiceSpec",
    "discovery.EndpointSlice",
    "flowcontrol.FlowSchemaSpec",
    "flowcontrol.PriorityLevelConfigurationSpec",
    "networking.IngressClassSpec",
    "networking.IngressSpec",
    "networking.NetworkPolicySpec",
    "node.RuntimeClass",
    "policy.PodDisruptionBudgetSpec",
    "rbac.PolicyRule",
    "rbac.RoleRef",
    "rbac.Subject",
    "storage.CSIDriverSpec",
    "storage.CSINodeSpec",
    "storage.StorageClass",
    "storage.VolumeAttachmentSpec",
)
"""What validation looks at as a whole; pods' and claims' specs are inside of these."""
PLAIN = ("string", "bool", "int32", "int64")
"""Go types that a definition's type and format tell."""

Rows = Mapping[str, list[tuple[str, str, str, bool]]]
"""By the name of a type: of each field the Go name, the name on the wire, the type and whether it may be left out."""
Names = Mapping[str, Mapping[str, tuple[str, str]]]
"""By the full name of a type and the field: the Go type and the embedded structs before the field."""


def reachable(types: Rows, roots: Iterable[str] = ROOTS) -> dict[str, Any]:
    """The types that the roots hold, at any depth, and the roots. Raises KeyError for a root that is no type."""
    kept: dict[str, Any] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = types[name]
            inside = (row[2].replace("map:", "").lstrip("*[]") for row in types[name])
            waiting += [held for held in inside if held in types]
    return kept


def zeros_of_published(zeros: Mapping[str, Mapping[str, str]], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The zero values of the published types that have any."""
    return {name: fields for name, fields in zeros.items() if name in definitions and fields}


def untold_names(names: Names, definitions: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each published type the fields that an embedded struct holds, or whose Go type its definition does not tell.

    A definition tells plain types, and structs by reference.
    """
    kept: dict[str, dict[str, Any]] = {}
    for name, fields in names.items():
        told = definitions.get(name, {}).get("properties", {})
        for field, (go_type, embedded) in fields.items():
            is_told = go_type in PLAIN or "$ref" in told.get(field, {})
            if name in definitions and (embedded or not is_told):
                kept.setdefault(name, {})[field] = [go_type, embedded]
    return kept


def pack(value: Any) -> bytes:
    """JSON with sorted keys, gzipped without a time stamp: equal values give equal bytes."""
    return gzip.compress(json.dumps(value, separators=(",", ":"), sort_keys=True).encode(), mtime=0)


def main(folder: Path) -> None:
    """Read the folder and write the three tables beside this file."""
    definitions = json.loads(gzip.decompress((HERE / "definitions.json.gz").read_bytes()))
    dumps = {name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("zero_values", "go_names")}
    types = json.loads((folder / "internal_types.json").read_text("utf-8"))
    tables = {
        "go_types": reachable(types),
        "zero_values": zeros_of_published(dumps["zero_values"], definitions),
        "go_names": untold_names(dumps["go_names"], definitions),
    }
    for name, table in tables.items():
        (HERE / f"{name}.json.gz").write_bytes(pack(table))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
