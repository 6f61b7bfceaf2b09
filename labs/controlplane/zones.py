"""Zones of nodes, as the scheduler's and the node lifecycle controller's rules name them.

Source: component-helpers node/topology/helpers.go (GetZoneKey).
"""

from __future__ import annotations

from labs.api.store import Object

REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"


def zone_key(node: Object) -> str:
    """Region and zone of a node as one text; empty when it carries neither label."""
    labels = node["metadata"].get("labels") or {}
    region, zone = labels.get(REGION_LABEL, ""), labels.get(ZONE_LABEL, "")
    return f"{region}:\0:{zone}" if region or zone else ""
