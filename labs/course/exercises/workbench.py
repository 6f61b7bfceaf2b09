"""What exercises put learners' manifests on: the API's own merge, and an API server with nothing behind it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from labs.api.bootstrap import new_api_server
from labs.api.manifests import read_manifests
from labs.api.patches.errors import PatchError
from labs.api.patches.strategic import apply_strategic_merge_patch
from labs.api.schemas import definition
from labs.api.store import Object, Store
from labs.course.exercises.exercise import WrongFormError, shown
from labs.course.manifests import PROJECT_ROOT
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import parse_rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")


def shop_object(kind: str, name: str) -> Object:
    """An object of the shop as its manifest has it."""
    found = read_manifests(PROJECT_ROOT / "kubernetes" / "shop")
    return next(each for each in found if each["kind"] == kind and each["metadata"]["name"] == name)


def read_manifest(answer: Any) -> Object:
    """A manifest that a learner gave as a dict, or as the path of a file with one. Raises UsageError."""
    if isinstance(answer, str | Path):
        read = read_manifests(Path(answer))
        if len(read) != 1:
            raise WrongFormError(f"The file has {len(read)} objects; one is asked for.")
        return read[0]
    if not isinstance(answer, dict):
        raise WrongFormError(f"The answer is {shown(answer)}; a manifest is asked for, as a dict or a path.")
    return copy.deepcopy(answer)


def patched_deployment(deployment: Object, patch: Any) -> Object:
    """A Deployment after ``patch``, as the API server stores it. Raises LabError with the API's own refusal."""
    kind = definition("apps", "v1", "Deployment")
    assert kind is not None
    try:
        merged = apply_strategic_merge_patch(copy.deepcopy(deployment), read_manifest(patch), kind)
    except PatchError as error:
        raise WrongFormError(f"The API refuses the patch: {error}.") from None
    return stored("deployments.apps", merged)


def stored(resource: str, manifest: Object) -> Object:
    """A manifest as the API server stores it: defaulted and validated. Raises ApiError."""
    loop = Loop(START_NS)
    api = new_api_server(loop, Streams(0), Store(loop, Trace()))
    namespace = {"metadata": {"name": manifest["metadata"].get("namespace", "default")}}
    if namespace["metadata"]["name"] != "default":
        api.create("namespaces", namespace)
    return api.create(resource, manifest)
