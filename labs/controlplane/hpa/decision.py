"""One step of the autoscaler, from the current scale to the wanted one, without any reading or writing.

Source: kubernetes/kubernetes pkg/controller/podautoscaler/horizontal.go (reconcileAutoscaler,
computeReplicasForMetrics, normalizeDesiredReplicas...).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labs.controlplane.hpa import limits, stabilization
from labs.controlplane.hpa.conditions import (
    ABLE_TO_SCALE,
    SCALED_TO_ZERO,
    SCALING_ACTIVE,
    SCALING_LIMITED,
    Condition,
    is_condition_true,
    with_condition,
)
from labs.controlplane.hpa.evaluation import MetricFailure, MetricResult
from labs.controlplane.hpa.limits import Limited, ScaleEvent
from labs.controlplane.hpa.spec import HpaOptions, HpaSpec
from labs.controlplane.hpa.stabilization import Recommendation, Stabilized
from labs.units import SECOND_NS


@dataclass(frozen=True, slots=True)
class Memory:
    """What the controller remembers of one autoscaler; ``recommendations`` is None before the first step."""

    recommendations: tuple[Recommendation, ...] | None = None
    up_events: tuple[ScaleEvent, ...] = ()
    down_events: tuple[ScaleEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectorFailure:
    """A scale whose selector is of no use: the Warning event and the ScalingActive condition."""

    event_reason: str
    event_text: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event to record about the autoscaler."""

    type: str
    reason: str
    message: str


Evaluate = Callable[[], SelectorFailure | Sequence[MetricResult | MetricFailure]]
"""Reads every metric of the spec; called only when a step needs metrics."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a step decides on."""

    spec: HpaSpec
    current: int
    conditions: Sequence[Condition]
    memory: Memory
    options: HpaOptions
    now_ns: int


@dataclass(slots=True)
class Step:
    """The course of one step: the wanted replica count and everything to be said about it.

    ``error`` is what the reconcile returns; ``is_stopped`` says that nothing was scaled because of it, and that status
    keeps its desiredReplicas. ``late_events`` come after the status is written.
    """

    inputs: Inputs
    conditions: list[Condition]
    memory: Memory
    desired: int = 0
    is_rescale: bool = False
    reason: str = ""
    metric_statuses: list[dict[str, Any]] | None = None
    error: str = ""
    is_stopped: bool = False
    events: list[Event] = field(default_factory=list)
    late_events: list[Event] = field(default_factory=list)

    def set(self, type: str, is_true: bool, reason: str, message: str) -> None:
        """Set one condition."""
        self.conditions = with_condition(self.conditions, type, is_true, reason, message, self.inputs.now_ns)


def _begin(inputs: Inputs) -> Step:
    """A step of an autoscaler whose scale could be read."""
    kept = [
        condition
        for condition in inputs.conditions
        if inputs.options.is_scale_to_zero_enabled or condition["type"] != SCALED_TO_ZERO
    ]
    step = Step(inputs, kept, inputs.memory)
    step.set(ABLE_TO_SCALE, True, "SucceededGetScale", "the HPA controller was able to get the target's current scale")
    if step.memory.recommendations is None:
        first = Recommendation(inputs.current, inputs.now_ns)
        step.memory = replace(step.memory, recommendations=(first,))
    return step


def decide(inputs: Inputs, evaluate: Evaluate) -> Step:
    """The wanted replica count, up to the write of the scale."""
    step, spec, current = _begin(inputs), inputs.spec, inputs.current
    if current == 0 and _may_scale_from_zero(inputs):
        _decide_by_metrics(step, evaluate)
    elif current == 0:
        step.set(
            SCALING_ACTIVE,
            False,
            "ScalingDisabled",
            "scaling is disabled since the replica count of the target is zero",
        )
    elif current > spec.maximum:
        step.desired, step.is_rescale = spec.maximum, True
        step.reason = "Current number of replicas above Spec.MaxReplicas"
    elif current < spec.minimum:
        step.desired, step.is_rescale = spec.minimum, True
        step.reason = "Current number of replicas below Spec.MinReplicas"
    else:
        _decide_by_metrics(step, evaluate)
    return step


def _may_scale_from_zero(inputs: Inputs) -> bool:
    """Whether it was the autoscaler, not a person, that scaled to zero, and it can still see a metric."""
    return (
        inputs.options.is_scale_to_zero_enabled
        and is_condition_true(inputs.conditions, SCALED_TO_ZERO)
        and (inputs.spec.minimum != 0 or inputs.spec.can_read_metrics_without_pods)
    )


def _decide_by_metrics(step: Step, evaluate: Evaluate) -> None:
    outcome = evaluate()
    if isinstance(outcome, SelectorFailure):
        step.events.append(Event("Warning", outcome.event_reason, outcome.event_text))
        step.set(SCALING_ACTIVE, False, outcome.reason, outcome.message)
        _stop(step, outcome.event_text)
        return
    step.metric_statuses = [result.status if isinstance(result, MetricResult) else {"type": ""} for result in outcome]
    proposal = _combine(step, outcome)
    if proposal is None:
        return
    if proposal.replicas > step.inputs.current:
        step.reason = f"{proposal.name} above target"
    elif proposal.replicas < step.inputs.current:
        step.reason = "All metrics below target"
    step.desired = _normalize(step, proposal.replicas)
    step.is_rescale = step.desired != step.inputs.current


