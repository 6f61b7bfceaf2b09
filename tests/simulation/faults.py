"""Faults as a person or a cloud makes them: through the Kubernetes API, or by what happens to machines.

Each takes the scene and does one thing; what lasts is undone by ``Scene.later`` or, at the latest, by ``heal``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labs.api.cloud import ON_DEMAND, Instance, Override
from labs.api.manifests import parse_manifests
from labs.api.rest.message import Request
from labs.api.store import Object
from labs.dataplane.cloud import RUNNING, STOPPED, STOPPING
from labs.units import SECOND_NS, to_ns
from labs.world import World

from .options import Options

REFUSALS = (404, 409, 429)
"""What a client must expect: gone by now, changed by somebody else, not now."""

DRAIN_RETRY_NS = 5 * SECOND_NS
"""``kubectl drain`` tries a refused eviction again after this long."""

MERGE_PATCH = {"content-type": "application/merge-patch+json"}
NAMESPACE = "/api/v1/namespaces/shop"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
SPIKE = """
apiVersion: batch/v1
kind: Job
metadata: {generateName: spike-, namespace: shop}
spec:
  backoffLimit: 2
  ttlSecondsAfterFinished: 60
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: ab
          image: public.ecr.aws/docker/library/httpd:2.4
          command: [ab, -n, "500", -c, "5", "http://shop.example.com/"]
          resources: {requests: {cpu: 50m}}
