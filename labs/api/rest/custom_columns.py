"""The columns of custom resources: ``additionalPrinterColumns`` of their definitions.

Source: kubernetes-sigs/karpenter pkg/apis/crds, aws/karpenter-provider-aws pkg/apis/crds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _column(name: str, path: str, type_name: str = "string", *, is_wide: bool = False) -> Mapping[str, Any]:
    return {"name": name, "type": type_name, "jsonPath": path, "priority": int(is_wide)}


_READY = _column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_AGE = _column("Age", ".metadata.creationTimestamp", "date")

CUSTOM_COLUMNS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "nodepools.karpenter.sh": (
        _column("NodeClass", ".spec.template.spec.nodeClassRef.name"),
        _column("Nodes", ".status.resources.nodes"),
        _READY,
        _AGE,
        _column("Weight", ".spec.weight", "integer", is_wide=True),
        _column("CPU", ".status.resources.cpu", is_wide=True),
        _column("Memory", ".status.resources.memory", is_wide=True),
    ),
    "nodeclaims.karpenter.sh": (
        _column("Type", r".metadata.labels.node\.kubernetes\.io/instance-type"),
        _column("Capacity", r".metadata.labels.karpenter\.sh/capacity-type"),
        _column("Zone", r".metadata.labels.topology\.kubernetes\.io/zone"),
        _column("Node", ".status.nodeName"),
        _READY,
        _AGE,
        _column("ImageID", ".status.imageID", is_wide=True),
        _column("ID", ".status.providerID", is_wide=True),
        _column("NodePool", r".metadata.labels.karpenter\.sh/nodepool", is_wide=True),
        _column("NodeClass", ".spec.nodeClassRef.name", is_wide=True),
        _column("Drifted", '.status.conditions[?(@.type=="Drifted")].status', is_wide=True),
    ),
    "ec2nodeclasses.karpenter.k8s.aws": (_READY, _AGE, _column("Role", ".spec.role", is_wide=True)),
}
