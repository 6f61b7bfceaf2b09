"""The autoscaler's loop over a real store."""

from typing import Any

import pytest

from labs.api.apiserver import ApiServer, Attributes
from labs.api.client import Client
from labs.api.store import Store
from labs.controlplane.hpa.controller import HPAS, SYNC_DURATION_NS, HpaController
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.hpa.spec import HpaOptions
from labs.errors import forbidden
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import MILLISECOND_NS, SECOND_NS, rfc3339

START_NS = 1_800_000_000 * SECOND_NS
PERIOD_NS = HpaOptions().sync_period_ns + SYNC_DURATION_NS


class Queue:
    """An external metric that a test sets."""

    def __init__(self) -> None:
        self.length_milli = 0
        self.reads = 0

    def values(self, metric: str, namespace: str, metric_selector: object) -> list[int]:
        self.reads += 1
        return [self.length_milli]


class Shop:
    """One Deployment without pods, one autoscaler on the length of a queue."""

    def __init__(self) -> None:
        self.loop = Loop(START_NS)
        self.api = ApiServer(self.loop, Streams(1), Store(self.loop, Trace()))
        self.client = Client(self.api, "horizontal-pod-autoscaler")
        self.queue = Queue()
        self.controller = HpaController(self.client, MetricReaders(external=self.queue))
        self.controller.start()

    def add_deployment(self, replicas: int) -> None:
        selector = {"matchLabels": {"app": "worker"}}
        metadata = {"namespace": "shop", "name": "worker"}
        obj = {"metadata": metadata, "spec": {"replicas": replicas, "selector": selector}}
        self.client.create("deployments.apps", obj)

    def add_hpa(self, **spec: Any) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"}
        metric = {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"}}
        whole = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 10}
        whole |= {"metrics": [{"type": "External", "external": metric}], **spec}
        self.client.create(HPAS, {"metadata": {"namespace": "shop", "name": "worker"}, "spec": whole})

    def run(self, duration_ns: int) -> None:
        self.loop.run_until(self.loop.now_ns + duration_ns)

    @property
    def replicas(self) -> int:
        deployment = self.client.require("deployments.apps", "shop", "worker")
        replicas: int = deployment["spec"]["replicas"]
        return replicas

    @property
    def hpa(self) -> dict[str, Any]:
        return self.client.require(HPAS, "shop", "worker")

    def condition(self, type: str) -> tuple[str, str, str]:
        found = next(item for item in self.hpa["status"]["conditions"] if item["type"] == type)
        return found["status"], found["reason"], found["message"]

    @property
    def events(self) -> list[tuple[str, str, int]]:
        return [(event["reason"], event["message"], event["count"]) for event in self.client.list("events")]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_an_autoscaler_is_synced_when_it_appears_and_then_each_period(shop: Shop) -> None:
    shop.add_deployment(1)
    shop.add_hpa()

    shop.run(10 * MILLISECOND_NS)
    assert shop.queue.reads == 1
    shop.run(PERIOD_NS - 10 * MILLISECOND_NS)
    assert shop.queue.reads == 1
    shop.run(10 * PERIOD_NS)
    assert shop.queue.reads == 11


def test_status_is_written_only_when_it_changes(shop: Shop) -> None:
    shop.add_deployment(1)
    shop.add_hpa()
    shop.run(2 * PERIOD_NS)
    version = shop.hpa["metadata"]["resourceVersion"]

    shop.run(5 * PERIOD_NS)

    assert shop.hpa["metadata"]["resourceVersion"] == version


def test_a_rescale_is_written_said_and_timed(shop: Shop) -> None:
    shop.queue.length_milli = 25_000
    shop.add_deployment(1)
    shop.add_hpa()

    shop.run(SECOND_NS)

    assert shop.replicas == 3
    status = shop.hpa["status"]
    assert (status["currentReplicas"], status["desiredReplicas"]) == (1, 3)
    assert status["lastScaleTime"] == rfc3339(START_NS)
    assert shop.events == [("SuccessfulRescale", "New size: 3; reason: external metric queue(nil) above target", 1)]


