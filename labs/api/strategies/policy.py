"""policy/v1, scheduling.k8s.io/v1, coordination.k8s.io/v1, discovery.k8s.io/v1.

Source: kubernetes/kubernetes pkg/apis/{policy,scheduling,coordination,discovery}/{v1,validation}.
"""

from __future__ import annotations

from labs.api.names import dns1123_label, dns1123_subdomain
from labs.api.strategies.pod_validation import is_address
from labs.api.strategies.rules import at_most_all, immutable, int_or_percent, label_selector, one_of
from labs.api.strategies.service_validation import validate_outside_address
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, duplicate, forbidden, invalid, required

EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
HIGHEST_USER_PRIORITY = 1_000_000_000
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")


def _budget_status(obj: Object) -> None:
    obj["status"] = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}


def _validate_budget(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    problems: list[FieldError] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        shown = {
            "MinAvailable": spec["minAvailable"],
            "Selector": spec.get("selector"),
            "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        problems.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for key in ("minAvailable", "maxUnavailable"):
        if spec.get(key) is not None:
            problems += int_or_percent(spec[key], f"spec.{key}") + at_most_all(spec[key], f"spec.{key}")
    problems += label_selector(spec.get("selector"), "spec.selector")
    return problems + one_of(spec, "unhealthyPodEvictionPolicy", EVICTION_POLICIES, "spec")


def _default_class(obj: Object) -> None:
    set_missing(obj, preemptionPolicy="PreemptLowerPriority", value=0)


def _validate_class(obj: Object) -> list[FieldError]:
    name, value = obj["metadata"].get("name") or "", obj["value"]
    problems: list[FieldError] = []
    is_system = name in ("system-node-critical", "system-cluster-critical")
    if name.startswith("system-") and not is_system:
        text = "priority class names with 'system-' prefix are reserved for system use only"
        problems.append(forbidden("metadata.name", text))
    if not is_system and value > HIGHEST_USER_PRIORITY:
        problems.append(
            forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}")
        )
    return problems + one_of(obj, "preemptionPolicy", ("PreemptLowerPriority", "Never"), "")


def _validate_class_update(new: Object, old: Object) -> list[FieldError]:
    problems: list[FieldError] = []
    if new.get("value") != old.get("value"):
        problems.append(forbidden("value", "may not be changed in an update."))
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        problems.append(invalid("preemptionPolicy", new.get("preemptionPolicy"), "field is immutable"))
    return problems


def _default_lease(obj: Object) -> None:
    obj.setdefault("spec", {})


def _validate_lease(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    problems: list[FieldError] = []
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        problems.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        problems.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    return problems


def _default_slice(obj: Object) -> None:
    obj.setdefault("endpoints", None)
    obj.setdefault("ports", None)
    for port in obj.get("ports") or ():
        set_missing(port, name="", protocol="TCP")


def _validate_slice(obj: Object) -> list[FieldError]:
    kind = obj.get("addressType") or ""
    if not kind:
        return [required("addressType")]
    problems = one_of(obj, "addressType", ADDRESS_TYPES, "")
    for index, endpoint in enumerate(obj.get("endpoints") or ()):
        path = f"endpoints[{index}].addresses"
        if not endpoint.get("addresses"):
            problems.append(required(path, "must contain at least 1 address"))
        for place, address in enumerate(endpoint.get("addresses") or ()):
            problems += _endpoint_address(address, kind, f"{path}[{place}]")
    seen: set[str] = set()
    for index, port in enumerate(obj.get("ports") or ()):
        path, name = f"ports[{index}]", port.get("name") or ""
        problems += [invalid(f"{path}.name", name, text) for text in dns1123_label(name)] if name else []
        if name in seen:
            problems.append(duplicate(f"{path}.name", name))
        seen.add(name)
        problems += one_of(port, "protocol", ("SCTP", "TCP", "UDP"), path)
    return problems


def _endpoint_address(address: str, kind: str, path: str) -> list[FieldError]:
    if kind == "FQDN":
        return [invalid(path, address, text) for text in dns1123_subdomain(address)]
    if not is_address(address) or (":" in address) != (kind == "IPv6"):
        example = "10.9.8.7" if kind == "IPv4" else "2001:db8::ffff"
        return [invalid(path, address, f"must be a valid {kind} address (e.g. {example})")]
    return validate_outside_address(address, path)


def _validate_slice_update(new: Object, old: Object) -> list[FieldError]:
    return [FieldError(item.reason, "addressType", item.message) for item in immutable(new, old, "addressType", "")]


POD_DISRUPTION_BUDGET = Strategy(prepare_for_create=_budget_status, validate=_validate_budget)
PRIORITY_CLASS = Strategy(default=_default_class, validate=_validate_class, validate_update=_validate_class_update)
LEASE = Strategy(default=_default_lease, validate=_validate_lease)
ENDPOINT_SLICE = Strategy(default=_default_slice, validate=_validate_slice, validate_update=_validate_slice_update)
