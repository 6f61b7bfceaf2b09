"""The names of a StatefulSet's pods and claims, and the objects behind them.

Source: kubernetes/kubernetes pkg/controller/statefulset/stateful_set_utils.go.
"""

from __future__ import annotations

import re
from typing import Any

from labs.api.objects import at
from labs.api.store import Object
from labs.controlplane import pods as pod_facts
from labs.controlplane.history import REVISION_LABEL
from labs.controlplane.runtime import owner_reference

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"


def ordinal_of(name: str, stateful_set: Object) -> int | None:
    """``getParentNameAndOrdinal``: the number in a pod's name; None when the name is not one of this set."""
    match = re.fullmatch(r"(.*)-([0-9]+)", name)
    return int(match[2]) if match and match[1] == stateful_set["metadata"]["name"] else None


def start_ordinal(stateful_set: Object) -> int:
    """``spec.ordinals.start``."""
    start: int = at(stateful_set, "spec", "ordinals", "start") or 0
    return start


def claim_names(stateful_set: Object, pod: str) -> dict[str, str]:
    """The claim of each volume claim template for one pod, by the volume's name."""
    templates = stateful_set["spec"].get("volumeClaimTemplates") or ()
    return {item["metadata"]["name"]: f"{item['metadata']['name']}-{pod}" for item in templates}


def new_claims(stateful_set: Object, pod: str) -> list[Object]:
    """``getPersistentVolumeClaims``: the claims of one pod as they are first created."""
    claims = []
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        wanted = template["metadata"]
        labels = {**(wanted.get("labels") or {}), **(stateful_set["spec"]["selector"].get("matchLabels") or {})}
        metadata: dict[str, Any] = {
            "name": f"{wanted['name']}-{pod}",
            "namespace": stateful_set["metadata"]["namespace"],
            "labels": labels,
        }
        if wanted.get("annotations"):
            metadata["annotations"] = wanted["annotations"]
        claims.append({"metadata": metadata, "spec": template["spec"]})
    return claims


def new_pod(stateful_set: Object, template: dict[str, Any], revision: str, ordinal: int) -> Object:
    """``newVersionedStatefulSetPod``: the pod of an ordinal at a revision (its template and its name)."""
    name = f"{stateful_set['metadata']['name']}-{ordinal}"
    pod = pod_facts.pod_from_template(template, stateful_set, owner_reference(stateful_set))
    labels = {POD_NAME_LABEL: name, POD_INDEX_LABEL: str(ordinal), REVISION_LABEL: revision}
    pod["metadata"] |= {"name": name, "labels": {**(pod["metadata"].get("labels") or {}), **labels}}
    pod["spec"] = {**pod["spec"], "hostname": name, "volumes": _volumes(stateful_set, pod["spec"], name)}
    if stateful_set["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = stateful_set["spec"]["serviceName"]
    if not pod["spec"]["volumes"]:
        del pod["spec"]["volumes"]
    return pod


def _volumes(stateful_set: Object, pod_spec: dict[str, Any], pod: str) -> list[dict[str, Any]]:
    """The pod's claims as volumes, then the template's other volumes."""
    claims = claim_names(stateful_set, pod)
    own = [{"name": volume, "persistentVolumeClaim": {"claimName": claim}} for volume, claim in claims.items()]
    return own + [volume for volume in pod_spec.get("volumes") or () if volume["name"] not in claims]


def claim_owner(stateful_set: Object, pod: Object | None, *, is_condemned: bool) -> dict[str, object] | None:
    """``updateClaimOwnerRefForSetAndPod``: who takes the claim along when it goes, by the retention policy."""
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if is_condemned and policy.get("whenScaled") == "Delete":
        return owner_reference(pod) if pod is not None else None
    return owner_reference(stateful_set) if policy.get("whenDeleted") == "Delete" else None
