"""`scheduling_helpers.json`: component-helpers scheduling/corev1."""

from collections.abc import Callable
from typing import Any

import pytest

from labs.api.scheduling import (
    is_tolerated,
    parse_node_selector,
    parse_preferred_terms,
    preference_score,
    required_node_affinity,
    untolerated_taint,
)

VECTORS = "scheduling_helpers"


@pytest.mark.section("tolerate")
def test_tolerations_cover_taints(case: dict[str, Any]) -> None:
    given = case["in"]

    tolerated = is_tolerated(given["taint"], given["tolerations"], allows_comparison=given["comparison"])

    assert {"tolerated": tolerated} == case["expect"]


@pytest.mark.section("untolerated")
def test_first_untolerated_taint_is_found(case: dict[str, Any]) -> None:
    found = untolerated_taint(case["in"]["taints"], case["in"]["tolerations"])

    # An empty value is left out of the recorded taint.
    assert {"taint": found and {name: found[name] for name in found if name != "value" or found[name]}} == case[
        "expect"
    ]


@pytest.mark.section("affinity")
def test_node_selector_and_required_affinity_choose_nodes(case: dict[str, Any]) -> None:
    required = case["in"]["required"]
    node_affinity = {"requiredDuringSchedulingIgnoredDuringExecution": required}
    spec = {"nodeSelector": case["in"]["node_selector"], "affinity": {"nodeAffinity": node_affinity}}
    affinity = required_node_affinity(spec)

    answers = []
    for node in case["in"]["nodes"]:
        answer: dict[str, Any] = {"match": affinity.matches(node["name"], node["labels"])}
        error = affinity.error(node["name"], node["labels"])
        answers.append(answer if error is None else answer | {"error": error})

    assert {"nodes": answers} == case["expect"]


@pytest.mark.section("preferred")
def test_preferred_terms_add_up(case: dict[str, Any]) -> None:
    def answer() -> dict[str, Any]:
        terms = parse_preferred_terms(case["in"]["terms"])
        return {"scores": [preference_score(terms, node["name"], node["labels"]) for node in case["in"]["nodes"]]}

    assert _or_error(answer) == case["expect"]


@pytest.mark.section("validate")
def test_faults_of_a_node_selector_are_told(case: dict[str, Any]) -> None:
    assert {"error": parse_node_selector(case["in"]["selector"]).error} == case["expect"]


def _or_error(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return answer()
    except ValueError as error:
        return {"error": str(error)}
