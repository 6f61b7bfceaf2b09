"""A cluster with manifests on it before its doors open."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from labs.api.manifests import read_manifests
from labs.api.resources import ResourceType
from labs.api.rest.message import Request, Response
from labs.api.store import Object
from labs.errors import UsageError
from labs.world import CLUSTER_NAME, World

APPLY_PATCH = {"content-type": "application/apply-patch+yaml"}
QUERY = f"fieldManager={CLUSTER_NAME}&force=true&fieldValidation=Strict"


Manifests = list[tuple[Path, Object]]
"""Objects, each with the place that it was asked for with."""


def build_world(seed: int, places: Iterable[Path]) -> World:
    """A cluster with its nodes ready and the manifests of these files and folders applied.

    Raises UsageError for what cannot be read, and with the server's message for what it refuses.
    """
    manifests = read_all(places)
    world = World(seed)
    apply_manifests(world, manifests)
    return world


def read_all(places: Iterable[Path]) -> Manifests:
    """The objects of files and folders. Raises UsageError."""
    return [(place, obj) for place in places for obj in read_manifests(place)]


def apply_manifests(world: World, manifests: Manifests) -> None:
    """Server-side apply of each object. Raises UsageError."""
    for place, obj in manifests:
        _apply(world, place, obj)


def _apply(world: World, place: Path, obj: Object) -> None:
    metadata = obj["metadata"]
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise UsageError(f"An object of kind {obj['kind']} in {place} has no name; give it one in metadata.name.")
    kind = _kind(world, place, obj)
    collection = kind.plural
    if kind.is_namespaced:
        collection = f"namespaces/{metadata.get('namespace') or 'default'}/{kind.plural}"
    prefix = "apis" if kind.group else "api"
    target = f"/{prefix}/{kind.api_version}/{collection}/{metadata['name']}?{QUERY}"
    answer = world.rest.handle(Request.to("PATCH", target, json.dumps(obj, default=str).encode(), APPLY_PATCH))
    assert isinstance(answer, Response)
    if answer.status >= 300:
        raise UsageError(f"The API server refused an object of {place}: {answer.json()['message']}")


def _kind(world: World, place: Path, obj: Object) -> ResourceType:
    for kind in world.api.all_types():
        if (kind.api_version, kind.kind) == (obj["apiVersion"], obj["kind"]):
            return kind
    raise UsageError(
        f"The kind {obj['kind']} of {obj['apiVersion']} in {place} is not served; "
        "'kubectl api-resources' lists what is."
    )
