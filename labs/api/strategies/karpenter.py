"""karpenter.sh/v1 and karpenter.k8s.aws/v1: defaults and rules of the custom resource definitions.

Source: kubernetes-sigs/karpenter pkg/apis/v1 and pkg/apis/crds; aws/karpenter-provider-aws pkg/apis/crds.
"""

from __future__ import annotations

import re
from typing import Any

from labs.api.objects import at
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, invalid, not_supported, required

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte")
POLICIES = ("WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced")
REASONS = ("Underutilized", "Empty", "Drifted")
BUDGET_NODES = re.compile(r"^((100|[0-9]{1,2})%|[0-9]+)$")
DURATION = re.compile(r"^(([0-9]+(s|m|h))+|Never)$")
AMI_FAMILIES = ("AL2", "AL2023", "Bottlerocket", "Custom", "Windows2019", "Windows2022", "Windows2025")


def _default_node_pool(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    disruption = spec["disruption"] = spec.get("disruption") or {}
    set_missing(
        disruption,
        budgets=[{"nodes": "10%"}],
        consolidateAfter="0s",
        consolidationPolicy="WhenEmptyOrUnderutilized",
    )
    template = at(spec, "template", "spec")
    if isinstance(template, dict):
        set_missing(template, expireAfter="720h")


def _pattern(value: Any, path: str, pattern: re.Pattern[str]) -> list[FieldError]:
    if value is None or (isinstance(value, str) and pattern.match(value)):
        return []
    return [invalid(path, value, f"{path} in body should match '{pattern.pattern}'")]


def _validate_node_pool(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems: list[FieldError] = []
    template = at(spec, "template", "spec")
    if template is None:
        return [required("spec.template")]
    problems += _requirements(template, "spec.template.spec")
    problems += _pattern(template.get("expireAfter"), "spec.template.spec.expireAfter", DURATION)
    disruption = spec["disruption"]
    if disruption["consolidationPolicy"] not in POLICIES:
        problems.append(
            not_supported("spec.disruption.consolidationPolicy", disruption["consolidationPolicy"], POLICIES)
        )
    problems += _pattern(disruption["consolidateAfter"], "spec.disruption.consolidateAfter", DURATION)
    for index, budget in enumerate(disruption["budgets"]):
        problems += _budget(budget, f"spec.disruption.budgets[{index}]")
    weight = spec.get("weight")
    if weight is not None and not 1 <= weight <= 100:
        limit = "greater than or equal to 1" if weight < 1 else "less than or equal to 100"
        problems.append(invalid("spec.weight", weight, f"spec.weight in body should be {limit}"))
    return problems


def _budget(budget: dict[str, Any], path: str) -> list[FieldError]:
    problems = _pattern(budget.get("nodes"), f"{path}.nodes", BUDGET_NODES)
    for index, reason in enumerate(budget.get("reasons") or ()):
        if reason not in REASONS:
            problems.append(not_supported(f"{path}.reasons[{index}]", reason, REASONS))
    if ("schedule" in budget) != ("duration" in budget):
        problems.append(invalid("spec.disruption.budgets", budget, "'schedule' must be set with 'duration'"))
    return problems


def _requirements(template: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if not template.get("nodeClassRef"):
        problems.append(required(f"{path}.nodeClassRef"))
    else:
        for key in ("group", "kind", "name"):
            if not template["nodeClassRef"].get(key):
                problems.append(required(f"{path}.nodeClassRef.{key}"))
    if template.get("requirements") is None:
        problems.append(required(f"{path}.requirements"))
    for index, item in enumerate(template.get("requirements") or ()):
        here = f"{path}.requirements[{index}]"
        operator, values = item.get("operator"), item.get("values") or []
        if operator not in OPERATORS:
            problems.append(not_supported(f"{here}.operator", operator, OPERATORS))
        if operator == "In" and not values:
            text = "requirements with operator 'In' must have a value defined"
            problems.append(invalid(f"{path}.requirements", template["requirements"], text))
        if operator in ("Gt", "Lt", "Gte", "Lte") and not _is_whole(values):
            text = f"requirements operator '{operator}' must have a single positive integer value"
            problems.append(invalid(f"{path}.requirements", template["requirements"], text))
    return problems


def _is_whole(values: list[str]) -> bool:
    return len(values) == 1 and values[0].isdigit()


def _default_node_claim(obj: Object) -> None:
    set_missing(obj.setdefault("spec", {}), expireAfter="720h")


def _validate_node_claim(obj: Object) -> list[FieldError]:
    return _requirements(obj["spec"], "spec")


def _validate_node_claim_update(new: Object, old: Object) -> list[FieldError]:
    return [] if new["spec"] == old["spec"] else [invalid("spec", "object", "spec is immutable")]


def _default_node_class(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    options = spec["metadataOptions"] = spec.get("metadataOptions") or {}
    set_missing(
        options, httpEndpoint="enabled", httpProtocolIPv6="disabled", httpPutResponseHopLimit=1, httpTokens="required"
    )


def _validate_node_class(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems: list[FieldError] = []
    for key in ("subnetSelectorTerms", "securityGroupSelectorTerms", "amiSelectorTerms"):
        if not spec.get(key):
            problems.append(required(f"spec.{key}"))
    if bool(spec.get("role")) == bool(spec.get("instanceProfile")):
        problems.append(invalid("spec", "object", "must specify exactly one of ['role', 'instanceProfile']"))
    family = spec.get("amiFamily")
    if family is not None and family not in AMI_FAMILIES:
        problems.append(not_supported("spec.amiFamily", family, AMI_FAMILIES))
    return problems


NODE_POOL = Strategy(default=_default_node_pool, validate=_validate_node_pool)
NODE_CLAIM = Strategy(
    default=_default_node_claim, validate=_validate_node_claim, validate_update=_validate_node_claim_update
)
EC2_NODE_CLASS = Strategy(default=_default_node_class, validate=_validate_node_class)
