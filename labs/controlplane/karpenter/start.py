"""Putting Karpenter's controllers together."""

from __future__ import annotations

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.api.cloud import CloudProvider
from labs.controlplane.karpenter.cluster import ClusterState
from labs.controlplane.karpenter.disruption import Disruption
from labs.controlplane.karpenter.lifecycle import NodeClaimLifecycle
from labs.controlplane.karpenter.provisioner import Provisioner
from labs.controlplane.karpenter.termination import NodeTermination
from labs.controlplane.karpenter.upkeep import NodeClassStatus, NodePoolStatus, Upkeep


def start_karpenter(api: ApiServer, cloud: CloudProvider) -> Provisioner:
    """Start every controller over one picture of the cluster; returns the provisioner."""
    client = Client(api, "karpenter")
    state = ClusterState(client, cloud)
    provisioner = Provisioner(client, state)
    for part in (
        NodeClassStatus(client),
        NodePoolStatus(client),
        provisioner,
        NodeClaimLifecycle(client, state),
        NodeTermination(client, state),
        Disruption(client, state),
        Upkeep(client, state),
    ):
        part.start()
    return provisioner