def test_a_target_that_is_not_there_is_reported_at_each_sync(shop: Shop) -> None:
    shop.add_hpa()

    shop.run(2 * PERIOD_NS)

    text = 'deployments.apps "worker" not found'
    message = f"the HPA controller was unable to get the target's current scale: {text}"
    assert shop.condition("AbleToScale") == ("False", "FailedGetScale", message)
    assert shop.events == [("FailedGetScale", text, 2)]


@pytest.mark.parametrize(
    ("api_version", "kind", "text"),
    [
        ("apps/v1", "Turnip", 'no matches for kind "Turnip" in group "apps"'),
        ("v1", "Service", "the server could not find the requested resource"),
        ("a/b/c", "Deployment", "unexpected GroupVersion string: a/b/c"),
    ],
)
def test_a_target_that_cannot_be_scaled_is_reported(shop: Shop, api_version: str, kind: str, text: str) -> None:
    shop.add_hpa(scaleTargetRef={"apiVersion": api_version, "kind": kind, "name": "worker"})

    shop.run(SECOND_NS)

    assert shop.events == [("FailedGetScale", text, 1)]


def test_a_refused_write_of_the_scale_is_reported_and_leaves_desired_replicas(shop: Shop) -> None:
    def refuse(attributes: Attributes) -> None:
        if attributes.type.kind == "Deployment" and attributes.operation == "UPDATE":
            raise forbidden("deployments.apps", "worker", "frozen")

    shop.queue.length_milli = 25_000
    shop.add_deployment(1)
    shop.api.admission.append(refuse)
    shop.add_hpa()

    shop.run(SECOND_NS)

    error = 'deployments.apps "worker" is forbidden: frozen'
    message = f"the HPA controller was unable to update the target scale: {error}"
    assert shop.condition("AbleToScale") == ("False", "FailedUpdateScale", message)
    assert shop.hpa["status"]["desiredReplicas"] == 0
    reason = "external metric queue(nil) above target"
    assert shop.events == [("FailedRescale", f"New size: 3; reason: {reason}; error: {error}", 1)]


def test_an_autoscaler_wakes_what_it_put_to_sleep(shop: Shop) -> None:
    shop.queue.length_milli = 20_000
    shop.add_deployment(1)
    shop.add_hpa(minReplicas=0, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    shop.run(SECOND_NS)
    assert shop.replicas == 2

    shop.queue.length_milli = 0
    shop.run(PERIOD_NS)
    assert shop.replicas == 0
    asleep = ("True", "ScaledToZero", "the HPA controller scaled the workload to zero")
    assert shop.condition("ScaledToZero") == asleep

    shop.queue.length_milli = 30_000
    shop.run(PERIOD_NS)
    assert shop.replicas == 3
    assert shop.condition("ScaledToZero")[:2] == ("False", "NotScaledToZero")


def test_an_autoscaler_leaves_asleep_what_a_person_put_to_sleep(shop: Shop) -> None:
    shop.queue.length_milli = 30_000
    shop.add_deployment(0)
    shop.add_hpa(minReplicas=0)

    shop.run(3 * PERIOD_NS)

    assert shop.replicas == 0
    assert shop.condition("ScalingActive")[:2] == ("False", "ScalingDisabled")


def test_a_deleted_autoscaler_is_forgotten(shop: Shop) -> None:
    shop.queue.length_milli = 50_000
    shop.add_deployment(5)
    shop.add_hpa()
    shop.run(SECOND_NS)
    assert shop.controller.memories

    shop.client.delete(HPAS, "shop", "worker")
    shop.run(2 * PERIOD_NS)

    assert not shop.controller.memories
    assert shop.queue.reads == 1
