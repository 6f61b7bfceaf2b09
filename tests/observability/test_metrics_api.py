"""metrics-server: what is shown, from when on, and over which window."""

import pytest

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.api.metrics import KubeletSummary, UsagePoint
from labs.api.selectors import parse_label_selector
from labs.api.store import Store
from labs.errors import ApiError
from labs.observability.metrics_api import (
    Batch,
    MetricsServer,
    NodeMetricsResource,
    PodMetricsResource,
    Points,
    go_duration,
    pod_usage,
    pods_in,
    store,
    usage_between,
)
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import MILLISECOND_NS, SECOND_NS

START_NS = 1_800_000_000 * SECOND_NS
WEB = ("shop", "web")
MEBIBYTE = 2**20


def point(age_s: float, cpu_s: float, start_s: float = 0, memory: int = MEBIBYTE) -> UsagePoint:
    """Counters `age_s` after the test's zero, of something that started at `start_s`."""
    return UsagePoint(round(start_s * SECOND_NS), round(age_s * SECOND_NS), round(cpu_s * SECOND_NS), memory)


def scraped(*scrapes: dict[str, UsagePoint]) -> Points:
    """The points after these scrapes of the one pod."""
    points = Points()
    for containers in scrapes:
        points = store(points, Batch(pods={WEB: containers}))
    return points


def test_use_is_the_rate_between_the_last_two_points() -> None:
    usage = usage_between(point(100, 20), point(115.012, 23))

    assert usage is not None
    assert usage.cpu_nanocores == int(3 / 15.012 * 1e9)
    assert (usage.window_ns, usage.timestamp_ns) == (15_012_000_000, 115_012_000_000)


def test_a_counter_that_runs_backwards_gives_no_rate() -> None:
    assert usage_between(point(100, 20), point(115, 19)) is None
    assert usage_between(point(100, 20, start_s=5), point(115, 21, start_s=4)) is None


def test_a_pod_is_shown_from_its_second_point_on() -> None:
    assert pod_usage(scraped({"main": point(60, 5)}), WEB) is None
    assert pod_usage(scraped({"main": point(60, 5)}, {"main": point(75, 8)}), WEB) is not None


@pytest.mark.parametrize(("age_s", "is_shown"), [(9.9, False), (10, True), (14.9, True), (15, False)])
def test_a_young_container_is_rated_since_its_start(age_s: float, is_shown: bool) -> None:
    usage = pod_usage(scraped({"main": point(100 + age_s, 2, start_s=100)}), WEB)

    assert (usage is not None) is is_shown
    if usage is not None:
        assert usage.window_ns == round(age_s * SECOND_NS)
        assert usage.containers["main"].cpu_nanocores == int(2e9 / age_s)


def test_a_restart_drops_the_old_point() -> None:
    before = {"main": point(60, 5)}

    assert pod_usage(scraped(before, {"main": point(75, 0.1, start_s=70)}), WEB) is None


def test_the_same_point_again_keeps_the_rate() -> None:
    first, second = {"main": point(60, 5)}, {"main": point(75, 8)}

    assert pod_usage(scraped(first, second, second), WEB) == pod_usage(scraped(first, second), WEB)


def test_a_pod_that_misses_a_scrape_starts_anew() -> None:
    points = store(scraped({"main": point(60, 5)}, {"main": point(75, 8)}), Batch())
    assert pod_usage(points, WEB) is None

    points = store(points, Batch(pods={WEB: {"main": point(105, 9)}}))
    assert pod_usage(points, WEB) is None


def test_a_pod_is_shown_only_with_all_of_its_containers() -> None:
    first = {"main": point(60, 5)}

    assert pod_usage(scraped(first, {"main": point(75, 8), "new": point(75, 1, start_s=70)}), WEB) is None


def test_a_pod_has_the_times_of_its_earliest_container() -> None:
    first = {"main": point(60, 5), "side": point(58, 5)}
    second = {"main": point(75, 8), "side": point(74, 5.5)}

    usage = pod_usage(scraped(first, second), WEB)

    assert usage is not None
    assert (usage.timestamp_ns, usage.window_ns) == (74 * SECOND_NS, 16 * SECOND_NS)


@pytest.mark.parametrize("broken", [point(60, 0), point(60, 5, memory=0)])
def test_a_container_without_cpu_or_memory_drops_its_pod(broken: UsagePoint) -> None:
    containers = {(*WEB, "main"): point(60, 5), (*WEB, "side"): broken, ("shop", "db", "main"): point(60, 5)}

    assert list(pods_in(KubeletSummary(None, containers))) == [("shop", "db")]


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [(15_012_000_000, "15.012s"), (15 * SECOND_NS, "15s"), (60 * SECOND_NS, "1m0s"), (61_500_000_000, "1m1.5s"),
     (0, "0s"), (1_500_000, "1.5ms")],
)  # fmt: skip
def test_windows_print_as_go_durations(duration_ns: int, text: str) -> None:
    assert go_duration(duration_ns) == text


