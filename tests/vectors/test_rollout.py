"""`rollout.json`: the rules of the Deployment controller."""

from typing import Any

import pytest

from labs.controlplane.deployment import limits, progress, proportional, rolling
from labs.controlplane.deployment.facts import NO_DEADLINE_S, Condition, Deployment, ReplicaSet, Scaling, Status
from labs.controlplane.intstr import scaled_value
from labs.units import SECOND_NS, rfc3339

VECTORS = "rollout"
NOW_NS = 1_800_000_000 * SECOND_NS
Case = dict[str, Any]


def status_of(given: Case | None) -> Status:
    given = given or {}
    return Status(
        observed_generation=given.get("observed_generation", 0),
        replicas=given.get("replicas", 0),
        updated_replicas=given.get("updated", 0),
        ready_replicas=given.get("ready", 0),
        available_replicas=given.get("available", 0),
        unavailable_replicas=given.get("unavailable", 0),
        # The recorded function sums what the sets report, and they report none.
        terminating_replicas=0,
        conditions=tuple(condition_of(item) for item in given.get("conditions") or ()),
    )


def condition_of(given: Case) -> Condition:
    updated = rfc3339(NOW_NS - given["updated_age_s"] * SECOND_NS)
    return Condition(given["type"], given["status"], given["reason"], given["message"], updated, updated)


def deployment_of(given: Case) -> Deployment:
    deadline_s = given.get("progress_deadline_s")
    return Deployment(
        name="web",
        replicas=given["replicas"],
        strategy=given["strategy"],
        max_surge=given["max_surge"],
        max_unavailable=given["max_unavailable"],
        progress_deadline_s=None if deadline_s == NO_DEADLINE_S else deadline_s,
        generation=given.get("generation", 0),
        status=status_of(given.get("status")),
    )


def replica_set_of(given: Case) -> ReplicaSet:
    failure = given.get("replica_failure_message")
    return ReplicaSet(
        name=given["name"],
        replicas=given["replicas"],
        actual_replicas=given["status_replicas"],
        ready_replicas=given["ready"],
        available_replicas=given["available"],
        created=rfc3339(NOW_NS - given["age_s"] * SECOND_NS),
        desired_annotation=given["desired_annotation"],
        max_annotation=given["max_annotation"],
        failures=(Condition("ReplicaFailure", "True", "FailedCreate", failure),) if failure else (),
    )


def sets_of(given: list[Case]) -> tuple[list[ReplicaSet], list[ReplicaSet], ReplicaSet | None]:
    """All of them (the old ones first), the old ones, and the new one."""
    old = [replica_set_of(item) for item in given if not item["new"]]
    new = next((replica_set_of(item) for item in given if item["new"]), None)
    return [*old, *([new] if new else [])], old, new


def new_set_of(given: list[Case]) -> ReplicaSet:
    new = sets_of(given)[2]
    assert new is not None
    return new


def answer(key: str, function: Any, *args: Any, **more: Any) -> Case:
    try:
        return {key: function(*args, **more)}
    except ValueError as error:
        return {"error": str(error)}


def updates_of(deployment: Deployment, scalings: tuple[Scaling, ...] | list[Scaling]) -> list[Case]:
    most = deployment.replicas + limits.max_surge(deployment)
    marks = {"desired_annotation": str(deployment.replicas), "max_annotation": str(most)}
    return [{"name": scaling.name, "replicas": scaling.replicas, **marks} for scaling in scalings]


@pytest.mark.section("scaled")
def test_numbers_and_percentages_scale(case: Case) -> None:
    given = case["in"]

    assert answer("value", scaled_value, given["value"], given["total"], rounds_up=given["round_up"]) == case["expect"]


@pytest.mark.section("fenceposts")
def test_fenceposts_are_never_both_zero(case: Case) -> None:
    given = case["in"]

    found = answer("both", limits.resolve_fenceposts, given["max_surge"], given["max_unavailable"], given["desired"])

    if "both" in found:
        found = dict(zip(("max_surge", "max_unavailable"), found["both"], strict=True))
    assert found == case["expect"]


