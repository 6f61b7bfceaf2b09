"""The autoscaler's loop: read the scale and the metrics, decide, write the scale, the status and the events.

Source: kubernetes/kubernetes pkg/controller/podautoscaler/{horizontal,rate_limiters}.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labs.api.client import Client
from labs.api.resources import ResourceType
from labs.api.selectors import LabelSelector, parse_label_selector
from labs.api.store import Object, WatchEvent
from labs.controlplane.hpa.conditions import ABLE_TO_SCALE, with_condition
from labs.controlplane.hpa.decision import (
    Event,
    Inputs,
    Memory,
    SelectorFailure,
    Step,
    decide,
    not_rescaled,
    rescaled,
)
from labs.controlplane.hpa.evaluation import MetricFailure, MetricResult, Workload, evaluate_metric
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.hpa.spec import HpaOptions, HpaSpec, read_spec
from labs.controlplane.runtime import Controller, Key, key_of
from labs.errors import ApiError
from labs.units import MILLISECOND_NS, rfc3339

HPAS = "horizontalpodautoscalers.autoscaling"
SYNC_DURATION_NS = 20 * MILLISECOND_NS
"""Length of one sync. It comes on top of the sync period, so two syncs are never exactly a period apart; every
window whose length is a multiple of the period would otherwise be decided by a tie. Recorded: 15.02 s."""

SCALE_TRIES = 5
"""How often a scale is written at most when each time somebody else was faster."""


class HpaController(Controller):
    """Scales the targets of all HorizontalPodAutoscalers.

    An autoscaler is first synced when it appears (as a v1.37 control plane does) and then once each sync period, at
    its own phase. ``memories`` holds what is remembered of each; it is lost on a restart. ``client.user`` must be
    ``horizontal-pod-autoscaler``, the source of its events.
    """

    def __init__(self, client: Client, readers: MetricReaders | None = None, options: HpaOptions | None = None) -> None:
        super().__init__(client)
        self._readers = readers or MetricReaders()
        self._options = options or HpaOptions()
        self.memories: dict[Key, Memory] = {}
        self._selectors: dict[Key, LabelSelector] = {}

    def start(self) -> None:
        """Watch autoscalers and take up those that exist."""
        self.client.subscribe(HPAS, self._on_change)
        for hpa in self.client.list(HPAS):
            self.enqueue(*key_of(hpa))

    def _on_change(self, event: WatchEvent) -> None:
        key = key_of(event.object)
        if event.type == "ADDED":
            self.enqueue(*key)
        elif event.type == "DELETED":
            self._selectors.pop(key, None)

    def reconcile(self, namespace: str, name: str) -> None:
        """One sync; an autoscaler that is gone is forgotten."""
        hpa = self.client.get(HPAS, namespace, name)
        if hpa is None:
            self.memories.pop((namespace, name), None)
            return
        self.enqueue(namespace, name, after_ns=self._options.sync_period_ns + SYNC_DURATION_NS)
        target = hpa["spec"]["scaleTargetRef"]
        try:
            resource = scalable_resource(self.client.api.types, target.get("apiVersion", ""), target["kind"])
            scale = self.client.scale(resource, namespace, target["name"])
        except ApiError as error:
            self._fail_without_scale(hpa, error.message)
            return
        self._sync(hpa, resource, scale)

    def _fail_without_scale(self, hpa: Object, error: str) -> None:
        self._record(hpa, [Event("Warning", "FailedGetScale", error)])
        status = hpa.get("status") or {}
        message = f"the HPA controller was unable to get the target's current scale: {error}"
        conditions = with_condition(
            status.get("conditions") or (), ABLE_TO_SCALE, False, "FailedGetScale", message, self.client.now_ns
        )
        self._write_status(hpa, {**status, "conditions": conditions})

    def _sync(self, hpa: Object, resource: str, scale: Object) -> None:
        key, spec = key_of(hpa), read_spec(hpa["spec"])
        status = hpa.get("status") or {}
        inputs = Inputs(
            spec,
            scale["spec"].get("replicas", 0),
            status.get("conditions") or (),
            self.memories.get(key, Memory()),
            self._options,
            self.client.now_ns,
        )
        step = decide(inputs, lambda: self._evaluate(key, spec, scale))
        if step.is_rescale:
            self._rescale(step, resource, scale)
        self.memories[key] = step.memory
        self._record(hpa, step.events)
        self._write_status(hpa, status_after(step, hpa))
        self._record(hpa, step.late_events)

    def _evaluate(
        self, key: Key, spec: HpaSpec, scale: Object
    ) -> SelectorFailure | Sequence[MetricResult | MetricFailure]:
        namespace, text = key[0], scale["status"].get("selector", "")
        selector = parse_scale_selector(text)
        if isinstance(selector, SelectorFailure):
            return selector
        self._selectors[key] = selector
        pods = self.client.list("pods", namespace, selector)
        rivals = selecting_hpas(self._selectors, namespace, pods)
        if len(rivals) > 1:
            return ambiguous(text, rivals)
        workload = Workload(
            namespace=namespace,
            spec_replicas=scale["spec"].get("replicas", 0),
            status_replicas=scale["status"].get("replicas", 0),
            selector=selector,
            pods=pods,
            tolerances=spec.tolerances(self._options),
            options=self._options,
            now_ns=self.client.now_ns,
        )
        return [evaluate_metric(metric, workload, self._readers) for metric in spec.metrics]

    def _rescale(self, step: Step, resource: str, scale: Object) -> None:
        """Write the scale; one that somebody else wrote meanwhile is read again (``UpdateScale``)."""
        target, why = scale["metadata"], ""
        for attempt in range(SCALE_TRIES):
            try:
                if attempt:
                    scale = self.client.scale(resource, target["namespace"], target["name"])
                self.client.set_scale(resource, {**scale, "spec": {"replicas": step.desired}})
            except ApiError as error:
                why = error.message
                if error.code != 409:
                    break
            else:
                rescaled(step)
                return
        not_rescaled(step, why)

    def _record(self, hpa: Object, events: Sequence[Event]) -> None:
        for event in events:
            self.client.events.record(hpa, event.type, event.reason, event.message)

    def _write_status(self, hpa: Object, status: dict[str, Any]) -> None:
        if status == (hpa.get("status") or {}):
            return
        try:
            self.client.update_status(HPAS, {**hpa, "status": status})
        except ApiError as error:
            self._record(hpa, [Event("Warning", "FailedUpdateStatus", error.message)])


def scalable_resource(types: Mapping[str, ResourceType], api_version: str, kind: str) -> str:
    """The resource of a scale target. Raises ApiError with the text of the REST mapper or the server."""
    if api_version.count("/") > 1:
        raise ApiError(400, "BadRequest", f"unexpected GroupVersion string: {api_version}")
    group = api_version.rpartition("/")[0]
    found = [entry for entry in types.values() if (entry.group, entry.kind) == (group, kind)]
    if not found:
        text = f'no matches for kind "{kind}" in group "{group}"'
        raise ApiError(404, "NotFound", text)
    if "scale" not in found[0].subresources:
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    return found[0].resource


def status_after(step: Step, hpa: Object) -> dict[str, Any]:
    """The autoscaler's new status, in the order of the API type; zero counts are left out as there."""
    old = hpa.get("status") or {}
    current, now_ns = step.inputs.current, step.inputs.now_ns
    status: dict[str, Any] = {}
    generation = hpa["metadata"].get("generation")
    if generation is not None:
        status["observedGeneration"] = generation
    last_scale_time = rfc3339(now_ns) if step.is_rescale else old.get("lastScaleTime")
    if last_scale_time is not None:
        status["lastScaleTime"] = last_scale_time
    if current:
        status["currentReplicas"] = current
    if step.is_stopped:
        status["desiredReplicas"] = old.get("desiredReplicas", 0)
    else:
        status["desiredReplicas"] = step.desired if step.is_rescale else current
    status["currentMetrics"] = step.metric_statuses
    status["conditions"] = step.conditions
    return status


