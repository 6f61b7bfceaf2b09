"""How many pods more or fewer than wanted a rollout may have.

Source: kubernetes/kubernetes pkg/controller/deployment/util/deployment_util.go.
"""

from __future__ import annotations

from labs.controlplane.deployment.facts import Deployment
from labs.controlplane.intstr import IntOrPercent, scaled_value


def resolve_fenceposts(
    max_surge: IntOrPercent | None, max_unavailable: IntOrPercent | None, desired: int
) -> tuple[int, int]:
    """Surge, rounded up, and unavailable, rounded down; never both zero. Raises ValueError."""
    surge = scaled_value(0 if max_surge is None else max_surge, desired, rounds_up=True)
    unavailable = scaled_value(0 if max_unavailable is None else max_unavailable, desired, rounds_up=False)
    if surge == 0 and unavailable == 0:
        # A surge that works out as zero must not stop the rollout for good.
        unavailable = 1
    return surge, unavailable


def _resolved(deployment: Deployment) -> tuple[int, int]:
    try:
        return resolve_fenceposts(deployment.max_surge, deployment.max_unavailable, deployment.replicas)
    except ValueError:
        return 0, 0  # Validation refuses such a value; upstream drops the error here.


def max_surge(deployment: Deployment) -> int:
    """Pods that may exist above ``replicas``."""
    return _resolved(deployment)[0] if deployment.strategy == "RollingUpdate" else 0


def max_unavailable(deployment: Deployment) -> int:
    """Pods of ``replicas`` that may be unavailable."""
    if deployment.strategy != "RollingUpdate" or deployment.replicas == 0:
        return 0
    return min(_resolved(deployment)[1], deployment.replicas)


def min_available(deployment: Deployment) -> int:
    """Pods that must stay available during a rolling update."""
    if deployment.strategy != "RollingUpdate":
        return 0
    return deployment.replicas - max_unavailable(deployment)
