"""A Deployment's status: counts, whether the rollout moves, is complete or has timed out.

Source: kubernetes/kubernetes pkg/controller/deployment/{sync,progress}.go and deployment/util/deployment_util.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labs.controlplane.deployment.facts import Condition, Deployment, ReplicaSet, Status
from labs.controlplane.deployment.limits import max_unavailable
from labs.units import SECOND_NS, parse_rfc3339, rfc3339

AVAILABLE, PROGRESSING, REPLICA_FAILURE = "Available", "Progressing", "ReplicaFailure"
NEW_SET_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"


def set_condition(status: Status, condition: Condition, now_ns: int) -> Status:
    """``SetDeploymentCondition``: nothing when status and reason stay; else the condition goes last."""
    current = status.condition(condition.type)
    if current is not None and (current.status, current.reason) == (condition.status, condition.reason):
        return status
    now = rfc3339(now_ns)
    keeps_time = current is not None and current.status == condition.status
    changed = current.last_transition_time if keeps_time and current else condition.last_transition_time or now
    dated = replace(condition, last_update_time=condition.last_update_time or now, last_transition_time=changed)
    others = drop_condition(status, condition.type).conditions
    return replace(status, conditions=(*others, dated))


def drop_condition(status: Status, type: str) -> Status:
    """The status without a condition."""
    return replace(status, conditions=tuple(item for item in status.conditions if item.type != type))


def calculate_status(deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now_ns: int) -> Status:
    """``calculateStatus``: the counts and the condition Available."""
    available = sum(item.available_replicas for item in sets)
    status = Status(
        observed_generation=deployment.generation,
        replicas=sum(item.actual_replicas for item in sets),
        updated_replicas=new.actual_replicas if new else 0,
        ready_replicas=sum(item.ready_replicas for item in sets),
        available_replicas=available,
        unavailable_replicas=max(0, sum(item.replicas for item in sets) - available),
        terminating_replicas=_terminating(sets),
        collision_count=deployment.status.collision_count,
        conditions=deployment.status.conditions,
    )
    if available >= deployment.replicas - max_unavailable(deployment):
        text = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        text = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    return set_condition(status, Condition(AVAILABLE, *text), now_ns)


def _terminating(sets: Sequence[ReplicaSet]) -> int | None:
    """None when a set that was synced does not tell; one that never was has none."""
    if any(item.terminating_replicas is None and item.observed_generation for item in sets):
        return None
    return sum(item.terminating_replicas or 0 for item in sets)


def is_complete(deployment: Deployment, status: Status) -> bool:
    """``DeploymentComplete``: all pods are new and available, and no old one is left."""
    wanted = deployment.replicas
    return (
        status.updated_replicas == status.replicas == status.available_replicas == wanted
        and status.observed_generation >= deployment.generation
    )


def is_progressing(deployment: Deployment, status: Status) -> bool:
    """``DeploymentProgressing``: more new, ready or available pods, or fewer old ones, than before."""
    before = deployment.status
    return (
        status.updated_replicas > before.updated_replicas
        or status.replicas - status.updated_replicas < before.replicas - before.updated_replicas
        or status.ready_replicas > before.ready_replicas
        or status.available_replicas > before.available_replicas
    )


def is_timed_out(deployment: Deployment, status: Status, now_ns: int) -> bool:
    """``DeploymentTimedOut``: no progress for longer than the deadline."""
    condition = status.condition(PROGRESSING)
    if deployment.progress_deadline_s is None or condition is None or condition.reason == NEW_SET_AVAILABLE:
        return False
    if condition.reason == TIMED_OUT:
        return True
    return parse_rfc3339(condition.last_update_time) + deployment.progress_deadline_s * SECOND_NS < now_ns


def rollout_status(deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now_ns: int) -> Status:
    """``syncRolloutStatus``: the status to write; ``sets`` are all, the old ones first."""
    status = calculate_status(deployment, sets, new, now_ns)
    if deployment.progress_deadline_s is None:
        status = drop_condition(status, PROGRESSING)
    elif not _was_complete(deployment, status):
        status = _judge_progress(deployment, status, new, now_ns)
    failures = (new.failures if new else ()) or tuple(failure for item in sets for failure in item.failures)
    if failures:
        return set_condition(status, failures[0], now_ns)
    return drop_condition(status, REPLICA_FAILURE)


def _was_complete(deployment: Deployment, status: Status) -> bool:
    current = deployment.status.condition(PROGRESSING)
    return status.replicas == status.updated_replicas and current is not None and current.reason == NEW_SET_AVAILABLE


def _judge_progress(deployment: Deployment, status: Status, new: ReplicaSet | None, now_ns: int) -> Status:
    who = f'ReplicaSet "{new.name}"' if new else f'Deployment "{deployment.name}"'
    if is_complete(deployment, status):
        done = Condition(PROGRESSING, "True", NEW_SET_AVAILABLE, f"{who} has successfully progressed.")
        return set_condition(status, done, now_ns)
    if is_progressing(deployment, status):
        moving = Condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{who} is progressing.")
        current = deployment.status.condition(PROGRESSING)
        if current is not None and current.status == "True":
            moving = replace(moving, last_transition_time=current.last_transition_time)
        # Taken away first, so that each progress renews lastUpdateTime though the reason stays.
        return set_condition(drop_condition(status, PROGRESSING), moving, now_ns)
    if is_timed_out(deployment, status, now_ns):
        late = Condition(PROGRESSING, "False", TIMED_OUT, f"{who} has timed out progressing.")
        return set_condition(status, late, now_ns)
    return status


def recheck_after_ns(deployment: Deployment, status: Status, now_ns: int) -> int | None:
    """``requeueStuckDeployment``: when to look again whether the deadline has passed; None for never, 0 for at once.

    Upstream also looks again, at once and again and again, at a rollout that was complete before one of its pods
    failed. That look can change nothing, since the deadline no longer binds such a rollout; it is left out here.
    """
    current = deployment.status.condition(PROGRESSING)
    if deployment.progress_deadline_s is None or current is None:
        return None
    if is_complete(deployment, status) or current.reason in (TIMED_OUT, NEW_SET_AVAILABLE):
        return None
    left_ns = parse_rfc3339(current.last_update_time) + deployment.progress_deadline_s * SECOND_NS - now_ns
    return 0 if left_ns < SECOND_NS else left_ns + SECOND_NS


def paused_condition(deployment: Deployment, *, is_paused: bool) -> Condition | None:
    """``checkPausedConditions``: the Progressing condition that pausing or resuming calls for, or None."""
    current = deployment.status.condition(PROGRESSING)
    if deployment.progress_deadline_s is None or (current is not None and current.reason == TIMED_OUT):
        return None
    was_paused = current is not None and current.reason == PAUSED
    if is_paused and not was_paused:
        return Condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused")
    if was_paused and not is_paused:
        return Condition(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed")
    return None
