"""Whatever is asked for: no node is over-committed, no pod is bound twice, required rules hold."""

from collections import Counter

from fleet import ScheduledCluster, anti_affinity, node, pod, spread
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.api.deletion import DeleteOptions
from labs.api.scheduling import pod_requests
from labs.api.store import WatchEvent

NODES = [(f"n{index}", "abc"[index % 3], size) for index, size in enumerate((1000, 2000, 1500, 700, 3000))]
KINDS = ("plain", "spread", "apart")
wishes = st.tuples(st.sampled_from(KINDS), st.integers(1, 900), st.integers(0, 2))


class Checker:
    """Looks at every write of a pod."""

    def __init__(self, cluster: ScheduledCluster) -> None:
        self.cluster = cluster
        self.bindings: Counter[str] = Counter()
        cluster.api.store.observe_writes(self._on_write)

    def _on_write(self, event: WatchEvent) -> None:
        if event.resource != "pods" or event.previous is None or event.type == "DELETED":
            return
        if not event.previous["spec"].get("nodeName") and event.object["spec"].get("nodeName"):
            self.bindings[event.object["metadata"]["uid"]] += 1
            self.check_node(event.object["spec"]["nodeName"])

    def check_node(self, name: str) -> None:
        used = sum(pod_requests(each)["cpu"] for each in self.cluster.client.pods_on_node(name))
        assert used <= {node_name: size for node_name, _, size in NODES}[name]


def build(index: int, wish: tuple[str, int, int]) -> dict[str, object]:
    kind, cpu, priority = wish
    rules: dict[str, object] = {
        "plain": {},
        "spread": {"topologySpreadConstraints": spread("spread")},
        "apart": {"affinity": anti_affinity("apart")},
    }[kind]  # type: ignore[assignment]
    return pod(f"p{index}", kind, cpu=f"{cpu}m", memory="1Mi", priority=priority, **rules)


@settings(max_examples=40, deadline=None)
@given(st.lists(wishes, min_size=1, max_size=25), st.lists(st.integers(0, 24), max_size=6))
def test_rules_hold_for_every_load(load: list[tuple[str, int, int]], removed: list[int]) -> None:
    cluster = ScheduledCluster(*(node(name, zone, cpu=f"{size}m") for name, zone, size in NODES))
    checker = Checker(cluster)

    cluster.add(*(build(index, wish) for index, wish in enumerate(load)), seconds=5)
    for index in removed:
        cluster.client.delete("pods", "shop", f"p{index}", DeleteOptions(grace_period_seconds=0))
        cluster.run(1)

    assert all(count == 1 for count in checker.bindings.values())
    by_node = Counter(
        each["spec"]["nodeName"]
        for each in cluster.pods()
        if each["metadata"]["labels"]["app"] == "apart" and each["spec"].get("nodeName")
    )
    assert max(by_node.values(), default=0) <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20), st.integers(1, 3))
def test_required_spread_is_never_exceeded(count: int, max_skew: int) -> None:
    cluster = ScheduledCluster(*(node(name, zone, cpu=f"{size}m") for name, zone, size in NODES))
    rules = spread("web", max_skew=max_skew)

    cluster.add(*(pod(f"p{n}", cpu="250m", topologySpreadConstraints=rules) for n in range(count)), seconds=5)

    zone_of = {name: zone for name, zone, _ in NODES}
    placed = [each["spec"]["nodeName"] for each in cluster.pods() if each["spec"].get("nodeName")]
    by_zone = Counter(zone_of[name] for name in placed)
    counts = [by_zone[zone] for zone in "abc"]
    assert placed
    assert max(counts) - min(counts) <= max_skew
