"""Applying manifests through the official client."""

from __future__ import annotations

import os
from pathlib import Path

from kubernetes import client as kubernetes_client
from kubernetes import dynamic
from labs.api.manifests import read_manifests
from labs.api.store import Object

PROJECT_ROOT = Path(__file__).parents[2]
FIELD_MANAGER = "chaos-crunch"


def find_manifests(path: str | Path) -> list[Object]:
    """The objects of ``path`` as it is, or below the course's folder. Raises UsageError."""
    below = PROJECT_ROOT / path
    return read_manifests(below if below.exists() and not Path(path).exists() else Path(path))


def apply_manifests(objects: list[Object]) -> list[str]:
    """Server-side apply of each object; returns ``kind/name`` in order.

    Raises the client's ApiException when the server refuses one.
    """
    # The client's default cache is one file for all users of a port; ours lies in the lab's own folder.
    cache = os.environ.get("KUBECACHEDIR")
    api = dynamic.DynamicClient(kubernetes_client.ApiClient(), cache_file=f"{cache}-discovery.json" if cache else None)
    applied = []
    for manifest in objects:
        resource = api.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        name = manifest["metadata"]["name"]
        namespace = manifest["metadata"].get("namespace", "default") if resource.namespaced else None
        resource.server_side_apply(
            body=manifest, name=name, namespace=namespace, field_manager=FIELD_MANAGER, force_conflicts=True
        )
        applied.append(f"{manifest['kind'].lower()}/{name}")
    return applied
