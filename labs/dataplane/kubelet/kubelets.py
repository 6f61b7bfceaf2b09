"""All kubelets, with one subscription to pods for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from labs.api.client import Client
from labs.api.store import WatchEvent
from labs.dataplane.images import ImageStore, PullTimes
from labs.dataplane.instance_types import allocatable, instance_spec
from labs.dataplane.kubelet.host import RELIST_NS, Addresses, Host, StartTimes
from labs.dataplane.kubelet.kubelet import Kubelet
from labs.dataplane.kubelet.logs import LogStore
from labs.dataplane.kubelet.machine import Outside, Unplugged
from labs.dataplane.kubelet.node_status import Registration
from labs.dataplane.kubelet.shutdown import ShutdownTimes
from labs.dataplane.kubelet.volumes import VolumeStore
from labs.dataplane.process import Programs
from labs.sim.streams import Streams


@dataclass(frozen=True, slots=True)
class KubeletConfig:
    """How long things take on a node."""

    start: StartTimes = field(default_factory=StartTimes)
    pull: PullTimes = field(default_factory=PullTimes)
    shutdown: ShutdownTimes = field(default_factory=ShutdownTimes)


class Kubelets:
    """One kubelet for each machine, by node name."""

    def __init__(
        self,
        client: Client,
        streams: Streams,
        programs: Programs,
        addresses: Addresses,
        config: KubeletConfig,
        outside: Outside = Unplugged(),
    ) -> None:
        self._client = client
        self._streams = streams
        self._programs = programs
        self._addresses = addresses
        self._config = config
        self._kubelets: dict[str, Kubelet] = {}
        self.logs = LogStore()
        self._outside = outside
        self._volumes: VolumeStore = {}

    def start(self) -> None:
        """Hear of pods from now on."""
        self._client.subscribe("pods", self._dispatch)

    def get(self, node: str) -> Kubelet | None:
        """The kubelet of a node, or None."""
        return self._kubelets.get(node)

    def all(self) -> list[Kubelet]:
        """Every kubelet, in the order in which their machines came."""
        return list(self._kubelets.values())

    def add(self, registration: Registration) -> Kubelet:
        """A kubelet for a new machine; it does nothing until it registers."""
        instance = registration.instance
        rng = self._streams.python(f"kubelet/{instance.node_name}")
        host = Host(
            client=self._client,
            streams=self._streams,
            rng=rng,
            name=instance.node_name,
            zone=instance.zone,
            ip=instance.private_ip,
            images=ImageStore(self._client.loop, rng, self._config.pull),
            programs=self._programs,
            logs=self.logs,
            outside=self._outside,
            volumes=self._volumes,
            allocatable=allocatable(instance_spec(instance.instance_type)),
            addresses=self._addresses,
            times=self._config.start,
            relist_phase_ns=rng.randrange(RELIST_NS),
            forget=lambda uid: self._forget(instance.node_name, uid),
        )
        kubelet = self._kubelets[instance.node_name] = Kubelet(host, registration, self._config.shutdown)
        return kubelet

    def remove(self, node: str) -> None:
        """The machine is no more."""
        kubelet = self._kubelets.pop(node, None)
        if kubelet is not None:
            kubelet.power_off()

    def _forget(self, node: str, uid: str) -> None:
        kubelet = self._kubelets.get(node)
        if kubelet is not None:
            kubelet.workers.pop(uid, None)

    def _dispatch(self, event: WatchEvent) -> None:
        node = event.object["spec"].get("nodeName")
        kubelet = self._kubelets.get(node) if node else None
        if kubelet is None:
            return
        if event.type == "DELETED":
            kubelet.see_removed(event.object)
        else:
            kubelet.see(event.object)
