"""What is served: /api, /apis, resource lists, aggregated discovery, /version.

Source: kubernetes/apiserver pkg/endpoints/discovery; api/discovery/*.json of a v1.37 control plane.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha512
from typing import Any

from labs.api.resources import ResourceType
from labs.api.rest.message import Request, Response, answer, text
from labs.api.rest.negotiation import discovery_version
from labs.api.rest.routes import SUBRESOURCE_VERBS, GroupVersion

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION = {
    "major": "1",
    "minor": "37",
    "emulationMajor": "1",
    "emulationMinor": "37",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "36",
    "gitVersion": "v1.37.2",
    "gitCommit": "$Format:%H$",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}
SERVER_ADDRESSES = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:443"}]
VERB_OF_METHOD = {"GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}
SUBRESOURCE_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "binding": ("", "v1", "Binding"),
    "attach": ("", "v1", "PodAttachOptions"),
    "exec": ("", "v1", "PodExecOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
    "pods/proxy": ("", "v1", "PodProxyOptions"),
    "services/proxy": ("", "v1", "ServiceProxyOptions"),
    "nodes/proxy": ("", "v1", "NodeProxyOptions"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
GROUP_ORDER = (
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "storagemigration.k8s.io",
)
"""Order by priority (pkg/controlplane/apiserver/options/priorities.go); `kubectl get all` prints in it."""
_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
METRICS_GROUP = "metrics.k8s.io"
"""Last: its APIService has a lower priority than those of custom resources."""

Served = Mapping[GroupVersion, Mapping[str, ResourceType]]


def _subresource_verbs(subresource: str) -> list[str]:
    return sorted(VERB_OF_METHOD[method] for method in SUBRESOURCE_VERBS[subresource])


def resource_list(group: str, version: str, types: Mapping[str, ResourceType]) -> dict[str, Any]:
    """The ``APIResourceList`` of one group version."""
    rows: list[dict[str, Any]] = []
    for kind in types.values():
        row: dict[str, Any] = {
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.is_namespaced,
            "kind": kind.kind,
            "verbs": list(kind.verbs),
        }
        if kind.short_names:
            row["shortNames"] = list(kind.short_names)
        if kind.categories:
            row["categories"] = list(kind.categories)
        rows.append(row)
        rows += [_subresource_row(kind, subresource) for subresource in kind.subresources]
    listing: dict[str, Any] = {"kind": "APIResourceList"}
    if group:
        listing["apiVersion"] = "v1"
    group_version = f"{group}/{version}" if group else version
    return {**listing, "groupVersion": group_version, "resources": sorted(rows, key=lambda row: str(row["name"]))}


def _subresource_kind(kind: ResourceType, subresource: str) -> tuple[str, str, str]:
    named = SUBRESOURCE_KINDS.get(f"{kind.plural}/{subresource}") or SUBRESOURCE_KINDS.get(subresource)
    return named or kind.group_version_kind


def _subresource_row(kind: ResourceType, subresource: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": f"{kind.plural}/{subresource}",
        "singularName": "",
        "namespaced": kind.is_namespaced,
        "kind": kind.kind,
        "verbs": _subresource_verbs(subresource),
    }
    group, version, name = _subresource_kind(kind, subresource)
    if (group, version, name) != kind.group_version_kind:
        row["kind"] = name
        if group:
            row |= {"group": group, "version": version}
    return row


def versions() -> dict[str, Any]:
    """``GET /api``."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": SERVER_ADDRESSES}


def _groups(served: Served) -> dict[str, list[str]]:
    """Versions of each named group, the preferred one first (higher version numbers first)."""
    groups: dict[str, list[str]] = {}
    for group, version in served:
        if group:
            groups.setdefault(group, []).append(version)
    return {group: sorted(groups[group], key=version_rank) for group in sorted(groups, key=_group_rank)}


def _group_rank(group: str) -> tuple[int, str]:
    """Kubernetes' own groups in their order, then custom ones by name, then metrics."""
    if group in GROUP_ORDER:
        return GROUP_ORDER.index(group), ""
    return len(GROUP_ORDER) + (group == METRICS_GROUP), group


def version_rank(version: str) -> tuple[int, int, int, str]:
    """``CompareKubeAwareVersionStrings``: stable before beta before alpha, higher before lower, others last by name."""
    parts = _VERSION.fullmatch(version)
    if parts is None:
        return 3, 0, 0, version
    level = {None: 0, "beta": 1, "alpha": 2}[parts[2]]
    return level, -int(parts[1]), -int(parts[3] or 0), ""


def group_of(group: str, found: list[str]) -> dict[str, Any]:
    """One ``APIGroup`` of an ``APIGroupList``."""
    rows = [{"groupVersion": f"{group}/{version}", "version": version} for version in found]
    return {"name": group, "versions": rows, "preferredVersion": rows[0]}


def group_list(served: Served) -> dict[str, Any]:
    """``GET /apis``."""
    rows = [group_of(group, found) for group, found in _groups(served).items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": rows}


def aggregated(served: Served, *, is_core: bool) -> dict[str, Any]:
    """``APIGroupDiscoveryList`` v2 of /api or of /apis."""
    groups = {"": ["v1"]} if is_core else _groups(served)
    items = []
    for group, found in groups.items():
        rows = [
            {
                "version": version,
                "resources": [_discovery_row(kind) for _, kind in sorted(served[group, version].items())],
                "freshness": "Current",
            }
            for version in found
        ]
        metadata: dict[str, Any] = {"creationTimestamp": None}
        if group:
            metadata["name"] = group
        items.append({"metadata": metadata, "versions": rows})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _response_kind(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}


def _discovery_row(kind: ResourceType) -> dict[str, Any]:
    row: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": _response_kind(*kind.group_version_kind),
        "scope": "Namespaced" if kind.is_namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    if kind.categories:
        row["categories"] = list(kind.categories)
    if kind.subresources:
        row["subresources"] = [
            {
                "subresource": subresource,
                "responseKind": _response_kind(*_subresource_kind(kind, subresource)),
                "verbs": _subresource_verbs(subresource),
            }
            for subresource in kind.subresources
        ]
    return row


def _tagged(request: Request, found: Response) -> Response:
    """The answer with its ETag, or 304 for a client that has it (aggregated/etag.go)."""
    tag = f'"{sha512(found.body).hexdigest().upper()}"'
    headers = {**found.headers, "ETag": tag, "Vary": "Accept", "Cache-Control": "public"}
    if request.headers.get("if-none-match") == tag:
        return Response(304, headers, b"")
    return replace(found, headers=headers)


def discover(request: Request, parts: list[str], served: Served) -> Response | None:
    """The answer to a discovery path, or None when it is none."""
    wanted = discovery_version(request.headers.get("accept", ""))
    if parts in (["api"], ["apis"]):
        is_core = parts == ["api"]
        if wanted == "v2beta1":
            # Removed in 1.35 (aggregated/handler.go): the server then says nothing but that.
            return text(404, "")
        if wanted:
            return _tagged(request, answer(aggregated(served, is_core=is_core), content_type=AGGREGATED))
        return answer(versions() if is_core else group_list(served))
    if parts == ["api", "v1"]:
        return answer(resource_list("", "v1", served["", "v1"]))
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in _groups(served):
        return answer({"kind": "APIGroup", "apiVersion": "v1", **group_of(parts[1], _groups(served)[parts[1]])})
    if parts[0] == "apis" and len(parts) == 3 and (parts[1], parts[2]) in served:
        return answer(resource_list(parts[1], parts[2], served[parts[1], parts[2]]))
    return None
