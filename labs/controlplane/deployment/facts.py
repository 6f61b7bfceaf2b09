"""A Deployment, its status and its ReplicaSets as the rules see them.

Source: kubernetes/api apps/v1/types.go. Numbers that are zero are left out on the wire, as Go's omitempty does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from labs.api.store import Object
from labs.controlplane.intstr import IntOrPercent

DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"

NO_DEADLINE_S = 2**31 - 1
"""progressDeadlineSeconds of someone who wants none."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A ``DeploymentCondition``; the times are RFC 3339 texts."""

    type: str
    status: str
    reason: str
    message: str
    last_update_time: str = ""
    last_transition_time: str = ""

    def to_wire(self) -> dict[str, str]:
        """The condition as it is stored."""
        return {
            "type": self.type,
            "status": self.status,
            "lastUpdateTime": self.last_update_time,
            "lastTransitionTime": self.last_transition_time,
            "reason": self.reason,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """A ``DeploymentStatus``."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    terminating_replicas: int | None = None
    collision_count: int | None = None
    conditions: tuple[Condition, ...] = ()

    def condition(self, type: str) -> Condition | None:
        """The condition of a type, or None."""
        return next((item for item in self.conditions if item.type == type), None)

    def to_wire(self) -> dict[str, Any]:
        """The status as it is stored."""
        wire: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value or (value == 0 and item.default is None):
                wire[_camel_case(item.name)] = value
        if self.conditions:
            wire["conditions"] = [item.to_wire() for item in self.conditions]
        return wire


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the rules need of a Deployment. ``progress_deadline_s`` is None when none is wanted."""

    name: str
    replicas: int
    strategy: str = "RollingUpdate"
    max_surge: IntOrPercent | None = None
    max_unavailable: IntOrPercent | None = None
    progress_deadline_s: int | None = None
    generation: int = 0
    status: Status = field(default_factory=Status)


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """What the rules need of a ReplicaSet; ``replicas`` is what is asked for, ``actual_replicas`` what there is."""

    name: str
    replicas: int
    actual_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    terminating_replicas: int | None = None
    observed_generation: int = 0
    created: str = ""
    desired_annotation: str | None = None
    max_annotation: str | None = None
    failures: tuple[Condition, ...] = ()

    @property
    def age_order(self) -> tuple[str, str]:
        """Sorts the oldest first (ReplicaSetsByCreationTimestamp)."""
        return self.created, self.name


@dataclass(frozen=True, slots=True)
class Scaling:
    """One ReplicaSet's new size; the same size only refreshes its annotations."""

    name: str
    replicas: int


def deployment_from_wire(obj: Object) -> Deployment:
    """The facts of a stored Deployment."""
    spec = obj["spec"]
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    deadline_s = spec.get("progressDeadlineSeconds")
    return Deployment(
        name=obj["metadata"]["name"],
        replicas=spec.get("replicas", 1),
        strategy=strategy.get("type", "RollingUpdate"),
        max_surge=rolling.get("maxSurge"),
        max_unavailable=rolling.get("maxUnavailable"),
        progress_deadline_s=None if deadline_s == NO_DEADLINE_S else deadline_s,
        generation=obj["metadata"].get("generation", 0),
        status=status_from_wire(obj.get("status") or {}),
    )


def status_from_wire(status: dict[str, Any]) -> Status:
    """The facts of a stored DeploymentStatus."""
    return Status(
        observed_generation=status.get("observedGeneration", 0),
        replicas=status.get("replicas", 0),
        updated_replicas=status.get("updatedReplicas", 0),
        ready_replicas=status.get("readyReplicas", 0),
        available_replicas=status.get("availableReplicas", 0),
        unavailable_replicas=status.get("unavailableReplicas", 0),
        terminating_replicas=status.get("terminatingReplicas"),
        collision_count=status.get("collisionCount"),
        conditions=tuple(_condition_from_wire(item) for item in status.get("conditions") or ()),
    )


def _condition_from_wire(condition: dict[str, str]) -> Condition:
    changed = condition.get("lastTransitionTime", "")
    return Condition(
        type=condition["type"],
        status=condition["status"],
        reason=condition.get("reason", ""),
        message=condition.get("message", ""),
        # A ReplicaSet's condition has no lastUpdateTime of its own.
        last_update_time=condition.get("lastUpdateTime", changed),
        last_transition_time=changed,
    )


def replica_set_from_wire(obj: Object) -> ReplicaSet:
    """The facts of a stored ReplicaSet."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    annotations = metadata.get("annotations") or {}
    return ReplicaSet(
        name=metadata["name"],
        replicas=obj["spec"].get("replicas", 1),
        actual_replicas=status.get("replicas", 0),
        ready_replicas=status.get("readyReplicas", 0),
        available_replicas=status.get("availableReplicas", 0),
        terminating_replicas=status.get("terminatingReplicas"),
        observed_generation=status.get("observedGeneration", 0),
        created=metadata.get("creationTimestamp", ""),
        desired_annotation=annotations.get(DESIRED_REPLICAS),
        max_annotation=annotations.get(MAX_REPLICAS),
        failures=tuple(
            _condition_from_wire(item) for item in status.get("conditions") or () if item["type"] == "ReplicaFailure"
        ),
    )
