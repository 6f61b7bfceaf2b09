"""The cost of clusters from 100 to 10,000 pods: figures for the table, and a log-log figure for the docs."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.cluster_scale import PODS, Cost, in_a_process, slope
from bench.report import Figure, hand_over

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "scale.png"
GOAL_SLOPE = 1.1


def draw(costs: list[Cost], path: Path) -> None:
    """Seconds of each part over pods, both axes in powers of ten."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    pods = [cost.pods for cost in costs]
    for name, style in (("total_s", "o-"), ("ready_s", "s--"), ("start_s", "^--"), ("list_s", "v--")):
        label = name.removesuffix("_s").replace("ready", "created, scheduled and ready")
        axes.loglog(pods, [getattr(cost, name) for cost in costs], style, label=label.replace("start", "nodes start"))
    axes.set(xlabel="pods, on a tenth as many nodes", ylabel="seconds of processor time")
    axes.set_title(f"Cost grows with the number of pods to the power of {slope(costs):.2f}")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def measure(is_drawn: bool) -> list[Figure]:
    """The largest size, and the growth over all sizes."""
    costs = [in_a_process(pods) for pods in PODS]
    if is_drawn:
        draw(costs, PICTURE)
    largest = costs[-1]
    name = f"{largest.nodes:,} nodes and {largest.pods:,} pods"
    return [
        Figure(f"{name} created, scheduled, ready and listed", largest.total_s, "CPU s", 1, "under 30"),
        Figure(f"{name}: memory", largest.memory_mb, "MB", 1, "under 600"),
        Figure("growth of the cost with the pods, log-log slope", slope(costs), "", 1, f"{GOAL_SLOPE} or less"),
    ]


if __name__ == "__main__":
    hand_over(measure("--write" in sys.argv[1:]))
