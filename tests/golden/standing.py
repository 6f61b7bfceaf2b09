"""Objects of a running cluster without what differs between any two: names by chance, addresses, times, places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from golden.stage import read, recordings, without_chance

from labs.api.rest.handler import RestApi

SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]"
PLACES = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
        (rf"kube-api-access-{SUFFIX}{{5}}", "kube-api-access-CHANCE"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[0-9.]*Z", "TIME"),
        (rf'(pods \\"[\w-]+-){SUFFIX}{{5}}(?=\\")', r"\1CHANCE"),
        (r"\b10\.\d+\.\d+\.\d+\b", "IP"),
        (r"\bnode-\d+\b", "NODE"),
        (r"\bzone-[abc]\b", "ZONE"),
        (r"\bregion-1\b", "REGION"),
        (r"default-scheduler-[\w-]+", "default-scheduler-HOST"),
        (r"\b0/2[01] nodes", "0/N nodes"),
    )
)
KUBELETS_OWN = ("hostIP", "hostIPs", "podIP", "podIPs", "startTime", "containerStatuses", "phase", "observedGeneration")
"""Of a pod's status: what the recording's stand-in for the kubelet wrote."""


def chance_names(items: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The generated names of objects and the hashes of templates, with what to read in their place."""
    found = {}
    for item in items:
        metadata = item["metadata"]
        for key, value in metadata.get("labels", {}).items():
            if key.endswith("hash"):
                found[value] = f"{value.rpartition('-')[0]}-HASH".lstrip("-")
        prefix = metadata.get("generateName")
        if prefix:
            found[metadata["name"]] = f"{prefix}CHANCE"
        if "revision" in item:
            found[metadata["name"]] = f"{metadata['name'].rpartition('-')[0]}-HASH"
    return found


@cache
def their_names(folder: Path) -> dict[str, str]:
    """Generated names of a recorded namespace."""
    listed = [read(path)["items"] for path in recordings(folder, "children-*.json")]
    return chance_names([item for items in listed for item in items])


def our_names(server: RestApi) -> dict[str, str]:
    """Generated names of a server."""
    kinds = ("pods", "replicasets.apps", "controllerrevisions.apps", "endpointslices.discovery.k8s.io")
    return chance_names([item for kind in kinds for item in server.api.store.list(kind)])


def comparable(value: Any, names: dict[str, str] | None = None) -> Any:
    """The object or list as it can be compared; ``names``: further generated names of its cluster."""
    items = value.get("items") or [value]
    text = json.dumps(without_chance(_by_manager(_without_stand_in(value))))
    for name, other in sorted({**(names or {}), **chance_names(items)}.items(), key=lambda pair: -len(pair[0])):
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?!\w)", other, text)
    for pattern, other in PLACES:
        text = pattern.sub(other, text)
    return json.loads(text)


def _by_manager(value: Any) -> Any:
    """managedFields by manager: their order is that of their times."""
    if "items" in value:
        return {**value, "items": [_by_manager(item) for item in value["items"]]}
    managed = value["metadata"].get("managedFields")
    if not managed:
        return value
    ordered = sorted(managed, key=lambda entry: (entry["manager"], entry["operation"], entry.get("subresource", "")))
    return {**value, "metadata": {**value["metadata"], "managedFields": ordered}}


def _without_stand_in(value: Any) -> Any:
    if "items" in value:
        return {**value, "items": [_without_stand_in(item) for item in value["items"]]}
    if "nodeName" not in value.get("spec", {}) and "containers" not in value.get("spec", {}):
        return value
    status = {key: item for key, item in value["status"].items() if key not in KUBELETS_OWN}
    if "conditions" in status:
        status["conditions"] = [item for item in status["conditions"] if item["type"] == "PodScheduled"]
    managed = value["metadata"]["managedFields"]
    own = [entry for entry in managed if (entry["manager"], entry.get("subresource")) != ("python-urllib3", "status")]
    return {**value, "metadata": {**value["metadata"], "managedFields": own}, "status": status}
