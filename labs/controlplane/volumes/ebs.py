"""The EBS CSI driver's controller: makes a volume in the zone of the claim's node, and removes it afterwards.

Source: kubernetes-csi/external-provisioner pkg/controller, kubernetes-sigs/aws-ebs-csi-driver pkg/driver/controller.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.client import Client
from labs.api.events import reference_to
from labs.api.quantity import parse_quantity
from labs.api.store import Object, WatchEvent
from labs.controlplane.runtime import Controller
from labs.controlplane.volumes.binder import PROVISIONERS
from labs.controlplane.volumes.matching import (
    CLAIMS,
    SELECTED_NODE,
    VOLUMES,
    annotation,
    class_of,
    is_bound,
    waits_for_consumer,
)
from labs.units import SECOND_NS

DRIVER = "ebs.csi.aws.com"
ZONE = "topology.kubernetes.io/zone"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
CREATE_VOLUME_NS = 3 * SECOND_NS
"""CreateVolume, and the driver's wait until the volume is available."""
DELETE_VOLUME_NS = 2 * SECOND_NS
GIBIBYTE = 1 << 30


class EbsProvisioner(Controller):
    """Makes EBS volumes. A key without a namespace is a volume's."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._ready_ns: dict[str, int] = {}
        self._draw = client.api.streams.python("ebs")

    def start(self) -> None:
        """Watch claims and volumes."""
        self.watch(CLAIMS, self._on_claim)
        self.watch(VOLUMES, self._on_volume)

    def _on_claim(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            self._ready_ns.pop(event.object["metadata"]["uid"], None)
        elif annotation(event.object, PROVISIONERS[1]) == DRIVER and not is_bound(event.object):
            self.enqueue_object(event)

    def _on_volume(self, event: WatchEvent) -> None:
        is_ours = annotation(event.object, PROVISIONED_BY) == DRIVER
        if event.type != "DELETED" and is_ours and (event.object.get("status") or {}).get("phase") == "Released":
            self.enqueue("", event.object["metadata"]["name"], DELETE_VOLUME_NS)

    def reconcile(self, namespace: str, name: str) -> None:
        """Make or remove one volume. Raises the ApiError of a write."""
        if not namespace:
            self._remove(name)
            return
        claim = self.client.get(CLAIMS, namespace, name)
        if claim is None or is_bound(claim) or "deletionTimestamp" in claim["metadata"]:
            return
        storage_class = class_of(self.client, claim)
        if storage_class is None or (waits_for_consumer(storage_class) and not annotation(claim, SELECTED_NODE)):
            return
        uid, now_ns = claim["metadata"]["uid"], self.client.now_ns
        volume_name = f"pvc-{uid}"
        if self.client.get(VOLUMES, "", volume_name) is not None:
            return
        if uid not in self._ready_ns:
            text = f'External provisioner is provisioning volume for claim "{namespace}/{name}"'
            self.client.events.record(claim, "Normal", "Provisioning", text)
            self._ready_ns[uid] = now_ns + CREATE_VOLUME_NS
        if now_ns < self._ready_ns[uid]:
            self.enqueue(namespace, name, self._ready_ns[uid] - now_ns)
            return
        self.client.create(VOLUMES, self._volume(claim, storage_class, volume_name))
        text = f"Successfully provisioned volume {volume_name}"
        self.client.events.record(claim, "Normal", "ProvisioningSucceeded", text)

    def _volume(self, claim: Object, storage_class: Object, name: str) -> Object:
        parameters = storage_class.get("parameters") or {}
        zone = {"key": ZONE, "operator": "In", "values": [self._zone(claim)]}
        metadata = {
            "name": name,
            "annotations": {PROVISIONED_BY: DRIVER},
            "finalizers": [FINALIZER, "kubernetes.io/pv-protection"],
        }
        spec = {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": whole_gibibytes(claim["spec"]["resources"]["requests"]["storage"])},
            "claimRef": reference_to(claim),
            "csi": {
                "driver": DRIVER,
                "fsType": parameters.get("csi.storage.k8s.io/fstype", "ext4"),
                "volumeAttributes": {"storage.kubernetes.io/csiProvisionerIdentity": f"1-{DRIVER}"},
                "volumeHandle": f"vol-{self._draw.getrandbits(68):017x}",
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
            "persistentVolumeReclaimPolicy": storage_class["reclaimPolicy"],
            "storageClassName": storage_class["metadata"]["name"],
            "volumeMode": claim["spec"]["volumeMode"],
        }
        return {"metadata": metadata, "spec": spec}

    def _zone(self, claim: Object) -> str:
        """The zone of the selected node; any zone with nodes for a claim that waits for none."""
        node = self.client.get("nodes", "", annotation(claim, SELECTED_NODE))
        labels: dict[str, Any] = node["metadata"].get("labels") or {} if node is not None else {}
        if labels.get(ZONE):
            return str(labels[ZONE])
        nodes = self.client.list("nodes")
        zones = sorted({(item["metadata"].get("labels") or {}).get(ZONE, "") for item in nodes} - {""})
        return self._draw.choice(zones) if zones else ""

    def _remove(self, name: str) -> None:
        volume = self.client.get(VOLUMES, "", name)
        if volume is None or volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete":
            return
        if (volume.get("status") or {}).get("phase") != "Released":
            return
        self.client.delete(VOLUMES, "", name)
        left = self.client.get(VOLUMES, "", name)
        if left is not None and FINALIZER in (left["metadata"].get("finalizers") or ()):
            kept = [item for item in left["metadata"]["finalizers"] if item != FINALIZER]
            self.client.update(VOLUMES, {**left, "metadata": {**left["metadata"], "finalizers": kept}})


def whole_gibibytes(amount: str) -> str:
    """EBS volumes come in whole GiB: the size rounded up."""
    size = parse_quantity(amount).value()
    return f"{max(1, -(-size // GIBIBYTE))}Gi"