@pytest.mark.section("limits")
def test_limits_follow_strategy_and_size(case: Case) -> None:
    deployment = deployment_of(case["in"]["deployment"])

    assert case["expect"] == {
        "max_surge": limits.max_surge(deployment),
        "max_unavailable": limits.max_unavailable(deployment),
        "min_available": limits.min_available(deployment),
    }


@pytest.mark.section("new_rs")
def test_the_new_set_grows_within_the_surge(case: Case) -> None:
    sets, _, _ = sets_of(case["in"]["rs"])
    new = new_set_of(case["in"]["rs"])

    found = answer("replicas", rolling.new_replicas, deployment_of(case["in"]["deployment"]), sets, new)

    assert found == case["expect"]


@pytest.mark.section("proportion")
def test_each_set_gets_its_proportion(case: Case) -> None:
    given = case["in"]
    item = replica_set_of(given["rs"][0])

    share = proportional.proportion(deployment_of(given["deployment"]), item, given["to_add"], given["added"])

    assert {"proportion": share} == case["expect"]


@pytest.mark.section("saturated")
def test_a_saturated_set_has_all_pods_available(case: Case) -> None:
    item = replica_set_of(case["in"]["rs"][0]) if case["in"]["rs"] else None

    assert {"saturated": proportional.is_saturated(deployment_of(case["in"]["deployment"]), item)} == case["expect"]


@pytest.mark.section("progress")
def test_progress_is_judged_from_two_statuses(case: Case) -> None:
    deployment, status = deployment_of(case["in"]["deployment"]), status_of(case["in"]["new_status"])

    assert case["expect"] == {
        "complete": progress.is_complete(deployment, status),
        "progressing": progress.is_progressing(deployment, status),
        "timed_out": progress.is_timed_out(deployment, status, NOW_NS),
    }


@pytest.mark.section("reconcile_new")
def test_one_step_scales_the_new_set(case: Case) -> None:
    deployment = deployment_of(case["in"]["deployment"])
    sets, _, _ = sets_of(case["in"]["rs"])

    plan = rolling.plan_new(deployment, sets, new_set_of(case["in"]["rs"]))

    assert {"scaled": bool(plan.scalings), "updates": updates_of(deployment, plan.scalings)} == case["expect"]


@pytest.mark.section("reconcile_old")
def test_one_step_scales_the_old_sets(case: Case) -> None:
    deployment = deployment_of(case["in"]["deployment"])
    sets, old, _ = sets_of(case["in"]["rs"])
    active = [item for item in old if item.replicas > 0]

    plan = rolling.plan_old(deployment, sets, active, new_set_of(case["in"]["rs"]))

    assert plan.error == ""
    assert {"scaled": bool(plan.scalings), "updates": updates_of(deployment, plan.scalings)} == case["expect"]


@pytest.mark.section("scale")
def test_scaling_is_proportional(case: Case) -> None:
    deployment = deployment_of(case["in"]["deployment"])
    _, old, new = sets_of(case["in"]["rs"])

    assert {"updates": updates_of(deployment, proportional.plan_scale(deployment, new, old))} == case["expect"]


@pytest.mark.section("status")
def test_status_and_conditions_follow_the_rollout(case: Case) -> None:
    deployment = deployment_of(case["in"]["deployment"])
    sets, _, new = sets_of(case["in"]["rs"])

    status = progress.rollout_status(deployment, sets, new, NOW_NS)

    assert {"status": None if status == deployment.status else wire_of(status)} == case["expect"]


def wire_of(status: Status) -> Case:
    wire = {
        "observed_generation": status.observed_generation,
        "replicas": status.replicas,
        "updated": status.updated_replicas,
        "ready": status.ready_replicas,
        "available": status.available_replicas,
        "unavailable": status.unavailable_replicas,
    }
    conditions = [
        {"type": item.type, "status": item.status, "reason": item.reason, "message": item.message}
        for item in status.conditions
    ]
    return wire | ({"conditions": conditions} if conditions else {})
