"""A small shop on a data plane without control plane: Services, pods, and EndpointSlices that follow them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from labs.api.apiserver import ApiServer, DeleteOptions
from labs.api.client import Client
from labs.api.store import Store, WatchEvent
from labs.dataplane.cloud import ZONES
from labs.dataplane.database import DatabaseConfig
from labs.dataplane.dataplane import Dataplane, DataplaneConfig
from labs.dataplane.machines import NodeGroup
from labs.dataplane.programs.catalogue import DEMAND_ANNOTATION
from labs.dataplane.service_views import ENDPOINT_SLICES
from labs.dataplane.traffic.outcome import Outcome
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import parse_rfc3339, to_ns

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")
READINESS = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 2, "failureThreshold": 2}
LOAD_BALANCER = {
    "external-dns.alpha.kubernetes.io/hostname": "shop.example.com",
    "service.beta.kubernetes.io/aws-load-balancer-healthcheck-interval": "5",
}


@dataclass
class Shop:
    loop: Loop
    api: ApiServer
    client: Client
    dataplane: Dataplane
    trace: Trace
    published: list[dict[str, Any]]
    """The requests of PutMetricData that programs made."""

    @property
    def seconds(self) -> float:
        return (self.loop.now_ns - START_NS) / 1e9

    @property
    def nodes(self) -> list[str]:
        return [node["metadata"]["name"] for node in self.client.list("nodes")]

    def run(self, seconds: float) -> None:
        self.loop.run_until(self.loop.now_ns + to_ns(seconds))

    def service(self, app: str, **spec: Any) -> None:
        """A Service on ``port`` (80 unless given) whose EndpointSlice follows the pods labelled with ``app``."""
        metadata = {"name": app, "namespace": "default", "annotations": spec.pop("annotations", {})}
        ports = [{"port": spec.pop("port", 80), "targetPort": 8080, "protocol": "TCP"}]
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
        self.client.create("services", {**service, "spec": {"ports": ports, "selector": {"app": app}, **spec}})
        each = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{app}-x",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": app},
            },
            "addressType": "IPv4",
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            "endpoints": [],
        }
        self.client.create(ENDPOINT_SLICES, each)
        self.client.subscribe("pods", lambda event: self._follow(app, event))

    def _follow(self, app: str, event: WatchEvent) -> None:
        if (event.object["metadata"].get("labels") or {}).get("app") != app:
            return
        pods = [pod for pod in self.client.list("pods", "default") if pod["metadata"]["labels"].get("app") == app]
        each = self.client.require(ENDPOINT_SLICES, "default", f"{app}-x")
        endpoints = [_endpoint(pod) for pod in pods if (pod.get("status") or {}).get("podIP")]
        self.client.update(ENDPOINT_SLICES, {**each, "endpoints": endpoints})

    def pod(self, name: str, image: str, node: str = "", **fields: Any) -> None:
        """A pod with the label ``app`` = its name up to the last dash; ``spec`` and ``annotations`` may be given."""
        container = {
            "name": "main",
            "image": image,
            "ports": [{"containerPort": 8080}],
            "resources": {"limits": {"cpu": "1"}},
            **fields.pop("container", {}),
        }
        metadata = {
            "name": name,
            "namespace": "default",
            "labels": {"app": name.rpartition("-")[0]},
            "annotations": fields.pop("annotations", {}),
        }
        spec = {"containers": [container], "terminationGracePeriodSeconds": 30, **fields}
        self.client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        self.client.bind("default", name, node or self.nodes[0])

    def frontends(self, count: int, demand: dict[str, Any], **container: Any) -> None:
        for number in range(count):
            extra = {"readinessProbe": READINESS, **container}
            node = self.nodes[number % len(self.nodes)]
            annotations = {DEMAND_ANNOTATION: json.dumps({"cpu_ms": 8, **demand})}
            image = "example.com/shop/frontend:1"
            self.pod(f"frontend-{number}", image, node, container=extra, annotations=annotations)

    def shoppers(self, rate_per_s: float, url: str = "http://shop.example.com/") -> None:
        variables = [{"name": "RATE_PER_S", "value": str(rate_per_s)}, {"name": "TARGET_URL", "value": url}]
        self.pod("shopper-0", "example.com/shop/shopper:1", container={"env": variables})

    def outcomes(self, start: int = 0) -> dict[str, int]:
        """How often each outcome is in the ledger's rows from ``start`` on."""
        found = Counter(Outcome(code).name for code in self.dataplane.ledger.rows(start)["outcome"].tolist())
        return dict(found)

    def delete(self, name: str, grace_s: int | None = None) -> None:
        self.client.delete("pods", "default", name, DeleteOptions(grace_period_seconds=grace_s))

    def phase(self, name: str) -> str:
        return str(self.client.require("pods", "default", name)["status"]["phase"])

    def log(self, name: str) -> str:
        return self.dataplane.logs.read("default", name)


def _endpoint(pod: dict[str, Any]) -> dict[str, Any]:
    status = pod["status"]
    is_serving = any(item["type"] == "Ready" and item["status"] == "True" for item in status["conditions"])
    is_terminating = "deletionTimestamp" in pod["metadata"]
    return {
        "addresses": [status["podIP"]],
        "conditions": {
            "ready": is_serving and not is_terminating,
            "serving": is_serving,
            "terminating": is_terminating,
        },
        "zone": pod["metadata"]["labels"].get("topology.kubernetes.io/zone", ""),
    }


def build_shop(seed: int = 7, nodes: int = 2, instance_type: str = "m5.xlarge") -> Shop:
    loop, streams, trace = Loop(START_NS), Streams(seed), Trace()
    api = ApiServer(loop, streams, Store(loop, trace))
    client = Client(api, "kubelet")
    config = DataplaneConfig(
        node_groups=[NodeGroup("base", instance_type, nodes, ZONES[:2])], databases=[DatabaseConfig("shop-db")]
    )
    published: list[dict[str, Any]] = []
    dataplane = Dataplane(client, streams, config, published.append)
    dataplane.start()
    shop = Shop(loop, api, client, dataplane, trace, published)
    shop.run(1)
    return shop


def build_whole_shop(seed: int = 7, frontends: int = 5, demand: dict[str, Any] | None = None, **container: Any) -> Shop:
    """Three tiers and a database behind a load balancer, ready to serve."""
    shop = build_shop(seed)
    host = shop.dataplane.databases["shop-db"].host
    shop.service("shop-db", type="ExternalName", externalName=host)
    for app, port in (("rds-proxy", 5432), ("backend", 80)):
        shop.service(app, port=port)
        for number in range(2):
            shop.pod(f"{app}-{number}", f"example.com/shop/{app}:1", container={"readinessProbe": READINESS})
    shop.service("frontend", type="LoadBalancer", annotations=LOAD_BALANCER)
    shop.frontends(frontends, demand or {}, **container)
    shop.run(60)
    return shop
