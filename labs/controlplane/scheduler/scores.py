"""Scores of feasible nodes: each plugin gives 0 to 100, times its weight, summed.

Source: pkg/scheduler/framework/plugins/{noderesources,tainttoleration,nodeaffinity,imagelocality} and
pkg/scheduler/apis/config/v1/default_plugins.go (weights).
"""

from __future__ import annotations

from collections.abc import Sequence

from labs.api.scheduling import Toleration, preference_score, untolerated_taint
from labs.controlplane.scheduler.cache import Cache
from labs.controlplane.scheduler.nodeinfo import NodeFacts, NodeInfo
from labs.controlplane.scheduler.pod_affinity import pod_affinity_scores
from labs.controlplane.scheduler.podinfo import PodInfo, SpreadConstraint
from labs.controlplane.scheduler.spread import spread_scores

MAX_SCORE = 100
TAINT_TOLERATION_WEIGHT = 3
NODE_AFFINITY_WEIGHT = 2
TOPOLOGY_SPREAD_WEIGHT = 2
POD_AFFINITY_WEIGHT = 2

_MIB = 1024 * 1024
MIN_IMAGE_BYTES = 23 * _MIB
MAX_CONTAINER_IMAGE_BYTES = 1000 * _MIB


def total_scores(
    pod: PodInfo, default_spread: tuple[SpreadConstraint, ...], cache: Cache, nodes: Sequence[NodeInfo]
) -> list[int]:
    """The sum of all plugins for each node. A plugin that would give every node the same is left out."""
    shape = pod.shape
    totals = [node.resource_scores.get(shape) or resource_score(pod, node) for node in nodes]
    for weight, scores in (
        (TAINT_TOLERATION_WEIGHT, taint_scores(pod, nodes) if cache.has_soft_taints else None),
        (NODE_AFFINITY_WEIGHT, node_affinity_scores(pod, nodes) if pod.placement.preferred else None),
        (TOPOLOGY_SPREAD_WEIGHT, spread_scores(pod, default_spread, cache, nodes)),
        (POD_AFFINITY_WEIGHT, pod_affinity_scores(pod, cache, nodes)),
        (1, image_scores(pod, cache, nodes) if cache.has_images else None),
    ):
        if scores is not None:
            totals = [total + weight * score for total, score in zip(totals, scores, strict=True)]
    return totals


def resource_score(pod: PodInfo, node: NodeInfo) -> int:
    """LeastAllocated plus BalancedAllocation; remembered until the node or the pods on it change."""
    score = node.resource_scores.get(pod.shape)
    if score is None:
        score = node.resource_scores[pod.shape] = _resource_score(pod, node)
    return score


def _resource_score(pod: PodInfo, node: NodeInfo) -> int:
    assert node.facts is not None
    cpu, memory = node.facts.allocatable.get("cpu", 0), node.facts.allocatable.get("memory", 0)
    scored_cpu = node.scored_cpu_millicores + pod.scored_cpu_millicores
    scored_memory = node.scored_memory_bytes + pod.scored_memory_bytes
    score = least_allocated(((scored_cpu, cpu), (scored_memory, memory)))
    if pod.cpu_millicores or pod.memory_bytes:
        score += balanced_allocation(
            ((node.cpu_millicores, pod.cpu_millicores, cpu), (node.memory_bytes, pod.memory_bytes, memory))
        )
    return score


def least_allocated(resources: Sequence[tuple[int, int]]) -> int:
    """Mean share that stays free, of (requested with the pod, allocatable); what a node lacks is left out."""
    shares = [
        0 if requested > allocatable else (allocatable - requested) * MAX_SCORE // allocatable
        for requested, allocatable in resources
        if allocatable
    ]
    return sum(shares) // len(shares) if shares else 0


def balanced_allocation(resources: Sequence[tuple[int, int, int]]) -> int:
    """How much evener the pod makes the use, of (requested before, by the pod, allocatable); 75 for no change."""
    present = [item for item in resources if item[2]]
    after = _balance([min(1.0, (before + asked) / allocatable) for before, asked, allocatable in present])
    before = _balance([min(1.0, used / allocatable) for used, _, allocatable in present])
    return MAX_SCORE // 2 + int((MAX_SCORE // 2 + after - before) / 2)


def _balance(shares: list[float]) -> int:
    deviation = abs(shares[0] - shares[1]) / 2 if len(shares) == 2 else 0.0
    return int((1 - deviation) * MAX_SCORE)


def taint_scores(pod: PodInfo, nodes: Sequence[NodeInfo]) -> list[int]:
    """Fewer untolerated PreferNoSchedule taints, more points."""
    tolerations = [item for item in pod.placement.tolerations if item.get("effect") in (None, "", "PreferNoSchedule")]
    counts = [_soft_taints(node.facts, tolerations) for node in nodes if node.facts is not None]
    worst = max(counts)
    return [MAX_SCORE - MAX_SCORE * count // worst if worst else MAX_SCORE for count in counts]


def _soft_taints(node: NodeFacts, tolerations: list[Toleration]) -> int:
    return sum(untolerated_taint((taint,), tolerations, ("PreferNoSchedule",)) is not None for taint in node.taints)


def node_affinity_scores(pod: PodInfo, nodes: Sequence[NodeInfo]) -> list[int]:
    """Share of the best sum of matching preferred terms."""
    preferred = pod.placement.preferred
    sums = [preference_score(preferred, node.facts.name, node.facts.labels) for node in nodes if node.facts is not None]
    best = max(sums)
    return [MAX_SCORE * total // best if best else 0 for total in sums]


def image_scores(pod: PodInfo, cache: Cache, nodes: Sequence[NodeInfo]) -> list[int]:
    """Bytes of the pod's images that the node has, each weighed by the share of nodes that have it."""
    images = [normalised_image(image) for image in pod.placement.images]
    node_count = len(cache.order)
    share = {image: cache.nodes_with_image(image) / node_count for image in images}
    high = MAX_CONTAINER_IMAGE_BYTES * len(images)
    return [
        MAX_SCORE
        * (min(max(_image_bytes(node.facts, images, share), MIN_IMAGE_BYTES), high) - MIN_IMAGE_BYTES)
        // (high - MIN_IMAGE_BYTES)
        for node in nodes
        if node.facts is not None
    ]


def _image_bytes(node: NodeFacts, images: list[str], share: dict[str, float]) -> int:
    return sum(int(node.images[image] * share[image]) for image in images if image in node.images)


def normalised_image(image: str) -> str:
    """The image with the tag that it gets when it has none."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"
