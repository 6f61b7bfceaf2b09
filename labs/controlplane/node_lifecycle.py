"""The node lifecycle controller: notices silent nodes, marks their pods, taints them.

Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from labs.api.client import Client
from labs.api.store import Object, WatchEvent
from labs.controlplane.conditions import with_condition
from labs.controlplane.node_health import NodeHealth, observe, with_unknown_conditions
from labs.controlplane.node_taints import NOT_READY, UNREACHABLE, has_taint, with_no_schedule, with_taints
from labs.controlplane.node_zones import EvictionLimits, TaintQueue, ZoneState, eviction_rate, zone_state
from labs.controlplane.pods import condition_of
from labs.controlplane.runtime import Controller, key_of
from labs.controlplane.zones import zone_key
from labs.units import MILLISECOND_NS, SECOND_NS

NAME = "node-controller"
LEASE_NAMESPACE = "kube-node-lease"
EXCLUDED_LABEL = "node.kubernetes.io/exclude-disruption"
TAINT_POLL_NS = 100 * MILLISECOND_NS


@dataclass(frozen=True, slots=True)
class NodeLifecycleOptions:
    """Flags of kube-controller-manager."""

    monitor_period_ns: int = 5 * SECOND_NS
    monitor_grace_ns: int = 50 * SECOND_NS
    startup_grace_ns: int = 60 * SECOND_NS
    limits: EvictionLimits = field(default_factory=EvictionLimits)


def ready_status(node: Object) -> str | None:
    """Status of the condition Ready, or None where the node has none."""
    ready = condition_of(node, "Ready")
    return ready["status"] if ready is not None else None


class NodeLifecycle(Controller):
    """NoSchedule taints follow each change of a node; everything else happens in a pass every few seconds."""

    def __init__(self, client: Client, options: NodeLifecycleOptions = NodeLifecycleOptions()) -> None:
        super().__init__(client)
        self._options = options
        self._health: dict[str, NodeHealth] = {}
        self._known: dict[str, Object] = {}
        self._zones: dict[str, ZoneState] = {}
        self._queues: dict[str, TaintQueue] = {}
        self._is_polling = False

    def start(self) -> None:
        """Watch nodes and pods, and begin the passes."""
        self.client.subscribe("nodes", self._on_node)
        self.client.subscribe("pods", self._on_pod)
        for node in self.client.list("nodes"):
            self.enqueue("", node["metadata"]["name"])
        self.client.loop.after(0, self._monitor)

    def _on_node(self, event: WatchEvent) -> None:
        if event.type != "DELETED":
            self.enqueue_object(event)

    def _on_pod(self, event: WatchEvent) -> None:
        """A pod that was just bound to a node that is not ready is marked so too."""
        node_name = event.object["spec"].get("nodeName")
        was_bound = event.previous is not None and event.previous["spec"].get("nodeName")
        if event.type == "DELETED" or not node_name or was_bound:
            return
        node = self.client.get("nodes", "", node_name)
        pod = self.client.get("pods", *key_of(event.object))
        is_down = node is not None and node_name in self._health and ready_status(node) not in (None, "True")
        if is_down and pod is not None:
            self._mark_pods([pod])

    def reconcile(self, namespace: str, name: str) -> None:
        """Give a node the NoSchedule taints that its conditions call for."""
        node = self.client.get("nodes", "", name)
        if node is None:
            return
        changed = with_no_schedule(node, self.client.now_ns)
        if changed is not None:
            self.client.update("nodes", changed)

    def _monitor(self) -> None:
        """One pass over all nodes."""
        nodes = self.client.list("nodes")
        self._register(nodes)
        ready_by_zone: dict[str, list[bool]] = {}
        for node in nodes:
            before = ready_status(node)
            node = self._check(node)
            after = ready_status(node)
            if EXCLUDED_LABEL not in (node["metadata"].get("labels") or {}):
                ready_by_zone.setdefault(zone_key(node), []).append(after == "True")
            if after is not None:
                self._taint_for(node, after)
                self._announce(node, before, after)
        self._judge_zones(ready_by_zone)
        self._poll_later()
        self.client.loop.after(self._options.monitor_period_ns, self._monitor)

    def _register(self, nodes: list[Object]) -> None:
        present = {node["metadata"]["name"]: node for node in nodes}
        for name in [name for name in self._known if name not in present]:
            node = self._known.pop(name)
            self._health.pop(name, None)
            self._queue_of(node).remove(name)
            self._record(node, "RemovingNode", f"Removing Node {name} from Controller")
        for name, node in present.items():
            self._queue_of(node)
            if name not in self._known:
                self._record(node, "RegisteredNode", f"Registered Node {name} in Controller")
                self._mark_reachable(node)
            self._known[name] = node

    def _record(self, node: Object, reason: str, text: str) -> None:
        self.client.events.record(node, "Normal", reason, f"Node {node['metadata']['name']} event: {text}")

    def _queue_of(self, node: Object) -> TaintQueue:
        zone = zone_key(node)
        if zone not in self._queues:
            rate = self._options.limits.node_eviction_rate
            self._queues[zone] = TaintQueue(rate, self.client.now_ns)
            self._zones[zone] = ZoneState.INITIAL
        return self._queues[zone]

    def _check(self, node: Object) -> Object:
        """Note signs of life; when there was none for too long, make the conditions Unknown. Returns the node."""
        name, now_ns = node["metadata"]["name"], self.client.now_ns
        lease = self.client.get("leases.coordination.k8s.io", LEASE_NAMESPACE, name)
        health = self._health[name] = observe(self._health.get(name), node, lease, now_ns)
        is_new = ready_status(node) is None
        grace_ns = self._options.startup_grace_ns if is_new else self._options.monitor_grace_ns
        if now_ns <= health.probe_ns + grace_ns or ready_status(node) == "Unknown":
            return node
        status = {**(node.get("status") or {}), "conditions": with_unknown_conditions(node, now_ns)}
        node = self.client.set_status("nodes", node, status)
        ready = condition_of(node, "Ready")
        self._health[name] = replace(health, heartbeat=ready.get("lastHeartbeatTime") if ready else None)
        return node

    def _taint_for(self, node: Object, status: str) -> None:
        """processTaintBaseEviction: queue the NoExecute taint, swap it for the other one, or take both off."""
        if status == "True":
            self._mark_reachable(node)
            return
        wanted, opposite = _taint_keys(status)
        name, queue = node["metadata"]["name"], self._queue_of(node)
        if has_taint(node, opposite, "NoExecute"):
            self._set_no_execute(name, wanted, opposite)
        else:
            if not has_taint(node, wanted, "NoExecute"):
                queue.remove(name)
            queue.add(name)

    def _set_no_execute(self, name: str, wanted: str, opposite: str) -> None:
        node = self.client.get("nodes", "", name)
        if node is None:
            return
        added = [] if has_taint(node, wanted, "NoExecute") else [wanted]
        now_ns = self.client.now_ns
        self.client.update("nodes", with_taints(node, added, "NoExecute", [(opposite, "NoExecute")], now_ns))

    def _mark_reachable(self, node: Object) -> None:
        name = node["metadata"]["name"]
        self._queue_of(node).remove(name)
        node = self.client.get("nodes", "", name) or node
        present = [(key, "NoExecute") for key in (UNREACHABLE, NOT_READY) if has_taint(node, key, "NoExecute")]
        if present:
            self.client.update("nodes", with_taints(node, (), "NoExecute", present, self.client.now_ns))

    def _announce(self, node: Object, before: str | None, after: str) -> None:
        """When Ready has just left True by this controller's hand, say so and mark the pods."""
        if before == "True" and after != "True":
            name = node["metadata"]["name"]
            self.client.events.record(node, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
            self._mark_pods(self.client.pods_on_node(name))

    def _mark_pods(self, pods: list[Object]) -> None:
        """MarkPodsNotReady: the pods' condition Ready becomes False, with an event on each."""
        for pod in pods:
            ready = condition_of(pod, "Ready")
            if ready is None or ready["status"] == "False":
                continue
            status = with_condition(pod["status"], {**ready, "status": "False"}, self.client.now_ns)
            pod = self.client.set_status("pods", pod, status)
            self.client.events.record(pod, "Warning", "NodeNotReady", "Node is not ready")

    def _poll_later(self) -> None:
        if not self._is_polling and any(queue.is_moving for queue in self._queues.values()):
            self._is_polling = True
            self.client.loop.after(TAINT_POLL_NS, self._poll)

    def _poll(self) -> None:
        """doNoExecuteTaintingPass: taint the nodes whose turn it is."""
        self._is_polling = False
        for queue in self._queues.values():
            name = queue.take(self.client.now_ns)
            node = self.client.get("nodes", "", name) if name is not None else None
            status = ready_status(node) if node is not None else None
            if name is not None and status in ("False", "Unknown"):
                self._set_no_execute(name, *_taint_keys(status))
        self._poll_later()

    def _judge_zones(self, ready_by_zone: dict[str, list[bool]]) -> None:
        """handleDisruption: rates follow the zones' states; when every zone is down, all tainting stops."""
        limits = self._options.limits
        states = {zone: zone_state(ready, limits.unhealthy_zone_threshold) for zone, ready in ready_by_zone.items()}
        before = {zone: self._zones.get(zone, ZoneState.INITIAL) for zone in states}
        is_all_down = all(state is ZoneState.FULL_DISRUPTION for state in states.values())
        was_all_down = all(state is ZoneState.FULL_DISRUPTION for state in before.values())
        self._zones = states
        if is_all_down and was_all_down:
            return
        if is_all_down:
            for node in self._known.values():
                self._mark_reachable(node)
        elif was_all_down:
            now_ns = self.client.now_ns
            self._health = {name: replace(health, probe_ns=now_ns) for name, health in self._health.items()}
        for zone, state in states.items():
            rate = 0.0 if is_all_down else eviction_rate(state, len(ready_by_zone[zone]), limits)
            self._queues[zone].set_rate(rate, self.client.now_ns)


def _taint_keys(status: str) -> tuple[str, str]:
    """The NoExecute taint of a Ready status, and the one that it takes the place of."""
    return (NOT_READY, UNREACHABLE) if status == "False" else (UNREACHABLE, NOT_READY)
