"""One sync of one Deployment: reads its ReplicaSets, asks the rules, writes what differs.

Source: kubernetes/kubernetes pkg/controller/deployment/{sync,rolling,recreate}.go.

As upstream does, a sync works on the objects as it first read them. A second write of the Deployment's status in one
sync is therefore refused as stale, and the rest of the work is done by the retry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from labs.api.client import Client
from labs.api.store import Object
from labs.controlplane.deployment import progress, proportional, revision, rolling
from labs.controlplane.deployment.facts import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    NO_DEADLINE_S,
    REVISION,
    Condition,
    Deployment,
    ReplicaSet,
    Scaling,
    Status,
    deployment_from_wire,
    replica_set_from_wire,
)
from labs.controlplane.deployment.limits import max_surge
from labs.controlplane.ownership import claim, controlled_by
from labs.controlplane.pods import is_terminal
from labs.controlplane.runtime import RetryError, owner_reference
from labs.errors import ApiError

DEPLOYMENTS, REPLICA_SETS = "deployments.apps", "replicasets.apps"


class Sync:
    """The state of one sync. ``recheck_after_ns`` is when the progress deadline wants another one, or None."""

    def __init__(self, client: Client, obj: Object) -> None:
        self.recheck_after_ns: int | None = None
        self._client = client
        self._obj = obj
        self._deployment: Deployment = deployment_from_wire(obj)
        self._sets: dict[str, Object] = {}

    def run(self) -> None:
        """``syncDeployment``. Raises ApiError and RetryError to be tried again."""
        if not self._obj["spec"].get("selector"):
            self._refuse_to_select_all()
            return
        self._sets = {item["metadata"]["name"]: item for item in claim(self._client, REPLICA_SETS, self._obj)}
        if "deletionTimestamp" in self._obj["metadata"]:
            new, old = self._new_and_old(creates=False)
            self._write_calculated_status(new, old)
            return
        is_paused = bool(self._obj["spec"].get("paused"))
        self._mark_paused(is_paused)
        if is_paused or self._is_scaling_event():
            self._scale(is_paused)
        elif self._deployment.strategy == "Recreate":
            self._recreate()
        else:
            self._roll()

    def _refuse_to_select_all(self) -> None:
        text = "This deployment is selecting all pods. A non-empty selector is required."
        self._client.events.record(self._obj, "Warning", "SelectingAll", text)
        if self._deployment.status.observed_generation < self._deployment.generation:
            self._write_status(replace(self._deployment.status, observed_generation=self._deployment.generation))

    def _mark_paused(self, is_paused: bool) -> None:
        condition = progress.paused_condition(self._deployment, is_paused=is_paused)
        if condition is not None:
            self._set_condition(condition)

    def _is_scaling_event(self) -> bool:
        new, old = self._new_and_old(creates=False)
        return any(
            proportional.annotation_value(item.desired_annotation) not in (None, self._deployment.replicas)
            for item in _all(old, new)
            if item.replicas > 0
        )

    def _scale(self, is_paused: bool) -> None:
        new, old = self._new_and_old(creates=False)
        self._apply(proportional.plan_scale(self._deployment, new, old))
        if is_paused:
            self._clean_up(old)
        self._write_calculated_status(new, old)

    def _roll(self) -> None:
        new, old = self._new_and_old(creates=True)
        if new is None:
            return
        everything = _all(old, new)
        try:
            plan = rolling.plan_new(self._deployment, everything, new)
        except ValueError as error:
            raise RetryError(str(error)) from error
        if not plan.scalings:
            active = [item for item in old if item.replicas > 0]
            plan = rolling.plan_old(self._deployment, everything, active, new)
        self._apply(plan.scalings)
        if plan.error:
            raise RetryError(plan.error)
        if not plan.scalings and progress.is_complete(self._deployment, self._deployment.status):
            self._clean_up(old)
        self._write_rollout_status(new, old)

    def _recreate(self) -> None:
        new, old = self._new_and_old(creates=False)
        downs = [Scaling(item.name, 0) for item in old if item.replicas > 0]
        self._apply(downs)
        if downs or self._has_old_pods(new, old):
            self._write_rollout_status(new, old)
            return
        if new is None:
            new, old = self._new_and_old(creates=True)
        if new is not None and new.replicas != self._deployment.replicas:
            self._apply([Scaling(new.name, self._deployment.replicas)])
        if progress.is_complete(self._deployment, self._deployment.status):
            self._clean_up(old)
        self._write_rollout_status(new, old)

    def _has_old_pods(self, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> bool:
        """``oldPodsRunning``: pods that are being deleted count until they are gone."""
        if any(item.actual_replicas > 0 for item in old):
            return True
        return any(
            not is_terminal(pod)
            for name, item in self._sets.items()
            if new is None or name != new.name
            for pod in controlled_by(self._client, "pods", item["metadata"]["uid"])
        )

    def _new_and_old(self, *, creates: bool) -> tuple[ReplicaSet | None, list[ReplicaSet]]:
        """``getAllReplicaSetsAndSyncRevision``: the new set, made when ``creates`` asks for it, and the others."""
        found = revision.find_new(self._obj["spec"]["template"], list(self._sets.values()))
        old = [item for item in self._sets.values() if item is not found]
        number = revision.max_revision(old) + 1
        if found is not None:
            found = self._sync_new(found, number)
        elif creates:
            found = self._create_new(old, number)
        return (
            replica_set_from_wire(found) if found is not None else None,
            [replica_set_from_wire(item) for item in old],
        )

    def _sync_new(self, found: Object, number: int) -> Object:
        metadata, spec = found["metadata"], found["spec"]
        before = metadata.get("annotations") or {}
        annotations = revision.new_annotations(self._obj["metadata"].get("annotations") or {}, before, number)
        min_ready_s = self._obj["spec"].get("minReadySeconds", 0)
        if annotations != before or spec.get("minReadySeconds", 0) != min_ready_s:
            changed = {**metadata, "annotations": annotations}
            return self._update_set({**found, "metadata": changed, "spec": {**spec, "minReadySeconds": min_ready_s}})
        is_revision_new = self._set_revision(before.get(REVISION, ""))
        status = self._deployment.status
        if self._deployment.progress_deadline_s is not None and status.condition(progress.PROGRESSING) is None:
            text = f'Found new replica set "{metadata["name"]}"'
            self._set_condition(Condition(progress.PROGRESSING, "True", "FoundNewReplicaSet", text))
        elif is_revision_new:
            self._write_status(status)
        return found

    def _create_new(self, old: list[Object], number: int) -> Object | None:
        wanted = self._new_object(old, number)
        name = wanted["metadata"]["name"]
        try:
            created = self._client.create(REPLICA_SETS, wanted)
        except ApiError as error:
            self._judge_create_error(name, error)
            raise
        self._sets[name] = created
        if wanted["spec"]["replicas"] > 0:
            self._record_scaling(name, 0, wanted["spec"]["replicas"])
        is_revision_new = self._set_revision(str(number))
        if self._deployment.progress_deadline_s is not None:
            text = f'Created new replica set "{name}"'
            self._set_condition(Condition(progress.PROGRESSING, "True", "NewReplicaSetCreated", text))
        elif is_revision_new:
            self._write_status(self._deployment.status)
        return created

    def _new_object(self, old: list[Object], number: int) -> Object:
        metadata, spec = self._obj["metadata"], self._obj["spec"]
        template, selector = spec["template"], spec["selector"]
        digest = revision.template_hash(template, self._deployment.status.collision_count)
        pod_metadata = template.get("metadata") or {}
        labels = {**(pod_metadata.get("labels") or {}), revision.TEMPLATE_HASH: digest}
        matched = {**(selector.get("matchLabels") or {}), revision.TEMPLATE_HASH: digest}
        name = f"{metadata['name']}-{digest}"
        facts = [replica_set_from_wire(item) for item in old]
        try:
            size = rolling.new_replicas(self._deployment, facts, ReplicaSet(name, 0))
        except ValueError as error:
            raise RetryError(str(error)) from error
        annotations = revision.new_annotations(metadata.get("annotations") or {}, {}, number) | self._size_annotations()
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [owner_reference(self._obj)],
            },
            "spec": {
                "replicas": size,
                **({"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}),
                "selector": {**selector, "matchLabels": matched},
                "template": {**template, "metadata": {**pod_metadata, "labels": labels}},
            },
        }

    def _judge_create_error(self, name: str, error: ApiError) -> None:
        """A taken name is a hash collision: the next try counts one higher. Other refusals are reported."""
        if error.reason == "AlreadyExists":
            status = self._deployment.status
            self._write_status(replace(status, collision_count=(status.collision_count or 0) + 1))
            return
        causes = (error.details or {}).get("causes") or ()
        if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
            return
        text = f'Failed to create new replica set "{name}": {error.message}'
        if self._deployment.progress_deadline_s is not None:
            self._set_condition(Condition(progress.PROGRESSING, "False", "ReplicaSetCreateError", text))
        self._client.events.record(self._obj, "Warning", "ReplicaSetCreateError", text)

    def _set_revision(self, text: str) -> bool:
        """Note the revision for the next status write; whether it differs."""
        metadata = self._obj["metadata"]
        annotations = metadata.get("annotations") or {}
        if annotations.get(REVISION) == text:
            return False
        self._obj = {**self._obj, "metadata": {**metadata, "annotations": {**annotations, REVISION: text}}}
        return True

    def _size_annotations(self) -> dict[str, str]:
        wanted = self._deployment.replicas
        return {DESIRED_REPLICAS: str(wanted), MAX_REPLICAS: str(wanted + max_surge(self._deployment))}

    def _apply(self, scalings: Iterable[Scaling]) -> None:
        for scaling in scalings:
            item = self._sets[scaling.name]
            before = item["spec"]["replicas"]
            annotations = {**(item["metadata"].get("annotations") or {}), **self._size_annotations()}
            metadata = {**item["metadata"], "annotations": annotations}
            spec = {**item["spec"], "replicas": scaling.replicas}
            self._update_set({**item, "metadata": metadata, "spec": spec})
            if scaling.replicas != before:
                self._record_scaling(scaling.name, before, scaling.replicas)

    def _update_set(self, changed: Object) -> Object:
        stored = self._client.update(REPLICA_SETS, changed)
        self._sets[stored["metadata"]["name"]] = stored
        return stored

    def _record_scaling(self, name: str, before: int, after: int) -> None:
        direction = "up" if before < after else "down"
        text = f"Scaled {direction} replica set {name} from {before} to {after}"
        self._client.events.record(self._obj, "Normal", "ScalingReplicaSet", text)

    def _clean_up(self, old: Sequence[ReplicaSet]) -> None:
        limit = self._obj["spec"].get("revisionHistoryLimit")
        if limit in (None, NO_DEADLINE_S):
            return
        for item in revision.surplus_sets([self._sets[one.name] for one in old], limit):
            self._client.delete(REPLICA_SETS, item["metadata"]["namespace"], item["metadata"]["name"])

    def _set_condition(self, condition: Condition) -> None:
        self._write_status(progress.set_condition(self._deployment.status, condition, self._client.now_ns))

    def _write_calculated_status(self, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> None:
        status = progress.calculate_status(self._deployment, _all(old, new), new, self._client.now_ns)
        if status != self._deployment.status:
            self._write_status(status)

    def _write_rollout_status(self, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> None:
        now_ns = self._client.now_ns
        status = progress.rollout_status(self._deployment, _all(old, new), new, now_ns)
        if status != self._deployment.status:
            self._write_status(status)
        else:
            self.recheck_after_ns = progress.recheck_after_ns(self._deployment, status, now_ns)

    def _write_status(self, status: Status) -> None:
        self._client.update_status(DEPLOYMENTS, {**self._obj, "status": status.to_wire()})
        self._deployment = replace(self._deployment, status=status)


def _all(old: Sequence[ReplicaSet], new: ReplicaSet | None) -> list[ReplicaSet]:
    return [*old, new] if new is not None else list(old)
