"""`hpa.json`: kubernetes pkg/controller/podautoscaler, its pure functions and its whole controller."""

from typing import Any

import pytest

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.api.metrics import MetricValue, PodSample
from labs.api.quantity import format_milli, parse_quantity
from labs.api.store import Store
from labs.controlplane.hpa.controller import HPAS, HpaController
from labs.controlplane.hpa.decision import Memory
from labs.controlplane.hpa.errors import MetricError
from labs.controlplane.hpa.evaluation import resource_quantity
from labs.controlplane.hpa.limits import (
    MESSAGES,
    ScaleEvent,
    change_in_period,
    limit_with_behavior,
    limit_without_behavior,
    scale_down_limit,
    scale_up_limit,
    store_scale_event,
)
from labs.controlplane.hpa.pods import Pod, Readiness, ReadyCondition, Sample, group_pods, requests_milli
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.hpa.replicas import (
    PodMetrics,
    Proposal,
    Tolerances,
    average_value_replicas,
    per_pod_value_replicas,
    total_milli,
    utilization_replicas,
    value_replicas,
)
from labs.controlplane.hpa.spec import DEFAULT_SCALE_DOWN, DEFAULT_SCALE_UP, HpaOptions, read_behavior
from labs.controlplane.hpa.stabilization import Recommendation, stabilize_with_behavior, stabilize_without_behavior
from labs.errors import ApiError, forbidden
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import SECOND_NS, rfc3339

VECTORS = "hpa"
Wire = dict[str, Any]

NOW_NS = 1_800_000_000 * SECOND_NS
UNSET_AGE_S = 1_000_000_000
TEST_OPTIONS = {
    "cpu_initialization_period_ns": 120 * SECOND_NS,
    "initial_readiness_delay_ns": 10 * SECOND_NS,
    "scale_up_limit_factor": 8.0,
}


def ago(age_s: float) -> int:
    return NOW_NS - round(age_s * SECOND_NS)


def pod(given: Wire) -> Pod:
    start_age_s, status = given.get("start_age_s", UNSET_AGE_S), given.get("ready", "True")
    transition_age_s = given.get("ready_transition_age_s", UNSET_AGE_S)
    return Pod(
        name=given["name"],
        phase=given.get("phase", "Running"),
        is_deleting=given.get("deleting", False),
        start_ns=None if start_age_s is None else ago(start_age_s),
        ready=None if status is None else ReadyCondition(status, ago(transition_age_s)),
        requests_milli=given.get("requests_milli", {}),
    )


def scale_events(given: list[Wire]) -> tuple[ScaleEvent, ...]:
    return tuple(ScaleEvent(event["change"], ago(event["age_s"])) for event in given)


def recommendations(given: list[Wire]) -> tuple[Recommendation, ...]:
    return tuple(Recommendation(entry["replicas"], ago(entry["age_s"])) for entry in given)


@pytest.mark.section("replica_calculator")
def test_replicas_are_calculated_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]
    if "error_contains" in expect:
        with pytest.raises(MetricError) as raised:
            proposal_of(given)
        assert expect["error_contains"] in str(raised.value)
        return

    proposal = proposal_of(given)

    assert proposal.replicas == expect["replicas"]
    assert proposal.utilization_percent == expect.get("utilization_percent")
    assert proposal.usage_milli == expect.get("usage_milli", expect.get("average_value_milli"))


def proposal_of(given: Wire) -> Proposal:
    metric, current = given["metric"], given["current_replicas"]
    tolerances = Tolerances(given["tolerance"]["down"], given["tolerance"]["up"])
    pods = [pod(item) for item in given["pods"]]
    if metric["type"] in ("Object", "External"):
        total = total_milli(given["values_milli"])
        if metric["target"] == "Value":
            return value_replicas(current, metric["value_milli"], total, pods, tolerances)
        return per_pod_value_replicas(current, metric["value_milli"], total, tolerances)
    container = metric.get("container", "")
    samples = {sample["pod"]: sample_of(sample, container) for sample in given.get("samples", [])}
    readiness = Readiness(NOW_NS, 120 * SECOND_NS, 10 * SECOND_NS)
    metrics = PodMetrics(pods, samples, readiness, metric.get("resource", ""))
    if metric["target"] == "Utilization":
        return utilization_replicas(current, metric["value"], metrics, tolerances, container)
    return average_value_replicas(current, metric["value_milli"], metrics, tolerances)


def sample_of(given: Wire, container: str) -> Sample:
    usage = given.get("usage_milli", {"": given.get("value_milli")})
    value = usage[container] if container else sum(usage.values())
    return Sample(value, ago(given.get("age_s", UNSET_AGE_S)), given.get("window_s", 60) * SECOND_NS)


