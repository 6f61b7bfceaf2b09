"""The ReplicaSet controller: as many pods as asked for. ReplicationControllers follow the same rules.

Source: kubernetes/kubernetes pkg/controller/replicaset/{replica_set,replica_set_utils}.go,
pkg/controller/replication/conversion.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from labs.api.client import Client
from labs.api.selectors import selector_of
from labs.api.store import Object, WatchEvent
from labs.controlplane import pods as pod_facts
from labs.controlplane.ownership import (
    ORPHANS,
    claim,
    controlled_by,
    index_orphans,
    owners_selecting,
)
from labs.controlplane.ranking import choose_for_deletion
from labs.controlplane.runtime import Controller, controller_of, owner_reference
from labs.errors import ApiError
from labs.units import SECOND_NS, rfc3339

REPLICA_SETS, REPLICA_SET = "replicasets.apps", "ReplicaSet"
BURST_REPLICAS = 500
"""Most pods that one sync creates or deletes."""

TALLY = "replicaset tally"
BOUND_LABELS = "topology.kubernetes.io/"
"""What a pod is given when it is bound, beside its template's labels, begins so."""


def slow_start_batches(count: int) -> Iterator[int]:
    """Sizes of the batches in which ``count`` pods are created: 1, 2, 4 ... and the rest."""
    size = 1
    while count > 0:
        batch = min(size, count)
        yield batch
        count -= batch
        size *= 2


@dataclass(frozen=True, slots=True)
class Counts:
    """A ReplicaSet's status in numbers."""

    replicas: int
    fully_labeled: int
    ready: int
    available: int
    terminating: int


def count_pods(
    active: Sequence[Object], terminating: int, labels: Mapping[str, str], min_ready_s: int, now_ns: int
) -> Counts:
    """``calculateStatus``: what the set's pods amount to; ``labels`` are its template's."""
    wanted = labels.items()
    available_at_ns = [at for at in (pod_facts.available_at_ns(pod, min_ready_s) for pod in active) if at is not None]
    return Counts(
        replicas=len(active),
        fully_labeled=sum(wanted <= (pod["metadata"].get("labels") or {}).items() for pod in active),
        ready=sum(map(pod_facts.is_ready, active)),
        available=sum(at <= now_ns for at in available_at_ns),
        terminating=terminating,
    )