def parse_scale_selector(text: str) -> LabelSelector | SelectorFailure:
    """The selector of a scale's status, or what is wrong with it."""
    if not text:
        missing = "the HPA target's scale is missing a selector"
        return SelectorFailure("SelectorRequired", "selector is required", "InvalidSelector", missing)
    try:
        return parse_label_selector(text)
    except ValueError as error:
        message = f"couldn't convert selector into a corresponding internal selector object: {error}"
        return SelectorFailure("InvalidSelector", message, "InvalidSelector", message)


def selecting_hpas(selectors: Mapping[Key, LabelSelector], namespace: str, pods: Sequence[Object]) -> list[str]:
    """``namespace/name`` of every autoscaler of the namespace that selects one of the pods, sorted."""
    return sorted(
        f"{namespace}/{name}"
        for (space, name), selector in selectors.items()
        if space == namespace and any(selector.matches(pod["metadata"].get("labels") or {}) for pod in pods)
    )


def ambiguous(selector: str, hpas: Sequence[str]) -> SelectorFailure:
    """The failure of pods that several autoscalers select."""
    message = f"pods by selector {selector} are controlled by multiple HPAs: [{' '.join(hpas)}]"
    return SelectorFailure("AmbiguousSelector", message, "AmbiguousSelector", message)
