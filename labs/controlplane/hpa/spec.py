"""A HorizontalPodAutoscaler's spec, and the controller's flags, as plain values.

Source: kubernetes/kubernetes pkg/apis/autoscaling/v2/defaults.go and
cmd/kube-controller-manager/app/options/hpacontroller.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.quantity import milli, parse_quantity
from labs.controlplane.hpa.limits import (
    SCALE_UP_LIMIT_FACTOR,
    SCALE_UP_LIMIT_MINIMUM,
    Behavior,
    Policy,
    ScalingRules,
)
from labs.controlplane.hpa.pods import CPU_INITIALIZATION_PERIOD_NS, INITIAL_READINESS_DELAY_NS
from labs.controlplane.hpa.replicas import DEFAULT_TOLERANCE, Tolerances
from labs.units import SECOND_NS

DEFAULT_CPU_UTILIZATION_PERCENT = 80
DEFAULT_SCALE_UP = ScalingRules((Policy("Pods", 4, 15), Policy("Percent", 100, 15)), stabilization_window_s=0)
DEFAULT_SCALE_DOWN = ScalingRules((Policy("Percent", 100, 15),))


@dataclass(frozen=True, slots=True)
class HpaOptions:
    """The controller's flags (``--horizontal-pod-autoscaler-*``), feature gates and constants."""

    sync_period_ns: int = 15 * SECOND_NS
    tolerance: float = DEFAULT_TOLERANCE
    downscale_stabilization_ns: int = 300 * SECOND_NS
    cpu_initialization_period_ns: int = CPU_INITIALIZATION_PERIOD_NS
    initial_readiness_delay_ns: int = INITIAL_READINESS_DELAY_NS
    is_configurable_tolerance_enabled: bool = True
    is_scale_to_zero_enabled: bool = True
    is_pod_level_resources_enabled: bool = True
    scale_up_limit_factor: float = SCALE_UP_LIMIT_FACTOR
    scale_up_limit_minimum: float = SCALE_UP_LIMIT_MINIMUM


@dataclass(frozen=True, slots=True)
class Target:
    """A ``MetricTarget``: its type and the one amount that is set."""

    type: str
    utilization_percent: int | None = None
    average_value_milli: int | None = None
    value_milli: int | None = None


@dataclass(frozen=True, slots=True)
class HpaSpec:
    """``spec`` without its target reference; ``metrics`` stay in wire form."""

    minimum: int
    maximum: int
    metrics: tuple[Mapping[str, Any], ...]
    behavior: Behavior | None = None

    @property
    def can_read_metrics_without_pods(self) -> bool:
        """Whether some metric exists without any pod, as scaling from zero demands."""
        return any(metric["type"] in ("Object", "External") for metric in self.metrics)

    def tolerances(self, options: HpaOptions) -> Tolerances:
        """The flag's tolerance, or what behavior sets for a direction."""
        if self.behavior is None or not options.is_configurable_tolerance_enabled:
            return Tolerances(options.tolerance, options.tolerance)
        down, up = self.behavior.scale_down.tolerance, self.behavior.scale_up.tolerance
        return Tolerances(
            options.tolerance if down is None else down,
            options.tolerance if up is None else up,
        )


def read_spec(spec: Mapping[str, Any]) -> HpaSpec:
    """``spec`` in wire form; what it leaves out has the API's default."""
    behavior = spec.get("behavior")
    return HpaSpec(
        minimum=1 if spec.get("minReplicas") is None else spec["minReplicas"],
        maximum=spec["maxReplicas"],
        metrics=tuple(spec.get("metrics") or (_default_metric(),)),
        behavior=None if behavior is None else read_behavior(behavior),
    )


def _default_metric() -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": DEFAULT_CPU_UTILIZATION_PERCENT}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def read_behavior(behavior: Mapping[str, Any]) -> Behavior:
    """``spec.behavior`` in wire form; each unset field has its default, a list of policies replaces the default one."""
    return Behavior(
        _read_rules(behavior.get("scaleUp") or {}, DEFAULT_SCALE_UP),
        _read_rules(behavior.get("scaleDown") or {}, DEFAULT_SCALE_DOWN),
    )


def _read_rules(rules: Mapping[str, Any], default: ScalingRules) -> ScalingRules:
    policies = rules.get("policies")
    window_s = rules.get("stabilizationWindowSeconds")
    tolerance = rules.get("tolerance")
    return ScalingRules(
        policies=default.policies if policies is None else tuple(_read_policy(policy) for policy in policies),
        select_policy=rules.get("selectPolicy") or default.select_policy,
        stabilization_window_s=default.stabilization_window_s if window_s is None else window_s,
        tolerance=None if tolerance is None else _as_float(tolerance),
    )


def _read_policy(policy: Mapping[str, Any]) -> Policy:
    return Policy(policy["type"], policy["value"], policy["periodSeconds"])


def _as_float(text: str | int | float) -> float:
    quantity = parse_quantity(text)
    return quantity.unscaled * float(f"1e{quantity.exponent}")  # as AsApproximateFloat64 rounds


def read_target(target: Mapping[str, Any]) -> Target:
    """A ``MetricTarget`` in wire form."""

    def amount_milli(field: str) -> int | None:
        return None if target.get(field) is None else milli(target[field])

    return Target(
        target.get("type", ""),
        target.get("averageUtilization"),
        amount_milli("averageValue"),
        amount_milli("value"),
    )
