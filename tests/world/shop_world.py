"""A whole world with the shop of ``kubernetes/shop``, and the spike of ``kubernetes/load`` on top of it."""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from labs.api.manifests import parse_manifests, read_manifests
from labs.api.store import Object
from labs.dataplane.cloud import ZONES
from labs.dataplane.machines import NodeGroup
from labs.units import MINUTE_NS
from labs.world import World, WorldConfig

KUBERNETES = Path(__file__).parents[2] / "kubernetes"
SETTLED_NS = 5 * MINUTE_NS
"""The shop is up and its metrics are steady by then."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What a case may change: the frontend's CPU request, the type of every node, the HPA's target and bound."""

    cpu_request: str = "400m"
    instance_size: str = "large"
    target_percent: int = 80
    max_replicas: int = 10
    requests: int = 10_000


def open_shop(seed: int, shop: Shop = Shop()) -> World:
    """A world in which the shop has settled."""
    world = World(seed, WorldConfig(node_groups=[NodeGroup("general", f"m6i.{shop.instance_size}", 2, ZONES[:2])]))
    world.apply(_node_pool(shop))
    for obj in read_manifests(KUBERNETES / "shop"):
        world.apply(_changed(obj, shop))
    world.run_until(world.now_ns + SETTLED_NS)
    return world


def start_spike(world: World, shop: Shop = Shop()) -> None:
    """``ab -n``, as the lab runs it."""
    [job] = read_manifests(KUBERNETES / "load")
    job = copy.deepcopy(job)
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    command[command.index("-n") + 1] = str(shop.requests)
    world.apply(job)


def _changed(obj: Object, shop: Shop) -> Object:
    obj = copy.deepcopy(obj)
    if (obj["kind"], obj["metadata"]["name"]) == ("Deployment", "frontend"):
        obj["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = shop.cpu_request
    if (obj["kind"], obj["metadata"]["name"]) == ("HorizontalPodAutoscaler", "frontend"):
        obj["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = shop.target_percent
        obj["spec"]["maxReplicas"] = shop.max_replicas
    return obj


def _node_pool(shop: Shop) -> Object:
    text = files("labs").joinpath("platform", "karpenter.yaml").read_text("utf-8")
    [pool] = [obj for obj in parse_manifests(text, "karpenter.yaml") if obj["kind"] == "NodePool"]
    requirements: list[dict[str, Any]] = pool["spec"]["template"]["spec"]["requirements"]
    for requirement in requirements:
        if requirement["key"] == "karpenter.k8s.aws/instance-size":
            requirement["values"] = [shop.instance_size]
    return pool


def fingerprint(seed: int) -> str:
    """Everything that a short run left behind: the trace and the ledger, each object, the metrics' first answer."""
    shop = Shop(requests=1000)
    world = open_shop(seed, shop)
    start_spike(world, shop)
    world.run_until(world.now_ns + 2 * MINUTE_NS)
    objects = {resource: world.store.list(resource) for resource in sorted(world.api.types)}
    metrics = world.call_aws("cloudwatch", "ListMetrics", {})
    text = json.dumps([world.digest(), objects, metrics], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


if __name__ == "__main__":
    print(fingerprint(int(sys.argv[1])))