def status_of(counts: Counts, generation: int, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """The status in wire form, without the numbers that are zero."""
    status: dict[str, Any] = {"replicas": counts.replicas}
    for field, value in (
        ("fullyLabeledReplicas", counts.fully_labeled),
        ("readyReplicas", counts.ready),
        ("availableReplicas", counts.available),
    ):
        if value:
            status[field] = value
    status["terminatingReplicas"] = counts.terminating
    status["observedGeneration"] = generation
    if conditions:
        status["conditions"] = conditions
    return status


def tally_values(pod: Object) -> Iterator[str]:
    """What a ReplicaSet counts its pod as; sizes of this index make a sync's cost independent of the set's size."""
    owner = controller_of(pod)
    if owner is None or owner["kind"] not in ("ReplicaSet", "ReplicationController"):
        return
    uid = owner["uid"]
    yield f"{uid} {_text_of(pod['metadata'].get('labels') or {})}"
    if pod_facts.is_active(pod):
        yield f"{uid} active"
        if pod_facts.is_ready(pod):
            yield f"{uid} ready"
    elif pod_facts.is_terminating(pod):
        yield f"{uid} terminating"


def _text_of(labels: Mapping[str, str]) -> str:
    return ",".join(sorted(f"{key}={value}" for key, value in labels.items() if not key.startswith(BOUND_LABELS)))


def template_labels(replica_set: Object) -> dict[str, str]:
    """The labels that the set's pods are created with."""
    labels: dict[str, str] = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return labels


class ReplicaSetController(Controller):
    """Creates and deletes the pods of ReplicaSets, and counts them."""

    resource: ClassVar[str] = REPLICA_SETS
    kind: ClassVar[str] = REPLICA_SET

    def start(self) -> None:
        """Watch ReplicaSets and pods."""
        index_orphans(self.client, "pods")
        self.client.api.store.add_index("pods", TALLY, tally_values)
        self.watch(self.resource, self.enqueue_object)
        self.watch("pods", self._on_pod)

    def _on_pod(self, event: WatchEvent) -> None:
        self.enqueue_controller_of(event, self.kind)
        for name in owners_selecting(self.client, self.resource, event):
            self.enqueue(event.object["metadata"]["namespace"], name)
        self._recheck_when_available(event)

    def _recheck_when_available(self, event: WatchEvent) -> None:
        owner = controller_of(event.object)
        if owner is None or owner["kind"] != self.kind or event.previous is None:
            return
        if pod_facts.is_ready(event.previous) or not pod_facts.is_ready(event.object):
            return
        namespace = event.object["metadata"]["namespace"]
        replica_set = self.client.get(self.resource, namespace, owner["name"])
        min_ready_s = replica_set["spec"].get("minReadySeconds", 0) if replica_set else 0
        if min_ready_s:
            # One second more, since the pod's time of readiness is kept in whole seconds.
            self.enqueue(namespace, owner["name"], (min_ready_s + 1) * SECOND_NS)

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring one set's pods to its size and write its status. Raises the first ApiError of its writes."""
        replica_set = self.client.get(self.resource, namespace, name)
        if replica_set is None:
            return
        active: list[Object] = []
        counts = self._tally(replica_set)
        if counts is None or counts.replicas > replica_set["spec"].get("replicas", 1):
            owned = claim(self.client, "pods", replica_set)
            active = [pod for pod in owned if pod_facts.is_active(pod)]
            counts = self._count(replica_set, active, sum(map(pod_facts.is_terminating, owned)))
        error = None
        if not pod_facts.is_leaving(replica_set):
            error = self._manage(replica_set, counts.replicas, active)
        # The pods as they were before this sync's own writes: their events bring the next one.
        self._write_status(replica_set, counts, error)
        if error is not None:
            raise error
        self._recheck_min_ready(replica_set, active, counts)

    def _tally(self, replica_set: Object) -> Counts | None:
        """The set's pods as the index has them; None where they must be looked at one by one.

        That is so when a pod may have to be adopted or released, or becomes available only with time.
        """
        store, uid = self.client.api.store, replica_set["metadata"]["uid"]
        labels = template_labels(replica_set)
        owned = store.index_size("pods", TALLY, f"{uid} {_text_of(labels)}")
        if (
            replica_set["spec"].get("minReadySeconds")
            or store.index_size("pods", "owner", uid) != owned
            or store.index_size("pods", ORPHANS, replica_set["metadata"]["namespace"])
            or not selector_of(replica_set).matches(labels)
            or BOUND_LABELS in str((labels, replica_set["spec"]["selector"]))
        ):
            return None
        active, ready, terminating = (
            store.index_size("pods", TALLY, f"{uid} {state}") for state in ("active", "ready", "terminating")
        )
        return Counts(active, active, ready, ready, terminating)

    def _count(self, replica_set: Object, active: list[Object], terminating: int) -> Counts:
        min_ready_s = replica_set["spec"].get("minReadySeconds", 0)
        return count_pods(active, terminating, template_labels(replica_set), min_ready_s, self.client.now_ns)

    def _manage(self, replica_set: Object, count: int, active: list[Object]) -> ApiError | None:
        missing = replica_set["spec"].get("replicas", 1) - count
        if missing > 0:
            return self._create(replica_set, min(missing, BURST_REPLICAS))
        if missing < 0:
            return self._delete(replica_set, active, min(-missing, BURST_REPLICAS))
        return None

    def _create(self, replica_set: Object, count: int) -> ApiError | None:
        template, reference = replica_set["spec"]["template"], owner_reference(replica_set)
        pod = pod_facts.pod_from_template(template, replica_set, reference)
        for batch in slow_start_batches(count):
            errors = [error for error in (create_pod(self.client, replica_set, pod) for _ in range(batch)) if error]
            if errors:
                return errors[0]
        return None

    def _delete(self, replica_set: Object, active: list[Object], count: int) -> ApiError | None:
        related = self._related_pods(replica_set) if count < len(active) else []
        first: ApiError | None = None
        for pod in choose_for_deletion(active, related, count, self.client.now_ns):
            error = delete_pod(self.client, replica_set, pod)
            first = first or error
        return first

    def _related_pods(self, replica_set: Object) -> list[Object]:
        """The pods of every set of the same controller."""
        owner = controller_of(replica_set)
        sets = [replica_set] if owner is None else controlled_by(self.client, self.resource, owner["uid"])
        return [pod for item in sets for pod in controlled_by(self.client, "pods", item["metadata"]["uid"])]

    def _write_status(self, replica_set: Object, counts: Counts, error: ApiError | None) -> None:
        conditions = failure_conditions(replica_set, counts.replicas, error, self.client.now_ns)
        status = status_of(counts, replica_set["metadata"].get("generation", 0), conditions)
        if self.kind != REPLICA_SET:
            del status["terminatingReplicas"]
        if status != replica_set.get("status"):
            self.client.update_status(self.resource, {**replica_set, "status": status})

    def _recheck_min_ready(self, replica_set: Object, active: list[Object], counts: Counts) -> None:
        spec = replica_set["spec"]
        min_ready_s, wanted = spec.get("minReadySeconds", 0), spec.get("replicas", 1)
        if not min_ready_s or counts.ready != wanted or counts.available == wanted:
            return
        now_ns = self.client.now_ns
        waiting = [at for at in (pod_facts.available_at_ns(pod, min_ready_s) for pod in active) if at and at > now_ns]
        delay_ns = min(waiting) - now_ns if waiting else min_ready_s * SECOND_NS
        self.enqueue(*_key(replica_set), after_ns=delay_ns)


class ReplicationControllerController(ReplicaSetController):
    """The same for ReplicationControllers, which differ in their selector and report no terminating pods."""

    resource = "replicationcontrollers"
    kind = "ReplicationController"


def failure_conditions(replica_set: Object, active: int, error: ApiError | None, now_ns: int) -> list[dict[str, Any]]:
    """The set's conditions next: ReplicaFailure comes with the first error and goes with the first success."""
    present = list((replica_set.get("status") or {}).get("conditions") or ())
    others = [item for item in present if item["type"] != "ReplicaFailure"]
    if error is None:
        return others
    if len(others) < len(present):
        return present
    is_short = active < replica_set["spec"].get("replicas", 1)
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": rfc3339(now_ns),
        "reason": "FailedCreate" if is_short else "FailedDelete",
        "message": error.message,
    }
    return [*others, condition]


def create_pod(client: Client, owner: Object, pod: Object) -> ApiError | None:
    """Create a pod and say so as an event of ``owner``; the refusal, or None.

    A namespace that is being deleted refuses every pod: that is no error.
    """
    try:
        created = client.create("pods", pod)
    except ApiError as error:
        causes = (error.details or {}).get("causes") or ()
        if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
            return None
        client.events.record(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
        return error
    client.events.record(owner, "Normal", "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
    return None


def delete_pod(client: Client, owner: Object, pod: Object) -> ApiError | None:
    """Delete a pod and say so as an event of ``owner``; the refusal, or None."""
    name = pod["metadata"]["name"]
    try:
        deleted = client.delete("pods", pod["metadata"]["namespace"], name)
    except ApiError as error:
        client.events.record(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
        return error
    if deleted is not None:
        client.events.record(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")
    return None


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]
