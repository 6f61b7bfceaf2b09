"""rbac.authorization.k8s.io/v1: roles and bindings.

Source: kubernetes/kubernetes pkg/apis/rbac/{v1/defaults.go,validation/validation.go}.
"""

from __future__ import annotations

from typing import Any

from labs.api import names
from labs.api.metadata import path_segment
from labs.api.rbac.authorizer import GROUP
from labs.api.strategies.rules import IMMUTABLE, label_selector
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, invalid, not_supported, required


def _default_role(obj: Object) -> None:
    # Go prints a nil list of rules as null.
    set_missing(obj, rules=None)


def _default_binding(obj: Object) -> None:
    reference = obj.get("roleRef")
    if isinstance(reference, dict) and not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = GROUP


def _validate_rule(rule: dict[str, Any], path: str, *, is_namespaced: bool) -> list[FieldError]:
    problems: list[FieldError] = []
    if not rule.get("verbs"):
        problems.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        if is_namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            problems.append(invalid(f"{path}.nonResourceURLs", urls, text))
        if any(rule.get(key) for key in ("apiGroups", "resources", "resourceNames")):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            problems.append(invalid(f"{path}.nonResourceURLs", urls, text))
        return problems
    if not rule.get("apiGroups"):
        problems.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        problems.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return problems


def _validate_role(obj: Object, *, is_namespaced: bool = True) -> list[FieldError]:
    return [
        problem
        for index, rule in enumerate(obj.get("rules") or ())
        for problem in _validate_rule(rule, f"rules[{index}]", is_namespaced=is_namespaced)
    ]


def _validate_cluster_role(obj: Object) -> list[FieldError]:
    problems = _validate_role(obj, is_namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return problems
    path = "aggregationRule.clusterRoleSelectors"
    if not aggregation.get("clusterRoleSelectors"):
        text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        problems.append(required(path, text))
    for index, selector in enumerate(aggregation.get("clusterRoleSelectors") or ()):
        problems += label_selector(selector, f"{path}[{index}]")
    return problems


def _validate_reference(reference: dict[str, Any], kinds: tuple[str, ...]) -> list[FieldError]:
    problems: list[FieldError] = []
    group, kind, name = (reference.get(key) or "" for key in ("apiGroup", "kind", "name"))
    if group != GROUP:
        problems.append(not_supported("roleRef.apiGroup", group, (GROUP,)))
    if kind not in kinds:
        problems.append(not_supported("roleRef.kind", kind, kinds))
    if not name:
        problems.append(required("roleRef.name"))
    return problems + [invalid("roleRef.name", name, text) for text in path_segment(name)]


def _validate_subject(subject: dict[str, Any], path: str, *, is_namespaced: bool) -> list[FieldError]:
    problems: list[FieldError] = []
    kind, group, name = (subject.get(key) or "" for key in ("kind", "apiGroup", "name"))
    if not name:
        problems.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            problems += [invalid(f"{path}.name", name, text) for text in names.dns1123_subdomain(name)]
        if group:
            problems.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not is_namespaced and not subject.get("namespace"):
            problems.append(required(f"{path}.namespace"))
    elif kind not in ("User", "Group"):
        problems.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))
    elif group != GROUP:
        problems.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
    return problems


def _validate_binding(
    obj: Object, *, kinds: tuple[str, ...] = ("Role", "ClusterRole"), is_namespaced: bool = True
) -> list[FieldError]:
    problems = _validate_reference(obj.get("roleRef") or {}, kinds)
    for index, subject in enumerate(obj.get("subjects") or ()):
        problems += _validate_subject(subject, f"subjects[{index}]", is_namespaced=is_namespaced)
    return problems


def _validate_cluster_binding(obj: Object) -> list[FieldError]:
    return _validate_binding(obj, kinds=("ClusterRole",), is_namespaced=False)


def _validate_binding_update(new: Object, old: Object) -> list[FieldError]:
    if new.get("roleRef") == old.get("roleRef"):
        return []
    reference = new.get("roleRef") or {}
    shown = {"APIGroup": reference.get("apiGroup"), "Kind": reference.get("kind"), "Name": reference.get("name")}
    return [invalid("roleRef", shown, IMMUTABLE)]


ROLE = Strategy(default=_default_role, validate=_validate_role)
CLUSTER_ROLE = Strategy(default=_default_role, validate=_validate_cluster_role)
ROLE_BINDING = Strategy(default=_default_binding, validate=_validate_binding, validate_update=_validate_binding_update)
CLUSTER_ROLE_BINDING = Strategy(
    default=_default_binding, validate=_validate_cluster_binding, validate_update=_validate_binding_update
)