@pytest.mark.section("group_pods")
def test_pods_are_grouped_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]
    samples = {
        name: Sample(1, ago(sample["age_s"]), sample["window_s"] * SECOND_NS)
        for name, sample in given["samples"].items()
    }
    readiness = Readiness(
        NOW_NS, given["cpu_initialization_period_s"] * SECOND_NS, given["initial_readiness_delay_s"] * SECOND_NS
    )

    groups = group_pods([pod(item) for item in given["pods"]], samples, given["resource"], readiness)

    assert groups.ready_count == expect["ready_count"]
    assert sorted(groups.unready) == sorted(expect["unready"])
    assert sorted(groups.missing) == sorted(expect["missing"])
    assert sorted(groups.ignored) == sorted(expect["ignored"])


@pytest.mark.section("requests")
def test_requests_are_summed_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]
    asked = Pod(
        "test-pod",
        requests_milli=given["containers"],
        has_pod_requests="pod_level" in given,
        pod_request_milli=given.get("pod_level"),
    )
    is_pod_level_enabled = given.get("PodLevelResources", False)
    if "error" in expect:
        with pytest.raises(MetricError) as raised:
            requests_milli([asked], "cpu", given["container"], is_pod_level_enabled)
        assert str(raised.value) == expect["error"]
        return

    requests = requests_milli([asked], "cpu", given["container"], is_pod_level_enabled)

    assert requests == {"test-pod": expect["request_milli"]}


@pytest.mark.section("quantities")
def test_status_quantities_are_built_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]

    text = resource_quantity(given["resource"], given["raw_milli"])

    quantity = parse_quantity(text)
    assert text == expect.get("string", text)
    assert quantity.milli_value() == expect.get("value_milli", given["raw_milli"])
    assert quantity.value() == expect.get("value", quantity.value())
    assert expect["format"] == ("BinarySI" if given["resource"] == "memory" else "DecimalSI")


@pytest.mark.section("convert_without_behavior")
def test_replicas_are_limited_without_behavior_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]

    limited = limit_without_behavior(
        given["current"],
        given["desired"],
        given["min"],
        given["max"],
        given["scale_up_limit_factor"],
        given["scale_up_limit_minimum"],
    )

    assert (limited.replicas, limited.reason) == (expect["replicas"], expect["reason"])


@pytest.mark.section("scale_limits")
def test_policies_limit_the_rate_as_upstream_does(case: Wire) -> None:
    given = case["in"]
    behavior = read_behavior({"scaleUp": given["rules"], "scaleDown": given["rules"]})
    up, down = scale_events(given["scale_up_events"]), scale_events(given["scale_down_events"])

    if given["direction"] == "up":
        limit = scale_up_limit(given["current"], behavior.scale_up, up, down, NOW_NS)
    else:
        limit = scale_down_limit(given["current"], behavior.scale_down, up, down, NOW_NS)

    assert limit == case["expect"]["limit"]


@pytest.mark.section("stabilize_without_behavior")
def test_recommendations_hold_without_behavior_as_upstream_has_it(case: Wire) -> None:
    given, expect = case["in"], case["expect"]
    log = recommendations(given["recommendations"])

    stabilized = stabilize_without_behavior(log, given["desired"], given["window_s"] * SECOND_NS, NOW_NS)

    assert (stabilized.replicas, len(stabilized.log)) == (expect["stabilized"], expect["log_length"])


@pytest.mark.section("stabilize_with_behavior")
def test_recommendations_hold_with_behavior_as_upstream_has_it(case: Wire) -> None:
    given, expect = case["in"], case["expect"]
    log = recommendations(given["recommendations"])

    stabilized = stabilize_with_behavior(
        log, given["current"], given["desired"], given["up_window_s"], given["down_window_s"], NOW_NS
    )

    replicas = [entry.replicas for entry in stabilized.log]
    assert (stabilized.replicas, replicas) == (expect["stabilized"], expect.get("log", replicas))


@pytest.mark.section("rate_with_behavior")
def test_replicas_are_limited_with_behavior_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]

    limited = limit_with_behavior(
        given["current"],
        given["desired"],
        given["min"],
        given["max"],
        read_behavior(given),
        scale_events(given["scale_up_events"]),
        scale_events(given["scale_down_events"]),
        NOW_NS,
    )

    assert (limited.replicas, limited.reason) == (expect["replicas"], expect["reason"])
    assert limited.reason in MESSAGES


@pytest.mark.section("store_scale_events")
def test_scale_events_are_stored_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]
    before = scale_events(given["prev_events"])
    rules = given["rules"] and read_behavior({"scaleUp": given["rules"]}).scale_up

    after = store_scale_event(before, given["replica_change"], rules, NOW_NS)

    assert change_in_period(before, given["query_period_s"], NOW_NS) == expect["change_in_period_before_store"]
    stored = [{"change": event.change, "outdated": event.is_outdated} for event in after]
    assert stored == expect["events_after_store"]


