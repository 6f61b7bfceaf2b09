"""NetworkPolicies as the nodes enforce them: which pod may open a connection to which.

Source: kubernetes networking.k8s.io/v1 API conventions; aws/amazon-vpc-cni-k8s network policy agent (standard mode: a
new pod may do everything until its policies have reached the node, and others do not know its address until then).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.client import Client
from labs.api.selectors import LabelSelector, selector_from_label_selector
from labs.api.store import Object, WatchEvent
from labs.sim.loop import Timer
from labs.units import SECOND_NS

POLICIES = "networkpolicies.networking.k8s.io"
LAG_NS = 2 * SECOND_NS
"""From a change of a policy, or of labels, until every node acts on it: controller, policy endpoints, agent."""
DNS_PORT = 53
_DNS_PODS = selector_from_label_selector({"matchLabels": {"k8s-app": "kube-dns"}})


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What policies see of a pod. ``ports`` are its container ports by name."""

    namespace: str
    labels: Mapping[str, str]
    namespace_labels: Mapping[str, str]
    ports: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Peer:
    """One entry of ``from`` or ``to``: a range of addresses, or pods of some namespaces."""

    namespace: str
    pods: LabelSelector | None = None
    namespaces: LabelSelector | None = None
    block: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    excepted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def matches(self, address: str, pod: PodFacts | None) -> bool:
        """Whether the other side of a connection is meant; ``pod`` is None for what is no pod."""
        if self.block is not None:
            if not address:
                return False
            number = ipaddress.ip_address(address)
            return number in self.block and not any(number in inner for inner in self.excepted)
        if pod is None:
            return False
        if self.namespaces is None:
            is_in = pod.namespace == self.namespace
        else:
            is_in = self.namespaces.matches(pod.namespace_labels)
        return is_in and (self.pods is None or self.pods.matches(pod.labels))


@dataclass(frozen=True, slots=True)
class PortRange:
    """One entry of ``ports``; ``first`` None stands for every port, a text for a named one."""

    first: int | str | None
    last: int | None
    protocol: str = "TCP"

    def has(self, port: int, protocol: str, names: Mapping[str, int]) -> bool:
        """Whether a port is meant."""
        if protocol != self.protocol:
            return False
        if self.first is None:
            return True
        if isinstance(self.first, str):
            return names.get(self.first) == port
        return self.first <= port <= (self.last or self.first)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed: any of ``peers`` (None: everybody) on any of ``ports`` (None: every port)."""

    peers: tuple[Peer, ...] | None
    ports: tuple[PortRange, ...] | None

    def has_port(self, port: int, protocol: str, names: Mapping[str, int]) -> bool:
        """Whether the rule speaks of a port."""
        return self.ports is None or any(item.has(port, protocol, names) for item in self.ports)

    def has_peer(self, address: str, pod: PodFacts | None) -> bool:
        """Whether the rule speaks of the other side."""
        return self.peers is None or any(peer.matches(address, pod) for peer in self.peers)


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy, read. A direction that it does not name is None and is not restricted."""

    namespace: str
    pods: LabelSelector
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None

    def selects(self, pod: PodFacts) -> bool:
        """Whether the policy is about the pod."""
        return pod.namespace == self.namespace and self.pods.matches(pod.labels)


def parse_policy(policy: Object) -> Policy:
    """A policy from its wire form."""
    spec, namespace = policy["spec"], policy["metadata"]["namespace"]
    types = spec.get("policyTypes") or (("Ingress", "Egress") if spec.get("egress") else ("Ingress",))
    ingress = tuple(_rule(rule, "from", namespace) for rule in spec.get("ingress") or ())
    egress = tuple(_rule(rule, "to", namespace) for rule in spec.get("egress") or ())
    return Policy(
        namespace,
        selector_from_label_selector(spec.get("podSelector") or {}),
        ingress if "Ingress" in types else None,
        egress if "Egress" in types else None,
    )


def _rule(rule: Mapping[str, Any], side: str, namespace: str) -> Rule:
    peers = tuple(_peer(peer, namespace) for peer in rule.get(side) or ())
    ports = tuple(
        PortRange(port.get("port"), port.get("endPort"), port.get("protocol") or "TCP")
        for port in rule.get("ports") or ()
    )
    return Rule(peers or None, ports or None)


