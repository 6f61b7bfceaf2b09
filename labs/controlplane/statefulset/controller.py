"""The StatefulSet controller.

Source: kubernetes/kubernetes pkg/controller/statefulset/{stateful_set,stateful_set_control,stateful_pod_control}.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labs.api.store import Object, WatchEvent
from labs.controlplane import pods as pod_facts
from labs.controlplane.history import REVISION_LABEL, list_revisions, prune_revisions, template_of, update_revision
from labs.controlplane.ownership import claim, index_orphans, is_controlled_by, owners_selecting
from labs.controlplane.runtime import Controller, key_of
from labs.controlplane.statefulset.identity import claim_names, claim_owner, new_claims, new_pod, ordinal_of
from labs.controlplane.statefulset.plan import Order, Plan, Replica, plan
from labs.errors import ApiError
from labs.units import SECOND_NS

STATEFUL_SETS = "statefulsets.apps"
CLAIMS = "persistentvolumeclaims"
HASH_LABEL = "controller.kubernetes.io/hash"


class StatefulSetController(Controller):
    """Keeps the pods and claims of StatefulSets, one after the other unless told otherwise."""

    def start(self) -> None:
        """Watch StatefulSets and pods."""
        index_orphans(self.client, "pods")
        self.watch(STATEFUL_SETS, self.enqueue_object)
        self.watch("pods", self._on_pod)

    def _on_pod(self, event: WatchEvent) -> None:
        self.enqueue_controller_of(event, "StatefulSet")
        for name in owners_selecting(self.client, STATEFUL_SETS, event):
            self.enqueue(event.object["metadata"]["namespace"], name)

    def reconcile(self, namespace: str, name: str) -> None:
        """Take one set's next step and write its status. Raises the ApiError of a write."""
        stateful_set = self.client.get(STATEFUL_SETS, namespace, name)
        if stateful_set is None:
            return
        pods = claim(
            self.client,
            "pods",
            stateful_set,
            lambda pod: ordinal_of(pod["metadata"]["name"], stateful_set) is not None,
        )
        members = {
            ordinal: pod for pod in pods if (ordinal := ordinal_of(pod["metadata"]["name"], stateful_set)) is not None
        }
        updated = update_revision(self.client, stateful_set, HASH_LABEL)
        current = self._current_revision(stateful_set, updated)
        if not pod_facts.is_leaving(stateful_set):
            replicas = [self._replica(stateful_set, ordinal, pod) for ordinal, pod in members.items()]
            next_step = plan(Order.of(stateful_set["spec"]), replicas, updated["metadata"]["name"])
            self._adopt_claims(stateful_set, members)
            self._carry_out(stateful_set, next_step, members, (current, updated))
        self._write_status(stateful_set, members, current, updated)
        live = {item["metadata"]["name"] for item in (current, updated)}
        live |= {(pod["metadata"].get("labels") or {}).get(REVISION_LABEL, "") for pod in pods}
        prune_revisions(self.client, stateful_set, live)

    def _current_revision(self, stateful_set: Object, updated: Object) -> Object:
        name = (stateful_set.get("status") or {}).get("currentRevision")
        return next(
            (item for item in list_revisions(self.client, stateful_set) if item["metadata"]["name"] == name), updated
        )

    def _replica(self, stateful_set: Object, ordinal: int, pod: Object) -> Replica:
        is_ready = pod_facts.is_ready(pod) and pod_facts.phase_of(pod) == "Running"
        return Replica(
            ordinal=ordinal,
            revision=(pod["metadata"].get("labels") or {}).get(REVISION_LABEL, ""),
            is_ready=is_ready,
            is_available=is_ready and self._is_available(stateful_set, pod),
            is_leaving=pod_facts.is_leaving(pod),
            has_ended=pod_facts.is_terminal(pod),
        )

    def _is_available(self, stateful_set: Object, pod: Object) -> bool:
        at_ns = pod_facts.available_at_ns(pod, stateful_set["spec"].get("minReadySeconds", 0))
        if at_ns is not None and at_ns > self.client.now_ns:
            self.enqueue(*key_of(stateful_set), at_ns - self.client.now_ns + SECOND_NS)
        return at_ns is not None and at_ns <= self.client.now_ns

    def _carry_out(
        self, stateful_set: Object, step: Plan, members: Mapping[int, Object], revisions: tuple[Object, Object]
    ) -> None:
        where = f"{stateful_set['metadata']['namespace']}/{stateful_set['metadata']['name']}"
        order = Order.of(stateful_set["spec"])
        for ordinal in step.replace:
            pod = members[ordinal]
            word, kind = ("failed", "Warning") if pod_facts.phase_of(pod) == "Failed" else ("terminated", "Normal")
            text = f"StatefulSet {where} is recreating {word} Pod {pod['metadata']['name']}"
            self.client.events.record(stateful_set, kind, f"Recreating{word.title()}Pod", text)
            self._delete(stateful_set, pod)
        for ordinal in step.create:
            current, updated = revisions
            self._create(stateful_set, ordinal, current if order.keeps_current(ordinal) else updated)
        for ordinal in (*step.scale_down, *step.update):
            self._delete(stateful_set, members[ordinal])

    def _create(self, stateful_set: Object, ordinal: int, revision: Object) -> None:
        pod = new_pod(stateful_set, template_of(revision), revision["metadata"]["name"], ordinal)
        name, owner = pod["metadata"]["name"], stateful_set["metadata"]["name"]
        for wanted in new_claims(stateful_set, name):
            self._create_claim(stateful_set, wanted, name)
        try:
            self.client.create("pods", pod)
        except ApiError as error:
            text = f"Create Pod {name} in StatefulSet {owner} failed error: {error.message}"
            self.client.events.record(stateful_set, "Warning", "FailedCreate", text)
            raise
        text = f"Create Pod {name} in StatefulSet {owner} successful"
        self.client.events.record(stateful_set, "Normal", "SuccessfulCreate", text)

    def _create_claim(self, stateful_set: Object, wanted: Object, pod: str) -> None:
        metadata, owner = wanted["metadata"], stateful_set["metadata"]["name"]
        if self.client.get(CLAIMS, metadata["namespace"], metadata["name"]) is not None:
            return
        holder = claim_owner(stateful_set, None, is_condemned=False)
        if holder is not None:
            metadata["ownerReferences"] = [holder]
        try:
            self.client.create(CLAIMS, wanted)
        except ApiError as error:
            text = f"Create Claim {metadata['name']} for Pod {pod} in StatefulSet {owner} failed error: {error.message}"
            self.client.events.record(stateful_set, "Warning", "FailedCreate", text)
            raise
        text = f"Create Claim {metadata['name']} Pod {pod} in StatefulSet {owner} success"
        self.client.events.record(stateful_set, "Normal", "SuccessfulCreate", text)

    def _adopt_claims(self, stateful_set: Object, members: Mapping[int, Object]) -> None:
        """Have each claim go with the set, with its pod, or with nobody, as the retention policy says."""
        order = Order.of(stateful_set["spec"])
        for ordinal, pod in members.items():
            wanted = claim_owner(stateful_set, pod, is_condemned=ordinal not in order)
            own = (stateful_set["metadata"]["uid"], pod["metadata"]["uid"])
            for name in claim_names(stateful_set, pod["metadata"]["name"]).values():
                found = self.client.get(CLAIMS, pod["metadata"]["namespace"], name)
                if found is None:
                    continue
                before = found["metadata"].get("ownerReferences") or []
                after = [item for item in before if item["uid"] not in own] + ([wanted] if wanted else [])
                if before != after:
                    metadata = {**found["metadata"], "ownerReferences": after}
                    self.client.update(CLAIMS, {**found, "metadata": metadata})

    def _delete(self, stateful_set: Object, pod: Object) -> None:
        name, owner = pod["metadata"]["name"], stateful_set["metadata"]["name"]
        self.client.delete("pods", pod["metadata"]["namespace"], name)
        text = f"Delete Pod {name} in StatefulSet {owner} successful"
        self.client.events.record(stateful_set, "Normal", "SuccessfulDelete", text)

    def _write_status(
        self, stateful_set: Object, members: Mapping[int, Object], current: Object, updated: Object
    ) -> None:
        """Count the pods that were there and those that this sync made."""
        metadata, order = stateful_set["metadata"], Order.of(stateful_set["spec"])
        ordinals = {*members, *range(order.start, order.start + order.count)}
        pods = [self.client.get("pods", metadata["namespace"], f"{metadata['name']}-{n}") for n in sorted(ordinals)]
        own = [pod for pod in pods if pod is not None and is_controlled_by(pod, metadata["uid"])]
        replicas = [self._replica(stateful_set, 0, pod) for pod in own]
        names = (current["metadata"]["name"], updated["metadata"]["name"])
        status = _status(replicas, stateful_set["spec"], names, metadata["generation"])
        if status != stateful_set.get("status"):
            self.client.set_status(STATEFUL_SETS, stateful_set, status)


def _status(
    replicas: Sequence[Replica], spec: Mapping[str, Any], names: tuple[str, str], generation: int
) -> dict[str, Any]:
    """The status in wire form; a rolling update that is through makes the updated revision the current one."""
    current, updated = names
    staying = [replica for replica in replicas if not replica.is_leaving]
    at_updated = sum(replica.revision == updated for replica in staying)
    ready = sum(replica.is_ready for replica in replicas)
    if Order.of(spec).replaces_old and at_updated == ready == len(replicas) == spec["replicas"]:
        current = updated
    counts = {
        "readyReplicas": ready,
        "currentReplicas": sum(replica.revision == current for replica in staying),
        "updatedReplicas": at_updated,
    }
    return {
        "observedGeneration": generation,
        "replicas": len(replicas),
        **{key: value for key, value in counts.items() if value},
        "currentRevision": current,
        "updateRevision": updated,
        "collisionCount": 0,
        "availableReplicas": sum(replica.is_available for replica in replicas),
    }
