"""One run: a shop, a storm of faults, then calm until the shop is whole."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import asdict

from labs.api.store import WatchEvent
from labs.units import MINUTE_NS, SECOND_NS, to_ns
from labs.world import World

from .checkers import HPAS, Checkers, unsettled
from .faults import FAULTS, Scene, heal, open_shop
from .options import Options

SETTLED_NS = 3 * MINUTE_NS
CONVERGENCE_NS = 25 * MINUTE_NS
"""By then the shop must be whole: a node that is gone costs 40 s to notice, 5 min of toleration, a new machine;
a rollout and Karpenter's own consolidation may follow."""
STEP_NS = 5 * SECOND_NS
LAST_EVENTS = 60
UNTOLD = ("leases.coordination.k8s.io", HPAS)
"""Written all the time, whatever happens."""


class SimulationError(AssertionError):
    """A run failed; the text has all that is needed to see it again."""


def simulate(seed: int, options: Options) -> int:
    """Run a seed; returns how many ns the shop took to become whole. Raises SimulationError."""
    world = World(seed)
    open_shop(world)
    world.run_until(world.now_ns + SETTLED_NS)
    scene = Scene(world, random.Random(f"faults/{seed}"), options)
    recent: deque[str] = deque(maxlen=LAST_EVENTS)
    world.store.observe_writes(lambda event: None if event.resource in UNTOLD else recent.append(_line(world, event)))
    Checkers(world)
    try:
        _storm(scene)
        heal(scene)
        return _calm(world)
    except Exception as error:
        story = "\n".join(["What was done:", *scene.log[-LAST_EVENTS:], "Last writes:", *recent])
        raise SimulationError(
            f"seed {seed} failed: {error!r}\nOptions: {asdict(options)}\n{story}\n"
            f"Again: python -m tests.simulation --first {seed} --seeds 1"
        ) from error


def _storm(scene: Scene) -> None:
    weights = asdict(scene.options.weights)
    end_ns = scene.world.now_ns + to_ns(scene.options.storm_s)
    while scene.world.now_ns < end_ns:
        [name] = scene.rng.choices(list(weights), list(weights.values()))
        FAULTS[name](scene)
        gap_ns = to_ns(scene.rng.expovariate(1 / scene.options.gap_s))
        scene.world.run_until(scene.world.now_ns + gap_ns)
        _check_requests(scene.world)


def _calm(world: World) -> int:
    began_ns = world.now_ns
    while any(True for _ in unsettled(world)):
        assert world.now_ns - began_ns < CONVERGENCE_NS, "no convergence:\n" + "\n".join(unsettled(world))
        world.run_until(world.now_ns + STEP_NS)
        _check_requests(world)
    return world.now_ns - began_ns


def _check_requests(world: World) -> None:
    account = world.dataplane.ledger.conservation()
    assert account.holds, account


def _line(world: World, event: WatchEvent) -> str:
    metadata = event.object["metadata"]
    when_s = (world.now_ns % (24 * 3600 * SECOND_NS)) / SECOND_NS
    about = event.object.get("message", "") if event.resource == "events" else ""
    return f"{when_s:.3f} s  {event.type} {event.resource} {metadata['name']} {about}"