def _peer(peer: Mapping[str, Any], namespace: str) -> Peer:
    block = peer.get("ipBlock")
    if block is not None:
        excepted = tuple(ipaddress.ip_network(text, strict=False) for text in block.get("except") or ())
        return Peer(namespace, block=ipaddress.ip_network(block["cidr"], strict=False), excepted=excepted)

    def selector(key: str) -> LabelSelector | None:
        return selector_from_label_selector(peer[key]) if peer.get(key) is not None else None

    return Peer(namespace, selector("podSelector"), selector("namespaceSelector"))


@dataclass(frozen=True, slots=True)
class Enforcement:
    """The policies and pods as every node knows them."""

    policies: Sequence[Policy]
    pods: Mapping[str, PodFacts]

    def allows(self, source: str, target: str, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection from address to address is let through on both sides."""
        if not self.policies or source == target:  # no policy keeps a pod from itself
            return True
        caller, callee = self.pods.get(source), self.pods.get(target)
        names = callee.ports if callee is not None else {}
        leaving = self._rules(caller, "egress")
        if leaving is not None and not any(
            rule.has_port(port, protocol, names) and rule.has_peer(target, callee) for rule in leaving
        ):
            return False
        entering = self._rules(callee, "ingress")
        return entering is None or any(
            rule.has_port(port, protocol, names) and rule.has_peer(source, caller) for rule in entering
        )

    def resolves_names(self, source: str) -> bool:
        """Whether a pod may ask the cluster's DNS; a cluster without DNS pods answers everybody."""
        servers = [address for address, pod in self.pods.items() if _DNS_PODS.matches(pod.labels)]
        return not servers or any(self.allows(source, server, DNS_PORT, "UDP") for server in servers)

    def _rules(self, pod: PodFacts | None, direction: str) -> list[Rule] | None:
        """The rules that hold for a pod together; None when no policy restricts it."""
        if pod is None:
            return None
        found = [getattr(policy, direction) for policy in self.policies if policy.selects(pod)]
        restricting = [rules for rules in found if rules is not None]
        return [rule for rules in restricting for rule in rules] if restricting else None


OPEN = Enforcement((), {})


class PolicyAgent:
    """Follows policies, pods and namespaces; ``changed`` is called when the nodes act on something new."""

    def __init__(self, client: Client, changed: Callable[[], None]) -> None:
        self._client = client
        self._changed = changed
        self._timer: Timer | None = None
        self.enforcement = OPEN

    def start(self) -> None:
        """Watch from now on."""
        self._client.subscribe(POLICIES, self._on_policy)
        self._client.subscribe("pods", self._on_pod)
        self._client.subscribe("namespaces", self._on_namespace)
        if self._client.list(POLICIES):
            self._enforce()

    def _on_policy(self, event: WatchEvent) -> None:
        self._enforce_soon()

    def _on_namespace(self, event: WatchEvent) -> None:
        if self.enforcement.policies:
            self._enforce_soon()

    def _on_pod(self, event: WatchEvent) -> None:
        if self.enforcement.policies and (event.previous is None or _seen(event.previous) != _seen(event.object)):
            self._enforce_soon()

    def _enforce_soon(self) -> None:
        if self._timer is None:
            self._timer = self._client.loop.after(LAG_NS, self._enforce)

    def _enforce(self) -> None:
        self._timer = None
        policies = [parse_policy(policy) for policy in self._client.list(POLICIES)]
        self.enforcement = Enforcement(policies, self._pods(self._client.list("pods"))) if policies else OPEN
        self._changed()

    def _pods(self, pods: Iterable[Object]) -> dict[str, PodFacts]:
        """Pods by address. Those on the host's network have none of their own, and no policy is about them."""
        labels = {
            item["metadata"]["name"]: item["metadata"].get("labels") or {} for item in self._client.list("namespaces")
        }
        found = {}
        for pod in pods:
            address, metadata = (pod.get("status") or {}).get("podIP"), pod["metadata"]
            if address and not pod["spec"].get("hostNetwork"):
                namespace = metadata["namespace"]
                facts = PodFacts(namespace, metadata.get("labels") or {}, labels.get(namespace, {}), _ports(pod))
                found[address] = facts
        return found


def _seen(pod: Object) -> tuple[object, object]:
    return (pod.get("status") or {}).get("podIP"), pod["metadata"].get("labels")


def _ports(pod: Object) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"]
        for container in pod["spec"].get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("name")
    }
