"""The shop on a cluster of its own, and the moment from which two runs of it can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kubernetes import client as kubernetes_client
from labs.course.connect import Lab
from labs.errors import UsageError

NAMESPACE = "shop"


def is_shop_ready() -> bool:
    """Whether every Deployment of the shop runs as it is wanted: what ``kubectl rollout status`` waits for."""
    return all(map(is_rolled_out, kubernetes_client.AppsV1Api().list_namespaced_deployment(NAMESPACE).items))


def is_rolled_out(deployment: Any) -> bool:
    """Whether a Deployment's newest template is seen, all its pods are of it, and all are available.

    Source of the rule: ``DeploymentStatusViewer`` of kubectl, ``pkg/polymorphichelpers/rollout_status.go``.
    """
    status, wanted = deployment.status, deployment.spec.replicas
    updated = status.updated_replicas or 0
    is_seen = (status.observed_generation or 0) >= deployment.metadata.generation
    return is_seen and updated >= wanted and (status.replicas or 0) <= updated <= (status.available_replicas or 0)


def start_shop(lab: Lab, *folders: str, minutes: int, patch: Mapping[str, Any] | None = None) -> Lab:
    """Apply ``folders``, wait for each, patch the frontend if asked, and let time pass until ``minutes`` are over.

    They count from the call, so that two runs stand in the same second of their clocks. Returns the lab. Raises
    WaitTimeout when the shop does not become ready, and UsageError when it does so too late.
    """
    settled_at = lab.now() + timedelta(minutes=minutes)
    for folder in folders:
        lab.apply(folder)
        lab.wait(until=is_shop_ready)
    if patch is not None:
        kubernetes_client.AppsV1Api().patch_namespaced_deployment("frontend", NAMESPACE, patch)
        lab.wait(until=is_shop_ready)
    left_s = (settled_at - lab.now()).total_seconds()
    if left_s < 0:
        raise UsageError(f"The shop needed more than {minutes} min to become ready; give it more.")
    lab.wait(left_s)
    return lab
