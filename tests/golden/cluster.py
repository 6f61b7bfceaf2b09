"""`defaults/children-*` and `defaults/cluster-*`: what controllers and the server made by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from golden.comparison import ABSENT, Case, Field, closest, fields, sequence
from golden.namespace import moments, namespace_after_2s
from golden.stage import new_server, read, recordings, send, stem, without_chance
from golden.standing import comparable, our_names, their_names

from labs.api.computed import Computed
from labs.api.resources import DEFINED_GROUPS
from labs.api.rest.handler import RestApi
from labs.observability.metrics_api import NODE_METRICS, POD_METRICS

FOLDER = "defaults"
SYSTEM = ("default", "kube-node-lease", "kube-public", "kube-system", "system-")
"""Names, or their beginnings, of what the server makes itself: other recordings' namespaces are beside them."""


def cases(root: Path) -> Iterator[Case]:
    """One for each listing."""
    for path in recordings(root / FOLDER):
        name = stem(path)
        if name.startswith("children-"):
            yield Case(FOLDER, name, (path,), lambda path=path: compare_children(root, path))
        elif name.startswith("cluster-"):
            yield Case(FOLDER, name, (path,), lambda path=path: compare_cluster(root, path))


def listing_path(root: Path, recorded: dict[str, Any], *, is_namespaced: bool) -> str:
    """Where the server lists the recorded kind; empty if it does not serve it."""
    kind, version = recorded["kind"].removesuffix("List"), recorded["apiVersion"]
    for item in namespace_after_2s(root).api.types.values():
        if (item.kind, item.api_version) == (kind, version):
            base = f"/apis/{version}" if "/" in version else f"/api/{version}"
            return f"{base}/namespaces/golden/{item.plural}" if is_namespaced else f"{base}/{item.plural}"
    return ""


def compare_children(root: Path, path: Path) -> Iterable[Field]:
    """The objects of the namespace, paired by what they are called without chance."""
    return closest(_children(root, server, path) for server in moments(root))


def _children(root: Path, server: RestApi, path: Path) -> Iterator[Field]:
    recorded = read(path)
    place = listing_path(root, recorded, is_namespaced=True)
    yield Field("is served", bool(place), True)
    ours = send(server, "GET", place).json() if place else {"kind": ABSENT, "items": []}
    for key in ("kind", "apiVersion"):
        yield Field(key, ours.get(key), recorded[key])
    mine, other = our_names(server), their_names(path.parent)
    if recorded["kind"] == "EventList":
        yield from sequence(event_forms(ours, mine), event_forms(recorded, other), "items")
    else:
        yield from fields(paired(ours, mine), paired(recorded, other), "items")


def paired(listing: dict[str, Any], names: dict[str, str]) -> dict[str, list[Any]]:
    """The objects by name or generated name."""
    found: dict[str, list[Any]] = {}
    for item in comparable(listing, names)["items"]:
        name = item["metadata"].get("generateName") or item["metadata"]["name"]
        found.setdefault(name, []).append(item)
    return {name: sorted(items, key=json.dumps) for name, items in sorted(found.items())}


def event_forms(listing: Any, names: dict[str, str]) -> list[Any]:
    """Distinct forms of events, sorted; without their names and counts."""
    found = {}
    for item in comparable(listing, names)["items"]:
        about = {key: value for key, value in item["involvedObject"].items() if key != "fieldPath"}
        bare = {key: value for key, value in item.items() if key not in ("metadata", "count")}
        form = {**bare, "involvedObject": about}
        found[json.dumps(form, sort_keys=True)] = form
    return [found[key] for key in sorted(found)]


def compare_cluster(root: Path, path: Path) -> Iterator[Field]:
    """Discovery documents as they are, lists of objects as far as the server makes them."""
    recorded, name = read(path), stem(path).removeprefix("cluster-")
    if "items" in recorded:
        place = listing_path(root, recorded, is_namespaced=False)
        yield Field("is served", bool(place), True)
        ours = send(namespace_after_2s(root), "GET", place).json()["items"] if place else []
        yield from fields(own(ours), own(recorded["items"]), "items")
        return
    answer = without_chance(send(discovered_server(), "GET", discovery_path(recorded, name)).json())
    yield from fields(by_name(answer), by_name(without_chance(recorded)))


def discovered_server() -> RestApi:
    """What the recording's cluster served: no Karpenter, but metrics."""
    server = new_server()
    for resource, kind in list(server.api.types.items()):
        if kind.group in DEFINED_GROUPS:
            server.api.withdraw(resource)
    for kind in (POD_METRICS, NODE_METRICS):
        server.api.register_virtual(kind, Computed(lambda: iter(())))
    return server


def own(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The server's own objects by namespace and name, without what they say by chance."""
    found = {}
    for item in items:
        metadata = item["metadata"]
        place = metadata.get("namespace") or metadata["name"]
        if place.startswith(SYSTEM):
            data = dict.fromkeys(item.get("data", {}), "...")
            found[f"{place}/{metadata['name']}"] = without_chance({**item, **({"data": data} if data else {})})
    return dict(sorted(found.items()))


def discovery_path(recorded: dict[str, Any], name: str) -> str:
    """The path of a discovery document."""
    group_version = recorded.get("groupVersion")
    if group_version:
        return f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    return {"api": "/api", "apis": "/apis", "version": "/version"}.get(name, f"/{name}")


def by_name(document: dict[str, Any]) -> dict[str, Any]:
    """Lists of resources and groups as objects by name."""
    return {
        key: {item["name"]: item for item in value} if key in ("resources", "groups") else value
        for key, value in document.items()
    }
