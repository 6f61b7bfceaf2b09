"""Applying manifests through the official client."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from kubernetes import client as kubernetes_client
from kubernetes import dynamic
from labs.errors import UsageError

PROJECT_ROOT = Path(__file__).parents[2]
FIELD_MANAGER = "chaos-crunch"


def find(path: str | Path) -> Path:
    """``path`` as it is, or below the course's folder. Raises UsageError when it is in neither place."""
    candidate = Path(path)
    for place in (candidate, PROJECT_ROOT / candidate):
        if place.exists():
            return place
    raise UsageError(f"There is no file or folder {str(path)!r}; the shop's manifests are in 'kubernetes/'.")


def read_manifests(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a YAML file, or of every .yaml file below a folder in order of name. Raises UsageError."""
    place = find(path)
    files = sorted([*place.rglob("*.yaml"), *place.rglob("*.yml")]) if place.is_dir() else [place]
    if not files:
        raise UsageError(f"The folder {str(path)!r} holds no .yaml file.")
    objects: list[dict[str, Any]] = []
    for file in files:
        try:
            documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The file {file.name} cannot be read: {error}.") from None
        except yaml.YAMLError as error:
            where = getattr(error, "problem_mark", None)
            line = f" near line {where.line + 1}" if where is not None else ""
            raise UsageError(f"The file {file.name} is not valid YAML{line}; check its indentation there.") from None
        objects += [document for document in documents if document is not None]
        if any(not isinstance(document, dict) or "kind" not in document for document in objects):
            raise UsageError(f"The file {file.name} holds something that is not a Kubernetes object (no 'kind').")
    return objects


def apply_manifests(objects: list[dict[str, Any]]) -> list[str]:
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