"""


@dataclass(slots=True)
class Scene:
    """The world, the run's own chance, and what was done so far."""

    world: World
    rng: random.Random
    options: Options
    is_over: bool = False
    log: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Write a line of the run's story."""
        self.log.append(f"{(self.world.now_ns % (24 * 3600 * SECOND_NS)) / SECOND_NS:.3f} s  {text}")

    def call(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> int:
        """A request to the API; its status, which must be a success or a refusal that a client must expect."""
        text = b"" if body is None else json.dumps(body).encode()
        response = self.world.rest.handle(Request.to(method, target, text, headers))
        self.note(f"{response.status} {method} {target} {body or ''}")
        assert response.status < 300 or response.status in REFUSALS, (response.status, response.body)
        return response.status

    def later(self, undo: Callable[[], None]) -> None:
        """Undo what lasts after a while; when the storm is over, ``heal`` has done it already."""
        delay_ns = to_ns(self.rng.expovariate(1 / self.options.lasting_s))
        self.world.loop.after(delay_ns, lambda: None if self.is_over else undo())

    def pods(self) -> list[Object]:
        """The shop's pods."""
        return self.world.store.list("pods", "shop")

    def running(self) -> list[Instance]:
        """Instances that run."""
        return [each for each in self.world.dataplane.cloud.instances() if each.state == RUNNING]


Fault = Callable[[Scene], None]


def delete_pod(scene: Scene) -> None:
    """``kubectl delete pod``."""
    _delete_pod(scene, None)


def delete_pod_now(scene: Scene) -> None:
    """``kubectl delete pod --grace-period=0 --force``."""
    _delete_pod(scene, {"gracePeriodSeconds": 0})


def _delete_pod(scene: Scene, body: Any) -> None:
    if pods := scene.pods():
        scene.call("DELETE", f"{NAMESPACE}/pods/{scene.rng.choice(pods)['metadata']['name']}", body)


def evict_pod(scene: Scene) -> None:
    """One eviction, which a budget may refuse."""
    if pods := scene.pods():
        _evict(scene, scene.rng.choice(pods))


def _evict(scene: Scene, pod: Object) -> int:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    return scene.call("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)


def kill_container(scene: Scene) -> None:
    """The kernel ends a container for its memory, or a person does."""
    pods = [pod for pod in scene.pods() if pod["spec"].get("nodeName")]
    if not pods:
        return
    pod = scene.rng.choice(pods)
    kubelet = scene.world.dataplane.kubelets.get(pod["spec"]["nodeName"])
    if kubelet is not None:
        reason = scene.rng.choice(("", "OOMKilled"))
        scene.note(f"kill {pod['metadata']['name']} {reason}")
        kubelet.kill_container(pod["metadata"]["uid"], pod["spec"]["containers"][0]["name"], reason)


def drain_node(scene: Scene) -> None:
    """``kubectl drain --ignore-daemonsets``, and later ``uncordon``."""
    if nodes := scene.world.store.list("nodes"):
        name = scene.rng.choice(nodes)["metadata"]["name"]
        if _cordon(scene, name, True) == 200:
            _evict_all(scene, name)
            scene.later(lambda: _uncordon(scene, name))


def _cordon(scene: Scene, name: str, is_cordoned: bool) -> int:
    return scene.call("PATCH", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": is_cordoned}}, MERGE_PATCH)


def _uncordon(scene: Scene, name: str) -> None:
    node = scene.world.store.get("nodes", "", name)
    if node is not None and node["spec"].get("unschedulable"):
        _cordon(scene, name, False)


def _evict_all(scene: Scene, name: str) -> None:
    node = scene.world.store.get("nodes", "", name)
    if scene.is_over or node is None or not node["spec"].get("unschedulable"):
        return
    statuses = [
        _evict(scene, pod)
        for pod in scene.world.store.by_index("pods", "spec.nodeName", name)
        if "deletionTimestamp" not in pod["metadata"] and not _is_daemon(pod)
    ]
    if 429 in statuses:
        scene.world.loop.after(DRAIN_RETRY_NS, _evict_all, scene, name)


def _is_daemon(pod: Object) -> bool:
    return any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())


def delete_node(scene: Scene) -> None:
    """``kubectl delete node``, of a node that its kubelet will register again or Karpenter ends."""
    claimed = [
        node for node in scene.world.store.list("nodes") if "karpenter.sh/nodepool" in node["metadata"]["labels"]
    ]
    if claimed:
        scene.call("DELETE", f"/api/v1/nodes/{scene.rng.choice(claimed)['metadata']['name']}")


def delete_claim(scene: Scene) -> None:
    """``kubectl delete nodeclaim``."""
    if claims := scene.world.store.list("nodeclaims.karpenter.sh"):
        name = scene.rng.choice(claims)["metadata"]["name"]
        scene.call("DELETE", f"/apis/karpenter.sh/v1/nodeclaims/{name}")


def partition_node(scene: Scene) -> None:
    """The kubelet cannot reach the API server for a while; its pods go on."""
    kubelets = [each for each in scene.world.dataplane.kubelets.all() if each.is_on and each.host.is_connected]
    if kubelets:
        kubelet = scene.rng.choice(kubelets)
        scene.note(f"partition {kubelet.host.name}")
        kubelet.disconnect()
        scene.later(lambda: _join(scene, kubelet.host.name))


def _join(scene: Scene, name: str) -> None:
    kubelet = scene.world.dataplane.kubelets.get(name)
    if kubelet is not None and not kubelet.host.is_connected:
        scene.note(f"join {name}")
        kubelet.connect()


def stop_instance(scene: Scene) -> None:
    """``aws ec2 stop-instances``, and later ``start-instances``."""
    if instances := scene.running():
        instance = scene.rng.choice(instances)
        scene.note(f"stop {instance.node_name}")
        scene.world.dataplane.cloud.stop(instance.id)
        scene.later(lambda: _start(scene, instance.id))


def _start(scene: Scene, instance_id: str) -> None:
    cloud = scene.world.dataplane.cloud
    instance = cloud.instance(instance_id)
    assert instance is not None
    if instance.state == STOPPED:
        scene.note(f"start {instance.node_name}")
        cloud.start(instance_id)
    elif instance.state == STOPPING:
        scene.world.loop.after(5 * SECOND_NS, _start, scene, instance_id)


def terminate_instance(scene: Scene) -> None:
    """``aws ec2 terminate-instances``, or a spot interruption without a word. The last node group machine stays."""
    instances = [each for each in scene.running() if "eks:nodegroup-name" not in each.tags]
    if instances:
        instance = scene.rng.choice(instances)
        scene.note(f"terminate {instance.node_name}")
        scene.world.dataplane.cloud.terminate(instance.id)


def fail_zone(scene: Scene) -> None:
    """A zone loses power for a while."""
    zone = scene.rng.choice(scene.world.dataplane.cloud.zones)
    scene.note(f"fail zone {zone}")
    scene.world.dataplane.cloud.fail_zone(zone)
    scene.later(lambda: scene.world.dataplane.cloud.restore_zone(zone))


def sell_out(scene: Scene) -> None:
    """EC2 has no m6i.large in a zone for a while."""
    offering = Override("m6i.large", scene.rng.choice(scene.world.dataplane.cloud.zones), ON_DEMAND)
    scene.note(f"sell out {offering.zone}")
    scene.world.dataplane.cloud.set_capacity(offering, False)
    scene.later(lambda: scene.world.dataplane.cloud.set_capacity(offering, True))


def scale(scene: Scene) -> None:
    """``kubectl scale``."""
    name = scene.rng.choice(("frontend", "backend", "worker"))
    body = {"spec": {"replicas": scene.rng.randint(1, 6)}}
    scene.call("PATCH", f"{DEPLOYMENTS}/{name}/scale", body, MERGE_PATCH)


def roll(scene: Scene) -> None:
    """``kubectl rollout restart``."""
    name = scene.rng.choice(("frontend", "backend", "worker"))
    annotations = {"kubectl.kubernetes.io/restartedAt": str(scene.world.now_ns)}
    body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    scene.call("PATCH", f"{DEPLOYMENTS}/{name}", body, MERGE_PATCH)


def spike(scene: Scene) -> None:
    """A burst of load."""
    [job] = parse_manifests(SPIKE, "spike")
    scene.call("POST", "/apis/batch/v1/namespaces/shop/jobs", job)


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        delete_pod,
        delete_pod_now,
        evict_pod,
        kill_container,
        drain_node,
        delete_node,
        delete_claim,
        partition_node,
        stop_instance,
        terminate_instance,
        fail_zone,
        sell_out,
        scale,
        roll,
        spike,
    )
}
"""By the name of their weight in ``Weights``."""


CALM_REPLICAS = {"backend": 3, "worker": 2}
"""With one replica, a budget of 50 % would forbid every drain for ever, upstream as here."""


def heal(scene: Scene) -> None:
    """Undo every fault that lasts."""
    scene.is_over = True
    cloud = scene.world.dataplane.cloud
    for zone in cloud.zones:
        cloud.restore_zone(zone)
        cloud.set_capacity(Override("m6i.large", zone, ON_DEMAND), True)
    for instance in cloud.instances():
        if instance.state in (STOPPING, STOPPED):
            _start(scene, instance.id)
    for kubelet in scene.world.dataplane.kubelets.all():
        _join(scene, kubelet.host.name)
    for node in scene.world.store.list("nodes"):
        _uncordon(scene, node["metadata"]["name"])
    for name, replicas in CALM_REPLICAS.items():
        scene.call("PATCH", f"{DEPLOYMENTS}/{name}/scale", {"spec": {"replicas": replicas}}, MERGE_PATCH)


def open_shop(world: World) -> None:
    """Apply the small shop."""
    for obj in parse_manifests(Path(__file__).with_name("shop.yaml").read_text("utf-8"), "shop.yaml"):
        world.apply(obj)
