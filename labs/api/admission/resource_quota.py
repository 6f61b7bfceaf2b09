"""ResourceQuota: nothing is made that a namespace has no room for.

Source: kubernetes/apiserver pkg/admission/plugin/resourcequota/controller.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs import errors
from labs.api.quantity import parse_quantity
from labs.api.quota.pods import Amounts, is_terminating, missing_requests
from labs.api.quota.usage import CLAIMS, counted_resource, is_in_scopes, printed, usage_of
from labs.api.store import Object
from labs.errors import ApiError

if TYPE_CHECKING:
    from labs.api.apiserver import ApiServer, Attributes

MANAGER = "kube-apiserver"


class ResourceQuotas:
    """Checks what is asked for against the quotas of its namespace, and charges it."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def admit(self, attributes: Attributes) -> None:
        """Raises 403."""
        namespace = attributes.object["metadata"].get("namespace", "")
        if not namespace or not _is_counted(attributes):
            return
        resource, obj = attributes.type.resource, attributes.object
        quotas = []
        for quota in self._api.store.list("resourcequotas", namespace):
            hard = [name for name in _amounts(quota, "hard") if counted_resource(name) == resource]
            if hard and is_in_scopes(resource, obj, quota["spec"]):
                _check_status(attributes, quota, hard)
                quotas.append(quota)
        if quotas:
            added = self._added(attributes)
            charged = [_charged(attributes, quota, added) for quota in quotas]
            for quota, used in zip(quotas, charged, strict=True):
                if used is not None and not attributes.is_dry_run:
                    self._write(quota, used)

    def _added(self, attributes: Attributes) -> Amounts:
        resource, now_ns = attributes.type.resource, self._api.loop.now_ns
        used = usage_of(resource, attributes.object, now_ns)
        if attributes.old is not None:
            before = usage_of(resource, attributes.old, now_ns)
            used = {name: used[name] - before[name] if name in before else used[name] for name in used}
        return {name: amount for name, amount in used.items() if not amount.is_zero}

    def _write(self, quota: Object, used: dict[str, str]) -> None:
        changed = {**quota, "status": {**quota["status"], "used": used}}
        self._api.update("resourcequotas", changed, subresource="status", manager=MANAGER)


def _is_counted(attributes: Attributes) -> bool:
    """Whether the write may change what is used (``Handles`` of the evaluators)."""
    if attributes.subresource:
        return False
    if attributes.old is None:
        return True
    if attributes.type.resource == "pods":
        return is_terminating(attributes.object) != is_terminating(attributes.old)
    return attributes.type.resource in ("services", CLAIMS)


def _amounts(quota: Object, key: str) -> Amounts:
    texts = (quota.get("status") or {}).get(key) or {}
    return {name: parse_quantity(text) for name, text in texts.items()}


def _check_status(attributes: Attributes, quota: Object, hard: list[str]) -> None:
    name = quota["metadata"]["name"]
    if attributes.type.resource == "pods":
        problem = missing_requests(attributes.object, hard)
        if problem:
            raise _forbidden(attributes, f"failed quota: {name}: {problem}")
    used = _amounts(quota, "used")
    if any(item not in used for item in hard):
        raise _forbidden(attributes, f"status unknown for quota: {name}, resources: {','.join(sorted(hard))}")


def _charged(attributes: Attributes, quota: Object, added: Amounts) -> dict[str, str] | None:
    """A quota's ``used`` with what is added, or None when it counts none of it. Raises 403."""
    hard, used = _amounts(quota, "hard"), _amounts(quota, "used")
    asked = {name: amount for name, amount in added.items() if name in hard}
    if not asked:
        return None
    total = used | {name: used[name] + amount if name in used else amount for name, amount in asked.items()}
    exceeded = [name for name in asked if hard[name] < total[name]]
    if exceeded:
        shown = [
            printed({name: amounts[name] for name in exceeded if name in amounts}) for amounts in (asked, used, hard)
        ]
        why = f"requested: {shown[0]}, used: {shown[1]}, limited: {shown[2]}"
        raise _forbidden(attributes, f"exceeded quota: {quota['metadata']['name']}, {why}")
    return {name: str(amount) for name, amount in total.items()}


def _forbidden(attributes: Attributes, why: str) -> ApiError:
    return errors.forbidden(attributes.type.resource, attributes.object["metadata"].get("name", ""), why)