def test_default_behavior_is_upstream_s() -> None:
    assert read_behavior({}).scale_up == DEFAULT_SCALE_UP
    assert read_behavior({}).scale_down == DEFAULT_SCALE_DOWN


class ScaleClient(Client):
    """A client whose one scale is what the case says, text of the selector included."""

    def __init__(self, api: ApiServer, given: Wire) -> None:
        super().__init__(api, "horizontal-pod-autoscaler")
        self.given = given
        self.written: int | None = None
        fault = str(given.get("scale_update") or "")
        self.conflicts = int(fault.startswith("conflict"))
        self.is_refusing = bool(fault) and not self.conflicts

    def scale(self, resource: str, namespace: str, name: str) -> Wire:
        if self.given.get("scale_get") == "error":
            raise ApiError(500, "InternalError", "fake error")
        replicas = self.given.get("spec_replicas", 3)
        status = {
            "replicas": self.given.get("status_replicas", replicas),
            "selector": self.given.get("scale_status_selector", "name=test-pod"),
        }
        return {"metadata": {"namespace": namespace, "name": name}, "spec": {"replicas": replicas}, "status": status}

    def set_scale(self, resource: str, scale: Wire) -> Wire:
        if self.conflicts:
            self.conflicts -= 1
            raise ApiError(409, "Conflict", "the object has been modified")
        if self.is_refusing:
            raise forbidden("deployments.apps/scale", "web", "fake error")
        self.written = scale["spec"]["replicas"]
        return scale


