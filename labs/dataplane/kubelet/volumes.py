"""A pod's volumes as folders, and what of them is not there yet.

Source: kubernetes pkg/volume/{configmap,secret,projected,downwardapi,emptydir}, pkg/kubelet/volumemanager. What a
ConfigMap, Secret or the downward API holds is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labs.api.client import Client
from labs.api.store import Object
from labs.dataplane.kubelet.environment import content_of, field_text, resource_text
from labs.dataplane.shell.files import Folder, View

VolumeStore = dict[tuple[str, str], Folder]
"""Folders that outlive a pod: those of claims, and those of a node's own paths."""


class PodVolumes:
    """The folders of one pod by the name of the volume."""

    def __init__(self, client: Client, pod: Object, node: str, kept: VolumeStore) -> None:
        self._client = client
        self._pod = pod
        self._folders = {each["name"]: self._folder(each, node, kept) for each in pod["spec"].get("volumes") or ()}

    def missing(self) -> str:
        """Why a volume cannot be mounted now, as the event FailedMount says it; empty when all can."""
        namespace = self._pod["metadata"]["namespace"]
        for volume in self._pod["spec"].get("volumes") or ():
            for kind, name, items, is_optional in _references(volume):
                if is_optional:
                    continue
                found = content_of(self._client, kind, namespace, name)
                start = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
                if found is None:
                    return f'{start}{kind.removesuffix("s")} "{name}" not found'
                lost = next((item["key"] for item in items if item["key"] not in found), None)
                if lost is not None:
                    return f"{start}references non-existent {kind.removesuffix('maps').removesuffix('s')} key: {lost}"
        return ""

    def mounts(self, container: Object) -> dict[str, Folder]:
        """The folders of a container by the path where it sees them."""
        found: dict[str, Folder] = {}
        for mount in container.get("volumeMounts") or ():
            folder = self._folders.get(mount["name"])
            if folder is None:
                continue
            below = mount.get("subPath")
            found[mount["mountPath"]] = View(folder, below) if below else _guarded(folder, mount)
        return found

    def _folder(self, volume: Mapping[str, Any], node: str, kept: VolumeStore) -> Folder:
        namespace = self._pod["metadata"]["namespace"]
        if "persistentVolumeClaim" in volume:
            name = volume["persistentVolumeClaim"]["claimName"]
            claim = self._client.get("persistentvolumeclaims", namespace, name)
            key = claim["metadata"]["uid"] if claim is not None else f"{namespace}/{name}"
            return kept.setdefault(("claim", key), Folder())
        if "hostPath" in volume:
            return kept.setdefault(("host", f"{node}{volume['hostPath']['path']}"), Folder())
        sources = _sources(volume)
        if sources is None:
            return Folder()
        return Folder(self._reader(sources))

    def _reader(self, sources: Sequence[Mapping[str, Any]]) -> Callable[[], dict[str, bytes]]:
        def read() -> dict[str, bytes]:
            found: dict[str, bytes] = {}
            for source in sources:
                found |= self._content(source)
            return found

        return read

    def _content(self, source: Mapping[str, Any]) -> dict[str, bytes]:
        namespace = self._pod["metadata"]["namespace"]
        for kind, name, items, _ in _references(source):
            data = content_of(self._client, kind, namespace, name) or {}
            chosen = {item["path"]: item["key"] for item in items} or {key: key for key in data}
            return {path: data[key] for path, key in chosen.items() if key in data}
        if "downwardAPI" in source:
            return {item["path"]: self._downward(item) for item in source["downwardAPI"].get("items") or ()}
        if "serviceAccountToken" in source:
            return {source["serviceAccountToken"]["path"]: b""}
        return {}

    def _downward(self, item: Mapping[str, Any]) -> bytes:
        pod = self._pod
        current = self._client.get("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]) or pod
        if "fieldRef" in item:
            status = current.get("status") or {}
            path = item["fieldRef"]["fieldPath"]
            return field_text(current, path, status.get("podIP", ""), status.get("hostIP", "")).encode()
        return resource_text(pod, pod["spec"]["containers"][0], item["resourceFieldRef"], {}).encode()


def _guarded(folder: Folder, mount: Mapping[str, Any]) -> Folder:
    if not mount.get("readOnly") or folder.is_read_only:
        return folder
    view = View(folder, "")
    view.is_read_only = True
    return view


def _sources(volume: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    if "projected" in volume:
        return list(volume["projected"].get("sources") or ())
    return [volume] if any(kind in volume for kind in ("configMap", "secret", "downwardAPI")) else None


def _references(volume: Mapping[str, Any]) -> list[tuple[str, str, Sequence[Mapping[str, str]], bool]]:
    """The ConfigMaps and Secrets that a volume shows: resource, name, chosen keys, whether it may be missing."""
    found: list[tuple[str, str, Sequence[Mapping[str, str]], bool]] = []
    for source in (volume.get("projected") or {}).get("sources") or [volume]:
        for kind, field in (("configmaps", "configMap"), ("secrets", "secret")):
            if source.get(field) is not None:
                ref = source[field]
                name = ref.get("name") or ref.get("secretName") or ""
                found.append((kind, name, ref.get("items") or (), bool(ref.get("optional"))))
    return found
