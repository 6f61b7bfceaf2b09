"""Rates from the kubelets' counters."""

from __future__ import annotations

from labs.api.metrics import KubeletSummary, UsagePoint
from labs.observability.cloudwatch.kubelet_usage import KubeletUsage
from labs.sim.loop import Loop
from labs.units import MINUTE_NS, SECOND_NS


class Kubelets:
    """Node n1 with one container that uses a quarter of a core from second 60 on, half of one before."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.container_start_ns = 0

    def summary(self, node: str) -> KubeletSummary | None:
        if node != "n1":
            return None
        now_ns, start_ns = self._loop.now_ns, self.container_start_ns
        cpu_ns = min(now_ns, MINUTE_NS) // 2 + max(now_ns - MINUTE_NS, 0) // 4 - start_ns // 4
        point = UsagePoint(start_ns, now_ns, cpu_ns, 1000)
        return KubeletSummary(UsagePoint(0, now_ns, now_ns, 5000), {("shop", "web-1", "web"): point})


def test_use_is_the_mean_between_two_readings() -> None:
    loop = Loop(0)
    usage = KubeletUsage(loop, Kubelets(loop), lambda: ["n1", "n2"])
    rates = []
    for minute in (1, 2, 3):
        loop.run_until(minute * MINUTE_NS)
        pod = usage.pod("shop", "web-1")
        assert pod is not None
        assert usage.pod("shop", "web-1") == pod
        rates.append(pod.containers["web"].cpu_millicores)
    assert rates == [500, 250, 250]
    node = usage.node("n1")
    assert node is not None
    assert (node.cpu_millicores, node.memory_bytes) == (1000, 5000)


def test_what_does_not_answer_has_no_use() -> None:
    loop = Loop(MINUTE_NS)
    usage = KubeletUsage(loop, Kubelets(loop), lambda: ["n1", "n2"])
    assert (usage.pod("shop", "x"), usage.node("n2")) == (None, None)


def test_a_restarted_container_counts_from_its_start() -> None:
    loop = Loop(2 * MINUTE_NS)
    kubelets = Kubelets(loop)
    usage = KubeletUsage(loop, kubelets, lambda: ["n1"])
    usage.pod("shop", "web-1")
    kubelets.container_start_ns = loop.now_ns + 30 * SECOND_NS
    loop.run_until(3 * MINUTE_NS)
    pod = usage.pod("shop", "web-1")
    assert pod is not None
    assert pod.containers["web"].cpu_millicores == 1000 * 22.5 / 30
