"""Why a pod does not fit a node, and how a whole failed attempt is told.

Source: pkg/scheduler/framework/types.go (FitError) and the ErrReason texts of the plugins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MESSAGE_BYTES = 1024
"""Longest note of an event; a longer one ends in `` ...``."""

NO_NODES = "no nodes available to schedule pods"
NO_VICTIMS = "No preemption victims found for incoming pod"
PREEMPTION_NOT_HELPFUL = "Preemption is not helpful for scheduling"


@dataclass(frozen=True, slots=True)
class Failure:
    """The first filter that refused a node. ``is_resolvable``: removing pods from the node might help."""

    plugin: str
    reasons: tuple[str, ...]
    is_resolvable: bool = False


UNSCHEDULABLE = Failure("NodeUnschedulable", ("node(s) were unschedulable",))
OTHER_NODE_NAME = Failure("NodeName", ("node(s) didn't match the requested node name",))
UNTOLERATED_TAINT = Failure("TaintToleration", ("node(s) had untolerated taint(s)",))
AFFINITY_MISMATCH = Failure("NodeAffinity", ("node(s) didn't match Pod's node affinity/selector",))
NOT_NAMED = Failure("NodeAffinity", ("node(s) didn't satisfy plugin(s) [NodeAffinity]",))
"""A pod whose terms all name nodes, as a DaemonSet's do, is never compared with the other nodes."""
PORTS_TAKEN = Failure("NodePorts", ("node(s) didn't have free ports for the requested pod ports",), True)
_SPREAD = "node(s) didn't match pod topology spread constraints"
SPREAD_SKEWED = Failure("PodTopologySpread", (_SPREAD,), True)
SPREAD_LABEL_MISSING = Failure("PodTopologySpread", (f"{_SPREAD} (missing required label)",))
POD_AFFINITY = Failure("InterPodAffinity", ("node(s) didn't match pod affinity rules",))
POD_ANTI_AFFINITY = Failure("InterPodAffinity", ("node(s) didn't match pod anti-affinity rules",), True)
EXISTING_ANTI_AFFINITY = Failure(
    "InterPodAffinity", ("node(s) didn't satisfy existing pods anti-affinity rules",), True
)


def missing_claim(name: str) -> Failure:
    """The failure, on every node, of a pod that names a claim which does not exist."""
    return Failure("VolumeBinding", (f'persistentvolumeclaim "{name}" not found',))


def availability(node_count: int, reasons: Iterable[str]) -> str:
    """``0/20 nodes are available: 2 <reason>, 18 <reason>.``; the counted reasons are sorted as texts."""
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    listed = f" {', '.join(counted)}." if counted else ""
    return f"0/{node_count} nodes are available:{listed}"


def fit_error(node_count: int, failures: Mapping[str, Failure], post_filter: str) -> str:
    """The message of an attempt in which every node was refused."""
    text = availability(node_count, (reason for failure in failures.values() for reason in failure.reasons))
    return f"{text} {post_filter}" if post_filter else text


def prefilter_error(node_count: int, failure: Failure, post_filter: str) -> str:
    """The message of an attempt that ended before any node was looked at."""
    text = f"0/{node_count} nodes are available: {', '.join(failure.reasons)}."
    return f"{text} {post_filter}" if post_filter else text


def cut(message: str) -> str:
    """``message`` within the length of an event's note."""
    encoded = message.encode()
    if len(encoded) <= MESSAGE_BYTES:
        return message
    return encoded[: MESSAGE_BYTES - len(" ...")].decode(errors="ignore") + " ..."
