"""`ranking.json`: which pods a ReplicaSet deletes first."""

from typing import Any

from labs.controlplane.ranking import DELETION_COST, RankedPod, is_deleted_before, rank_for_deletion, ranked_pod
from labs.units import rfc3339_micro, to_ns

VECTORS = "ranking"
NOW_NS = 1_800_000_000_000_000_000


def time_of(age_s: float | None) -> str | None:
    return None if age_s is None else rfc3339_micro(NOW_NS - to_ns(age_s))


def ranked(pod: dict[str, Any]) -> RankedPod:
    sidecars = pod.get("sidecar_restarts") or []
    starters = pod.get("init_restarts") or []
    init = [
        *({"name": f"sidecar-{n}", "restartPolicy": "Always", "count": count} for n, count in enumerate(sidecars)),
        *({"name": f"init-{n}", "count": count} for n, count in enumerate(starters)),
    ]
    cost = pod["deletion_cost"]
    ready = {"type": "Ready", "status": "True" if pod["ready"] else "False"}
    return ranked_pod(
        {
            "metadata": {
                "uid": pod["uid"],
                "annotations": {} if cost is None else {DELETION_COST: cost},
                "creationTimestamp": time_of(pod["age_s"]),
            },
            "spec": {"nodeName": pod["node"], "initContainers": init},
            "status": {
                "phase": pod["phase"],
                "conditions": [ready | {"lastTransitionTime": time_of(pod["ready_age_s"])}],
                "containerStatuses": [{"name": str(n), "restartCount": c} for n, c in enumerate(pod["restarts"])],
                "initContainerStatuses": [{"name": item["name"], "restartCount": item["count"]} for item in init],
            },
        },
        pod["rank"],
    )


def test_pods_are_ranked_for_deletion_as_upstream_ranks_them(case: dict[str, Any]) -> None:
    pods = [ranked(pod) for pod in case["in"]["pods"]]
    names = {pod["uid"]: pod["name"] for pod in case["in"]["pods"]}
    now_ns = NOW_NS if case["in"]["now_set"] else None

    less = [[int(is_deleted_before(one, other, now_ns)) for other in pods] for one in pods]

    assert less == case["expect"]["less"]
    if case["expect"]["stable"]:
        assert [names[pod.uid] for pod in rank_for_deletion(pods, now_ns)] == case["expect"]["order"]
