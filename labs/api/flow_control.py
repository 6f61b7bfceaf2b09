"""API Priority and Fairness as objects: what the server makes of them by itself, and the condition Dangling.

Source: kubernetes/apiserver pkg/apis/flowcontrol/bootstrap/default.go (the objects),
pkg/util/flowcontrol/apf_controller.go (presyncFlowSchemaStatus). Requests are answered one at a time here, so
no priority level ever has a queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labs.api.apiserver import ApiServer
from labs.api.objects import at
from labs.api.store import Object, Store
from labs.api.users import ACCOUNTS, AUTHENTICATED, MASTERS, UNAUTHENTICATED
from labs.units import MINUTE_NS, rfc3339

MANAGER = "api-priority-and-fairness-config-producer-v1"
UPKEEP_NS = MINUTE_NS
"""How often the server looks whether its configuration is there (PriorityAndFairnessConfigProducer)."""

GROUP = "flowcontrol.apiserver.k8s.io"
FLOW_SCHEMAS = f"flowschemas.{GROUP}"
PRIORITY_LEVELS = f"prioritylevelconfigurations.{GROUP}"
AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec"
_LEVELS = (
    ("system", 30, 33, 64, 6),
    ("node-high", 40, 25, 64, 6),
    ("leader-election", 10, 0, 16, 4),
    ("workload-high", 40, 50, 128, 6),
    ("workload-low", 100, 90, 128, 6),
    ("global-default", 20, 50, 128, 6),
)
"""Name, nominal concurrency shares, lendable percent, queues, hand size."""
QUEUE_LENGTH = 50
CATCH_ALL_SHARES = 5


def _limited(shares: int, lendable_percent: int, response: dict[str, Any]) -> dict[str, Any]:
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable_percent}
    return {"type": "Limited", "limited": limited}


def _groups(*names: str) -> list[dict[str, Any]]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _users(*names: str) -> list[dict[str, Any]]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _account(name: str, namespace: str = "kube-system") -> dict[str, Any]:
    return {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}}


def _resources(
    verbs: list[str], group: str, resources: list[str], namespace: str = "*", *, is_cluster: bool = False
) -> dict[str, Any]:
    rule: dict[str, Any] = {"verbs": verbs, "apiGroups": [group], "resources": resources}
    return {**rule, **({"clusterScope": True} if is_cluster else {}), "namespaces": [namespace]}


_EVERYTHING = {
    "resourceRules": [_resources(["*"], "*", ["*"], is_cluster=True)],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}
_ALL = _groups(UNAUTHENTICATED, AUTHENTICATED)
_ELECTION = ["get", "create", "update"]
_NODES = _groups("system:nodes")
_SCHEMAS: tuple[tuple[str, str, int, str, dict[str, Any]], ...] = (
    ("exempt", "exempt", 1, "", {"subjects": _groups(MASTERS), **_EVERYTHING}),
    ("catch-all", "catch-all", 10000, "ByUser", {"subjects": _ALL, **_EVERYTHING}),
    ("system-nodes", "system", 500, "ByUser", {"subjects": _NODES, **_EVERYTHING}),
    (
        "system-node-high",
        "node-high",
        400,
        "ByUser",
        {
            "subjects": _NODES,
            "resourceRules": [
                _resources(["*"], "", ["nodes", "nodes/status"], is_cluster=True),
                _resources(["*"], "coordination.k8s.io", ["leases"]),
            ],
        },
    ),
    (
        "probes",
        "exempt",
        2,
        "",
        {
            "subjects": _ALL,
            "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}],
        },
    ),
    (
        "system-leader-election",
        "leader-election",
        100,
        "ByUser",
        {
            "subjects": [*_users("system:kube-controller-manager", "system:kube-scheduler"), _account("*")],
            "resourceRules": [_resources(_ELECTION, "coordination.k8s.io", ["leases"])],
        },
    ),
    (
        "workload-leader-election",
        "leader-election",
        200,
        "ByUser",
        {
            "subjects": [_account("*")],
            "resourceRules": [_resources(_ELECTION, "coordination.k8s.io", ["leases"])],
        },
    ),
    (
        "endpoint-controller",
        "workload-high",
        150,
        "ByUser",
        {
            "subjects": [
                *_users("system:kube-controller-manager"),
                _account("endpoint-controller"),
                _account("endpointslicemirroring-controller"),
            ],
            "resourceRules": [_resources(["get", "create", "update"], "", ["endpoints"])],
        },
    ),
    (
        "kube-controller-manager",
        "workload-high",
        800,
        "ByNamespace",
        {"subjects": _users("system:kube-controller-manager"), **_EVERYTHING},
    ),
    (
        "kube-scheduler",
        "workload-high",
        800,
        "ByNamespace",
        {"subjects": _users("system:kube-scheduler"), **_EVERYTHING},
    ),
    (
        "kube-system-service-accounts",
        "workload-high",
        900,
        "ByNamespace",
        {"subjects": [_account("*")], **_EVERYTHING},
    ),
    ("service-accounts", "workload-low", 9000, "ByUser", {"subjects": _groups(ACCOUNTS), **_EVERYTHING}),
    ("global-default", "global-default", 9900, "ByUser", {"subjects": _ALL, **_EVERYTHING}),
)


def default_objects() -> Iterator[tuple[str, Object]]:
    """Resource and object of the mandatory and suggested configuration, priority levels first."""
    exempt = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}
    yield PRIORITY_LEVELS, _object("exempt", exempt)
    yield PRIORITY_LEVELS, _object("catch-all", _limited(CATCH_ALL_SHARES, 0, {"type": "Reject"}))
    for name, shares, lendable_percent, queues, hand_size in _LEVELS:
        queuing = {"queues": queues, "handSize": hand_size, "queueLengthLimit": QUEUE_LENGTH}
        yield PRIORITY_LEVELS, _object(name, _limited(shares, lendable_percent, {"type": "Queue", "queuing": queuing}))
    for name, level, precedence, method, rule in _SCHEMAS:
        spec: dict[str, Any] = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
        if method:
            spec["distinguisherMethod"] = {"type": method}
        yield FLOW_SCHEMAS, _object(name, {**spec, "rules": [rule]})


def _object(name: str, spec: dict[str, Any]) -> Object:
    return {"metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}}, "spec": spec}


MANDATORY = {
    (resource, obj["metadata"]["name"]): obj["spec"]
    for resource, obj in default_objects()
    if obj["metadata"]["name"] == "catch-all" or (resource, obj["metadata"]["name"]) == (FLOW_SCHEMAS, "exempt")
}
"""The specs, by resource and name, of what a server cannot be without."""


def dangling(level: str, *, exists: bool, now_ns: int) -> dict[str, Any]:
    """The condition Dangling of a flow schema that names the priority level ``level``."""
    there = "and it exists" if exists else "but there is no such object"
    return {
        "type": "Dangling",
        "status": "False" if exists else "True",
        "lastTransitionTime": rfc3339(now_ns),
        "reason": "Found" if exists else "NotFound",
        "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" {there}',
    }


def with_dangling(store: Store, schema: Object, now_ns: int) -> Object:
    """A flow schema with the condition that is true now; itself where it has it already."""
    level = at(schema, "spec", "priorityLevelConfiguration", "name") or ""
    wanted = dangling(level, exists=store.get(PRIORITY_LEVELS, "", level) is not None, now_ns=now_ns)
    conditions = at(schema, "status", "conditions") or []
    if any({**item, "lastTransitionTime": ""} == {**wanted, "lastTransitionTime": ""} for item in conditions):
        return schema
    return {**schema, "status": {"conditions": [wanted]}}


class FlowControl:
    """Keeps the condition Dangling true, and makes default objects anew that somebody has deleted."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._defaults = {(resource, obj["metadata"]["name"]): obj for resource, obj in default_objects()}
        api.followers[FLOW_SCHEMAS] = self._on_change
        api.followers[PRIORITY_LEVELS] = self._on_change

    def _on_change(self, obj: Object) -> None:
        resource = FLOW_SCHEMAS if obj["kind"] == "FlowSchema" else PRIORITY_LEVELS
        name = obj["metadata"]["name"]
        is_gone = self._api.store.get(resource, "", name) is None
        if is_gone and (resource, name) in self._defaults:
            self._api.loop.after(UPKEEP_NS, self._restore, resource, name)
        store = self._api.store
        schemas = store.list(FLOW_SCHEMAS) if resource == PRIORITY_LEVELS else [] if is_gone else [obj]
        for schema in schemas:
            judged = with_dangling(store, schema, self._api.loop.now_ns)
            if judged is not schema:
                store.put(FLOW_SCHEMAS, judged)

    def _restore(self, resource: str, name: str) -> None:
        """``ensureAPFBootstrapConfiguration``."""
        if self._api.store.get(resource, "", name) is None:
            self._api.create(resource, self._defaults[resource, name], user="system:apiserver", manager=MANAGER)
