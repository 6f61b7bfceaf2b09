"""What a run is made of. A run is a function of its seed and its options."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Weights:
    """How often each fault is chosen, against the others; 0 leaves it out."""

    delete_pod: float = 4.0
    delete_pod_now: float = 4.0
    evict_pod: float = 4.0
    kill_container: float = 2.0
    drain_node: float = 1.0
    delete_node: float = 0.3
    delete_claim: float = 0.5
    partition_node: float = 1.0
    stop_instance: float = 0.7
    terminate_instance: float = 0.7
    fail_zone: float = 0.3
    sell_out: float = 0.5
    scale: float = 2.0
    roll: float = 1.0
    spike: float = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """One run: ``storm_s`` of faults, ``gap_s`` apart on average, each that lasts for ``lasting_s`` on average."""

    storm_s: float = 480.0
    gap_s: float = 20.0
    lasting_s: float = 90.0
    weights: Weights = Weights()


def drawn(seed: int) -> Options:
    """Options for a seed: some kinds of fault are left out and others are frequent, so that runs differ in kind."""
    rng = random.Random(f"options/{seed}")
    changed = {each.name: getattr(Weights(), each.name) * rng.choice((0, 1, 1, 3)) for each in fields(Weights)}
    changed["delete_pod"] += 0.1
    return Options(
        gap_s=rng.choice((5.0, 20.0, 60.0)),
        lasting_s=rng.choice((20.0, 90.0, 240.0)),
        weights=replace(Weights(), **changed),
    )