def _combine(step: Step, results: Sequence[MetricResult | MetricFailure]) -> MetricResult | None:
    """The largest proposal, the first of equals; None when scaling by it is not safe."""
    failures = [result for result in results if isinstance(result, MetricFailure)]
    step.events += [Event("Warning", failure.reason, failure.text) for failure in failures]
    best: MetricResult | None = None
    for result in results:
        # At 0 a later equal takes over: upstream reads 0 as "no proposal yet".
        if isinstance(result, MetricResult) and (best is None or not best.replicas or result.replicas > best.replicas):
            best = result
    if failures:
        count = f"{len(failures)} invalid out of {len(results)}"
        step.error = f"invalid metrics ({count}), first error is: {failures[0].error}"
    if best is None or (failures and best.replicas < step.inputs.current):
        message = f"the HPA was unable to compute the replica count: {failures[0].text}"
        step.set(SCALING_ACTIVE, False, failures[0].reason, message)
        _stop(step, step.error)
        return None
    found = f"the HPA was able to successfully calculate a replica count from {best.name}"
    step.set(SCALING_ACTIVE, True, "ValidMetricFound", found)
    return best


def _stop(step: Step, error: str) -> None:
    step.error, step.is_stopped = error, True
    step.late_events.append(Event("Warning", "FailedComputeMetricsReplicas", error))


def _normalize(step: Step, proposed: int) -> int:
    """The proposal, stabilised and limited; sets AbleToScale and ScalingLimited."""
    stabilized = _stabilize(step.inputs, step.memory.recommendations or (), proposed)
    step.memory = replace(step.memory, recommendations=stabilized.log)
    step.set(ABLE_TO_SCALE, True, stabilized.reason, stabilization.MESSAGES[stabilized.reason])
    limited = _limit(step.inputs, step.memory, stabilized.replicas)
    is_limited = limited.replicas != stabilized.replicas
    step.set(SCALING_LIMITED, is_limited, limited.reason, limits.MESSAGES[limited.reason])
    return limited.replicas


def _stabilize(inputs: Inputs, log: Sequence[Recommendation], proposed: int) -> Stabilized:
    behavior, window_ns = inputs.spec.behavior, inputs.options.downscale_stabilization_ns
    if behavior is None:
        return stabilization.stabilize_without_behavior(log, proposed, window_ns, inputs.now_ns)
    down_window_s = behavior.scale_down.stabilization_window_s
    return stabilization.stabilize_with_behavior(
        log,
        inputs.current,
        proposed,
        behavior.scale_up.stabilization_window_s or 0,
        window_ns // SECOND_NS if down_window_s is None else down_window_s,
        inputs.now_ns,
    )


def _limit(inputs: Inputs, memory: Memory, desired: int) -> Limited:
    spec, options = inputs.spec, inputs.options
    if spec.behavior is None:
        return limits.limit_without_behavior(
            inputs.current,
            desired,
            spec.minimum,
            spec.maximum,
            options.scale_up_limit_factor,
            options.scale_up_limit_minimum,
        )
    return limits.limit_with_behavior(
        inputs.current,
        desired,
        spec.minimum,
        spec.maximum,
        spec.behavior,
        memory.up_events,
        memory.down_events,
        inputs.now_ns,
    )


def rescaled(step: Step) -> None:
    """Note that the scale was written."""
    spec, current, desired = step.inputs.spec, step.inputs.current, step.desired
    updated = f"the HPA controller was able to update the target scale to {desired}"
    step.set(ABLE_TO_SCALE, True, "SucceededRescale", updated)
    step.events.append(Event("Normal", "SuccessfulRescale", f"New size: {desired}; reason: {step.reason}"))
    step.memory = _with_scale_event(step)
    if not step.inputs.options.is_scale_to_zero_enabled:
        return
    if current > 0 and desired == 0 and spec.minimum == 0 and spec.can_read_metrics_without_pods:
        step.set(SCALED_TO_ZERO, True, "ScaledToZero", "the HPA controller scaled the workload to zero")
    else:
        step.set(SCALED_TO_ZERO, False, "NotScaledToZero", "the HPA controller did not scale the workload to zero")


def _with_scale_event(step: Step) -> Memory:
    memory, behavior, now_ns = step.memory, step.inputs.spec.behavior, step.inputs.now_ns
    change = step.desired - step.inputs.current
    if change > 0:
        rules = behavior.scale_up if behavior else None
        return replace(memory, up_events=limits.store_scale_event(memory.up_events, change, rules, now_ns))
    rules = behavior.scale_down if behavior else None
    return replace(memory, down_events=limits.store_scale_event(memory.down_events, -change, rules, now_ns))


def not_rescaled(step: Step, error: str) -> None:
    """Note that the scale could not be written."""
    text = f"New size: {step.desired}; reason: {step.reason}; error: {error}"
    step.events.append(Event("Warning", "FailedRescale", text))
    unable = f"the HPA controller was unable to update the target scale: {error}"
    step.set(ABLE_TO_SCALE, False, "FailedUpdateScale", unable)
    step.is_rescale = False
    step.error, step.is_stopped = error, True