class SteadyKubelets:
    """Every pod uses a quarter of a core from the start; kubelets in `silent` do not answer."""

    def __init__(self, loop: Loop, pods: list[tuple[str, str]]) -> None:
        self._loop = loop
        self._pods = pods
        self.silent: list[str] = []

    def summary(self, node: str) -> KubeletSummary | None:
        if node in self.silent:
            return None
        sampled_ns = self._loop.now_ns
        started_ns = START_NS - 600 * SECOND_NS
        counters = UsagePoint(started_ns, sampled_ns, (sampled_ns - started_ns) // 4, 64 * MEBIBYTE)
        containers = {("shop", pod, "main"): counters for pod, host in self._pods if host == node}
        return KubeletSummary(counters, containers)


class Cluster:
    """Two nodes, one pod on each."""

    def __init__(self) -> None:
        self.loop = Loop(START_NS)
        self.api = ApiServer(self.loop, Streams(7), Store(self.loop, Trace()))
        self.client = Client(self.api, "metrics-server")
        for pod, node in (("web", "n1"), ("db", "n2")):
            self.client.create("nodes", {"metadata": {"name": node}})
            metadata = {"namespace": "shop", "name": pod, "labels": {"app": pod}}
            self.client.create("pods", {"metadata": metadata, "spec": {"nodeName": node}})
        self.kubelets = SteadyKubelets(self.loop, [("web", "n1"), ("db", "n2"), ("web", "n2"), ("gone", "n1")])
        self.server = MetricsServer(self.client, self.kubelets)
        self.server.start()

    def run(self, seconds: int) -> None:
        self.loop.run_until(self.loop.now_ns + seconds * SECOND_NS)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_nothing_is_served_before_the_second_scrape(cluster: Cluster) -> None:
    cluster.run(14)
    with pytest.raises(ApiError) as raised:
        cluster.server.pod_samples("cpu", "shop", parse_label_selector(""))
    assert (raised.value.code, raised.value.reason) == (503, "ServiceUnavailable")

    cluster.run(2)
    samples = cluster.server.pod_samples("cpu", "shop", parse_label_selector(""))
    assert [sample.pod for sample in samples] == ["db", "web"]


def test_pod_metrics_have_the_wire_form_of_the_api(cluster: Cluster) -> None:
    cluster.run(16)

    (web,) = cluster.server.pod_metrics("shop", parse_label_selector("app=web"))

    assert (web["kind"], web["apiVersion"]) == ("PodMetrics", "metrics.k8s.io/v1beta1")
    assert web["metadata"] == {
        "name": "web",
        "namespace": "shop",
        "creationTimestamp": "2027-01-15T08:00:16Z",
        "labels": {"app": "web"},
    }
    assert web["timestamp"] == "2027-01-15T08:00:15Z"
    (usage,) = web["containers"]
    assert (usage["name"], usage["usage"]["memory"]) == ("main", "64Mi")
    assert usage["usage"]["cpu"] in ("250m", "249999999n", "250000000n")
    seconds = float(web["window"].removesuffix("s"))
    assert seconds == pytest.approx(15, abs=0.016)


def test_only_the_node_that_a_pod_is_bound_to_may_report_it(cluster: Cluster) -> None:
    cluster.run(16)

    assert sorted(cluster.server.points.last.pods) == [("shop", "db"), ("shop", "web")]


def test_a_kubelet_that_does_not_answer_delays_the_others_and_loses_its_own(cluster: Cluster) -> None:
    cluster.run(16)
    cluster.kubelets.silent = ["n2"]
    cluster.run(14)  # the tick at 30 s has begun
    cluster.run(8)
    stored_before = cluster.server.points.last.nodes["n1"].timestamp_ns
    assert stored_before < START_NS + 16 * SECOND_NS

    cluster.run(3)

    assert list(cluster.server.points.last.nodes) == ["n1"]
    assert [pod["metadata"]["name"] for pod in cluster.server.pod_metrics()] == ["web"]
    assert [node["metadata"]["name"] for node in cluster.server.node_metrics()] == ["n1"]


def test_one_object_is_got_by_name_or_not_found(cluster: Cluster) -> None:
    cluster.run(16)
    pods, nodes = PodMetricsResource(cluster.server), NodeMetricsResource(cluster.server)

    assert pods.get("shop", "web")["metadata"]["name"] == "web"
    assert nodes.get("", "n2")["usage"]["memory"] == "64Mi"
    with pytest.raises(ApiError, match=r'podmetrics\.metrics\.k8s\.io "shop/ghost" not found'):
        pods.get("shop", "ghost")
    with pytest.raises(ApiError, match=r'nodemetrics\.metrics\.k8s\.io "ghost" not found'):
        nodes.get("", "ghost")


def test_the_autoscaler_reads_thousandths_rounded_up_and_whole_seconds(cluster: Cluster) -> None:
    cluster.run(16)

    (cpu,) = cluster.server.pod_samples("cpu", "shop", parse_label_selector("app=web"))
    (memory,) = cluster.server.pod_samples("memory", "shop", parse_label_selector("app=web"))
    (other,) = cluster.server.pod_samples("nvidia.com/gpu", "shop", parse_label_selector("app=web"))

    assert cpu.usage_milli == {"main": 250}
    assert cpu.timestamp_ns % SECOND_NS == 0
    assert cpu.window_ns % MILLISECOND_NS == 0
    assert memory.usage_milli == {"main": 64 * MEBIBYTE * 1000}
    assert other.usage_milli == {"main": None}