class Reported:
    """All metrics APIs of a case: `reported_levels` at the time now, or errors only."""

    def __init__(self, given: Wire) -> None:
        self.levels = given.get("reported_levels", [])
        self.is_failing = given.get("metrics_api") == "error"

    def _answer(self) -> list[int]:
        if self.is_failing:
            raise ApiError(500, "InternalError", "something went wrong")
        return list(self.levels)

    def pod_samples(self, resource: str, namespace: str, selector: object) -> list[PodSample]:
        return [
            PodSample(f"p{i}", {"container1": level // 2, "container2": level // 2}, NOW_NS, 60 * SECOND_NS)
            for i, level in enumerate(self._answer())
        ]

    def pod_values(self, metric: str, namespace: str, selector: object, metric_selector: object) -> list[MetricValue]:
        return [MetricValue(f"p{i}", level, NOW_NS) for i, level in enumerate(self._answer())]

    def object_value(self, metric: str, namespace: str, kind: str, name: str, metric_selector: object) -> MetricValue:
        return MetricValue(name, self._answer()[0], NOW_NS)

    def values(self, metric: str, namespace: str, metric_selector: object) -> list[int]:
        return self._answer()


def wire_metric(given: Wire) -> Wire:
    """An entry of `spec.metrics`."""
    type_ = given["type"]
    amounts = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}
    target: Wire = {"type": given.get("target")}
    if target["type"] == "Utilization":
        target[amounts["Utilization"]] = given["value"]
    elif "value_milli" in given:
        target[amounts[given["target"]]] = format_milli(given["value_milli"])
    resource = {"name": given.get("resource", "cpu"), "target": target}
    named = {"metric": {"name": given.get("name", "qps")}, "target": target}
    return {"type": type_} | {
        "Resource": {"resource": resource},
        "ContainerResource": {"containerResource": {**resource, "container": given.get("container")}},
        "Pods": {"pods": named},
        "Object": {"object": {**named, "describedObject": {"kind": "Service", "name": "some-service"}}},
        "External": {"external": named},
    }.get(type_, {})


def wire_pod(given: Wire, labels: dict[str, str]) -> Wire:
    fields = pod(given)
    status: Wire = {"phase": fields.phase}
    if fields.start_ns is not None:
        status["startTime"] = rfc3339(fields.start_ns)
    if fields.ready is not None:
        moment = rfc3339(fields.ready.transition_ns)
        status["conditions"] = [{"type": "Ready", "status": fields.ready.status, "lastTransitionTime": moment}]
    containers = [
        {"name": name, "resources": {"requests": {"cpu": format_milli(milli)}}}
        for name, milli in fields.requests_milli.items()
    ]
    metadata: Wire = {"namespace": "test", "name": fields.name, "labels": labels}
    if fields.is_deleting:
        metadata["deletionTimestamp"] = rfc3339(NOW_NS)
    return {"kind": "Pod", "metadata": metadata, "spec": {"containers": containers}, "status": status}


class Autoscaled:
    """A cluster with the autoscaler of a case, ready to be synced once."""

    def __init__(self, given: Wire) -> None:
        loop = Loop(NOW_NS)
        self.api = ApiServer(loop, Streams(1), Store(loop, Trace()))
        self.client = ScaleClient(self.api, given)
        self.reported = Reported(given)
        gates = {"is_configurable_tolerance_enabled": given.get("HPAConfigurableTolerance", True)}
        # The controller section is upstream's default run, in which the gate is off.
        gates["is_scale_to_zero_enabled"] = given.get("HPAScaleToZero", False)
        readers = MetricReaders(self.reported, self.reported, self.reported)
        self.controller = HpaController(self.client, readers, HpaOptions(**TEST_OPTIONS, **gates))
        self._add_pods(given)
        self._add_hpa(given)

    def _add_pods(self, given: Wire) -> None:
        labels = given.get("pod_labels", {"name": "test-pod"})
        plain = [
            {"name": f"p{i}", "requests_milli": {"container1": milli // 2, "container2": milli // 2}}
            for i, milli in enumerate(given.get("requests_milli", [1000, 1000, 1000]))
        ]
        for item in given.get("pods", plain):
            self.api.store.put("pods", wire_pod(item, labels))

    def _add_hpa(self, given: Wire) -> None:
        default = [{"type": given.get("metric", "Resource"), "resource": "cpu"}]
        if default[0]["type"] == "Resource":
            default[0] |= {"target": "Utilization", "value": given.get("cpu_target", 100)}
        else:
            default[0] |= {"target": "Value", "value_milli": 15_000}
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": given.get("min", 1),
            "maxReplicas": given.get("max", 100),
            "metrics": [wire_metric(metric) for metric in given.get("metrics", default)],
        }
        if given.get("behavior") is not None:
            spec["behavior"] = given["behavior"]
        self.api.create(HPAS, {"metadata": {"namespace": "test", "name": "hpa"}, "spec": spec})
        if given.get("recommendations") is not None:
            self.controller.memories["test", "hpa"] = Memory(recommendations(given["recommendations"]))
        if "scaled_to_zero_condition" in given:
            self._set_scaled_to_zero(given["scaled_to_zero_condition"])
        if "other_hpa_selector" in given:
            self._sync_rival(given)

    def _set_scaled_to_zero(self, is_scaled_to_zero: bool) -> None:
        if is_scaled_to_zero:
            condition = {"type": "ScaledToZero", "status": "True", "lastTransitionTime": rfc3339(0)}
            condition |= {"reason": "ScaledToZero", "message": "the HPA controller scaled the workload to zero"}
            self.client.set_status(HPAS, self.hpa, {"conditions": [condition]})

    def _sync_rival(self, given: Wire) -> None:
        """Another autoscaler of the namespace is synced first, so that its selector is known."""
        self.api.create(HPAS, {"metadata": {"namespace": "test", "name": "rival"}, "spec": self.hpa["spec"]})
        self.client.given = {"scale_status_selector": given["other_hpa_selector"]}
        self.controller.reconcile("test", "rival")
        self.client.given, self.client.written = given, None

    @property
    def hpa(self) -> Wire:
        return self.client.require(HPAS, "test", "hpa")

    def sync(self) -> None:
        self.controller.reconcile("test", "hpa")

    @property
    def conditions(self) -> list[Wire]:
        fields = ("type", "status", "reason")
        return [{field: condition[field] for field in fields} for condition in self.hpa["status"]["conditions"]]

    @property
    def event_reasons(self) -> list[str]:
        events = self.client.list("events", "test")
        return [event["reason"] for event in events if event["involvedObject"]["name"] == "hpa"]


@pytest.mark.section("controller", "controller_configurable_tolerance", "controller_scale_to_zero")
def test_the_controller_decides_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]
    cluster = Autoscaled(given)

    cluster.sync()

    written = cluster.client.written
    action = "none" if written is None else "scale_up" if written > given["spec_replicas"] else "scale_down"
    assert (given["spec_replicas"] if written is None else written) == expect["desired"]
    assert action == expect.get("action", action)
    if "conditions" in expect:
        assert cluster.conditions == expect["conditions"]
    has_failed = any(reason.startswith(("Failed", "Invalid")) for reason in cluster.event_reasons)
    assert expect.get("error_class", "none") == ("internal" if has_failed else "none")


@pytest.mark.section("controller_conditions")
def test_the_controller_says_what_is_wrong_as_upstream_does(case: Wire) -> None:
    given, expect = case["in"], case["expect"]
    cluster = Autoscaled(given)

    cluster.sync()

    assert cluster.conditions == expect["conditions"]
    if expect.get("desired_unchanged"):
        assert cluster.client.written is None
    if case.get("note", "").startswith("event "):
        assert case["note"].removeprefix("event ") in cluster.event_reasons
