"""The persistent volume controller: brings claims and volumes together and keeps their phases.

Source: kubernetes/kubernetes pkg/controller/volume/persistentvolume/pv_controller.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.events import reference_to
from labs.api.store import Object, WatchEvent
from labs.controlplane.runtime import Controller
from labs.controlplane.volumes.matching import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    CLAIMS,
    CLASSES,
    SELECTED_NODE,
    VOLUMES,
    annotation,
    claims_of,
    class_name,
    class_of,
    find_volume,
    is_bound,
    refers_to,
    waits_for_consumer,
)
from labs.units import SECOND_NS, rfc3339

RESYNC_NS = 15 * SECOND_NS
PROVISIONERS = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")
MIGRATED = {"kubernetes.io/aws-ebs": "ebs.csi.aws.com"}
"""Provisioners that were part of Kubernetes once, and the CSI drivers in their place."""
NO_VOLUME = "no persistent volumes available for this claim and no storage class is set"
NO_CONSUMER = "waiting for first consumer to be created before binding"
LOST = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"


def external_text(provisioner: str) -> str:
    """What is told while a provisioner outside is at work."""
    return (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
        "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
        "correctly registered."
    )


class PersistentVolumeController(Controller):
    """Binds claims. A key without a namespace is a volume's."""

    def start(self) -> None:
        """Watch claims, volumes and classes."""
        self.watch(CLAIMS, self._on_claim)
        self.watch(VOLUMES, self._on_volume)
        self.watch(CLASSES, self._on_class)

    def _on_claim(self, event: WatchEvent) -> None:
        self.enqueue_object(event)
        volume = event.object["spec"].get("volumeName")
        if volume:
            self.enqueue("", volume)

    def _on_volume(self, event: WatchEvent) -> None:
        self.enqueue_object(event)
        held = event.object["spec"].get("claimRef")
        if held:
            self.enqueue(held.get("namespace", ""), held["name"])
        elif event.type == "ADDED":
            self._enqueue_waiting()

    def _on_class(self, event: WatchEvent) -> None:
        self._enqueue_waiting()

    def _enqueue_waiting(self) -> None:
        for claim in self.client.list(CLAIMS):
            if not is_bound(claim):
                self.enqueue(claim["metadata"]["namespace"], claim["metadata"]["name"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Sync a claim or a volume. Raises the ApiError of a write."""
        if not namespace:
            volume = self.client.get(VOLUMES, "", name)
            if volume is not None:
                self._sync_volume(volume)
            return
        claim = self.client.get(CLAIMS, namespace, name)
        if claim is None:
            return
        if is_bound(claim):
            self._sync_bound(claim)
        else:
            self._sync_unbound(claim)

    def _sync_bound(self, claim: Object) -> None:
        volume = self.client.get(VOLUMES, "", claim["spec"]["volumeName"])
        if volume is None or not refers_to(volume, claim):
            if claim["status"].get("phase") != "Lost":
                self.client.set_status(CLAIMS, claim, {**claim["status"], "phase": "Lost"})
                self.client.events.record(claim, "Warning", "ClaimLost", LOST)
            return
        self._bind(claim, volume)

    def _sync_unbound(self, claim: Object) -> None:
        wanted = claim["spec"].get("volumeName")
        storage_class = class_of(self.client, claim)
        if wanted:
            named = self.client.get(VOLUMES, "", wanted)
            if named is not None and (not named["spec"].get("claimRef") or refers_to(named, claim)):
                self._bind(claim, named)
            return
        is_delayed = waits_for_consumer(storage_class) and not annotation(claim, SELECTED_NODE)
        volumes = self.client.list(VOLUMES)
        if is_delayed:
            volumes = [volume for volume in volumes if refers_to(volume, claim)]
        volume = find_volume(claim, volumes)
        if volume is not None:
            self._bind(claim, volume)
        elif "deletionTimestamp" not in claim["metadata"]:
            self._wait(claim, storage_class, is_delayed=is_delayed)
            self.enqueue(claim["metadata"]["namespace"], claim["metadata"]["name"], RESYNC_NS)

    def _wait(self, claim: Object, storage_class: Object | None, *, is_delayed: bool) -> None:
        """Say what the claim waits for, and ask the class's provisioner for a volume."""
        record = self.client.events.record
        if is_delayed:
            pods = [
                pod["metadata"]["name"]
                for pod in self.client.list("pods", claim["metadata"]["namespace"])
                if claim["metadata"]["name"] in claims_of(pod)
            ]
            if pods:
                record(claim, "Normal", "WaitForPodScheduled", f"waiting for pod {pods[0]} to be scheduled")
            else:
                record(claim, "Normal", "WaitForFirstConsumer", NO_CONSUMER)
        elif not class_name(claim):
            record(claim, "Normal", "FailedBinding", NO_VOLUME)
        elif storage_class is None:
            why = f'storageclass.storage.k8s.io "{class_name(claim)}" not found'
            record(claim, "Warning", "ProvisioningFailed", why)
        else:
            named: str = storage_class["provisioner"]
            provisioner = MIGRATED.get(named, named)
            asked = dict.fromkeys(PROVISIONERS, provisioner)
            annotations = {**(claim["metadata"].get("annotations") or {}), **asked}
            if annotations != claim["metadata"].get("annotations"):
                metadata = {**claim["metadata"], "annotations": annotations}
                claim = self.client.update(CLAIMS, {**claim, "metadata": metadata})
            record(claim, "Normal", "ExternalProvisioning", external_text(provisioner))

    def _bind(self, claim: Object, volume: Object) -> None:
        """The four writes of a binding, each only where it changes something."""
        volume_name = volume["metadata"]["name"]
        held = volume["spec"].get("claimRef") or {}
        if held.get("uid") != claim["metadata"]["uid"]:
            reference = reference_to(claim)
            marks = {} if held else {BOUND_BY_CONTROLLER: "yes"}
            volume = self._write(VOLUMES, volume, {"claimRef": reference}, marks)
        self._set_phase(volume, "Bound")
        marks = {BIND_COMPLETED: "yes"}
        if not claim["spec"].get("volumeName"):
            marks[BOUND_BY_CONTROLLER] = "yes"
        claim = self._write(CLAIMS, claim, {"volumeName": volume_name}, marks)
        status = {
            **(claim.get("status") or {}),
            "phase": "Bound",
            "accessModes": volume["spec"]["accessModes"],
            "capacity": volume["spec"]["capacity"],
        }
        if status != claim.get("status"):
            self.client.set_status(CLAIMS, claim, status)

    def _write(self, resource: str, obj: Object, spec: dict[str, Any], annotations: dict[str, str]) -> Object:
        metadata = {
            **obj["metadata"],
            "annotations": {**(obj["metadata"].get("annotations") or {}), **annotations},
        }
        changed = {**obj, "metadata": metadata, "spec": {**obj["spec"], **spec}}
        is_same = changed["spec"] == obj["spec"] and metadata["annotations"] == obj["metadata"].get("annotations")
        return obj if is_same else self.client.update(resource, changed)

    def _set_phase(self, volume: Object, phase: str) -> None:
        status = volume.get("status") or {}
        if status.get("phase") != phase:
            changed = {**status, "phase": phase, "lastPhaseTransitionTime": rfc3339(self.client.now_ns)}
            self.client.set_status(VOLUMES, volume, changed)

    def _sync_volume(self, volume: Object) -> None:
        held = volume["spec"].get("claimRef")
        if not held or not held.get("uid"):
            self._set_phase(volume, "Available")
            return
        claim = self.client.get(CLAIMS, held["namespace"], held["name"])
        if claim is None or claim["metadata"]["uid"] != held["uid"]:
            self._set_phase(volume, "Released")
