"""flowcontrol.apiserver.k8s.io/v1: flow schemas and priority levels.

Source: kubernetes/kubernetes pkg/apis/flowcontrol/{v1/defaults.go,validation/validation.go}.
"""

from __future__ import annotations

from typing import Any

from labs.api.flow_control import FLOW_SCHEMAS, MANDATORY, PRIORITY_LEVELS
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid, not_supported, required

LOWEST_PRECEDENCE = 10_000
DEFAULT_PRECEDENCE = 1000
DEFAULT_SHARES = 30
QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
SUBJECTS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}


def _default_schema(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec["matchingPrecedence"] = spec.get("matchingPrecedence") or DEFAULT_PRECEDENCE


def _validate_schema(obj: Object) -> list[FieldError]:
    spec, name = obj["spec"], obj["metadata"].get("name")
    precedence = spec["matchingPrecedence"]
    problems: list[FieldError] = []
    if precedence <= 0:
        problems.append(invalid("spec.matchingPrecedence", precedence, "must be a positive value"))
    if precedence > LOWEST_PRECEDENCE:
        text = f"must not be greater than {LOWEST_PRECEDENCE}"
        problems.append(invalid("spec.matchingPrecedence", precedence, text))
    if precedence == 1 and name != "exempt":
        problems.append(
            invalid(
                "spec.matchingPrecedence", precedence, "only the schema named 'exempt' may have matchingPrecedence 1"
            )
        )
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in ("ByNamespace", "ByUser"):
        problems.append(not_supported("spec.distinguisherMethod", method.get("type"), ("ByNamespace", "ByUser")))
    if not (spec.get("priorityLevelConfiguration") or {}).get("name"):
        problems.append(required("spec.priorityLevelConfiguration.name", "must reference a priority level"))
    for index, rule in enumerate(spec.get("rules") or ()):
        problems += _rule(rule, f"spec.rules[{index}]")
    return problems + _fixed(FLOW_SCHEMAS, obj)


def _rule(rule: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if not rule.get("subjects"):
        problems.append(required(f"{path}.subjects", "subjects must contain at least one value"))
    for index, subject in enumerate(rule.get("subjects") or ()):
        here, kind = f"{path}.subjects[{index}]", subject.get("kind") or ""
        if kind not in SUBJECTS:
            problems.append(not_supported(f"{here}.kind", kind, SUBJECTS))
        elif not (subject.get(SUBJECTS[kind]) or {}).get("name"):
            problems.append(
                required(f"{here}.{SUBJECTS[kind]}", f"{SUBJECTS[kind]} is required when subject kind is '{kind}'")
            )
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        problems.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    return problems


def _default_level(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("limited") is not None:
        set_missing(spec["limited"], nominalConcurrencyShares=DEFAULT_SHARES, lendablePercent=0)
        response = spec["limited"].get("limitResponse") or {}
        if response.get("queuing") is not None:
            set_missing(response["queuing"], **QUEUING)
    if spec.get("exempt") is not None:
        set_missing(spec["exempt"], nominalConcurrencyShares=0, lendablePercent=0)


def _validate_level(obj: Object) -> list[FieldError]:
    spec, name, kind = obj["spec"], obj["metadata"].get("name"), obj["spec"].get("type") or ""
    if kind not in ("Exempt", "Limited"):
        return [not_supported("spec.type", kind, ("Exempt", "Limited"))]
    problems: list[FieldError] = []
    if (kind == "Exempt") != (name == "exempt"):
        text = "type must be 'Exempt' if and only if name is 'exempt'"
        problems.append(invalid("spec.type", kind, text))
    if kind == "Exempt":
        if spec.get("limited") is not None:
            problems.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        return problems
    if spec.get("exempt") is not None:
        problems.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
    if spec.get("limited") is None:
        return [*problems, required("spec.limited", "must not be empty when type is Limited")]
    return problems + _limited(spec["limited"]) + _fixed(PRIORITY_LEVELS, obj)


def _limited(limited: dict[str, Any]) -> list[FieldError]:
    path = "spec.limited"
    problems: list[FieldError] = []
    if limited["nominalConcurrencyShares"] < 0:
        text = "must be a non-negative integer"
        problems.append(invalid(f"{path}.nominalConcurrencyShares", limited["nominalConcurrencyShares"], text))
    if not 0 <= limited["lendablePercent"] <= 100:
        text = "must be between 0 and 100, inclusive"
        problems.append(invalid(f"{path}.lendablePercent", limited["lendablePercent"], text))
    response = limited.get("limitResponse") or {}
    kind, queuing, here = response.get("type") or "", response.get("queuing"), f"{path}.limitResponse"
    if kind not in ("Queue", "Reject"):
        return [*problems, not_supported(f"{here}.type", kind, ("Queue", "Reject"))]
    if kind == "Reject" and queuing is not None:
        problems.append(forbidden(f"{here}.queuing", "must be nil if limited.limitResponse.type is not Limited"))
    if kind == "Queue" and queuing is None:
        text = "must not be empty if limited.limitResponse.type is Limited"
        problems.append(required(f"{here}.queuing", text))
    for key, number in (queuing or {}).items():
        if number <= 0:
            problems.append(invalid(f"{here}.queuing.{key}", number, "must be positive"))
    if queuing and queuing["handSize"] > queuing["queues"]:
        text = f"should not be greater than queues ({queuing['queues']})"
        problems.append(invalid(f"{here}.queuing.handSize", queuing["handSize"], text))
    return problems


def _fixed(resource: str, obj: Object) -> list[FieldError]:
    """What a server cannot be without is as the server makes it; of the level ``exempt`` the shares may differ."""
    name = obj["metadata"].get("name")
    wanted = MANDATORY.get((resource, name))
    if wanted is None or obj["spec"] == wanted:
        return []
    return [invalid("spec", obj["spec"], f"spec of '{name}' must equal the fixed value")]


FLOW_SCHEMA = Strategy(default=_default_schema, validate=_validate_schema)
PRIORITY_LEVEL = Strategy(default=_default_level, validate=_validate_level)
