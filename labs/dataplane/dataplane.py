"""The whole data plane behind one name, for ``world``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from labs.api.client import Client
from labs.dataplane.addresses import SubnetAddresses
from labs.dataplane.attendant import Attendant
from labs.dataplane.cloud import ZONES, Cloud, CloudTimes
from labs.dataplane.database import Database, DatabaseConfig
from labs.dataplane.errands import Errands
from labs.dataplane.forwarder import Forwarder
from labs.dataplane.instance_types import instance_spec
from labs.dataplane.kubelet.kubelets import KubeletConfig, Kubelets
from labs.dataplane.logs import LogReader
from labs.dataplane.machines import Machines, NodeGroup
from labs.dataplane.network import Latencies, Network
from labs.dataplane.programs.canary import Canaries, PutMetricData
from labs.dataplane.programs.load import LoadPrograms
from labs.dataplane.programs.registry import ImagePrograms
from labs.dataplane.programs.server import Servers
from labs.dataplane.stats import StatsReader
from labs.dataplane.traffic.ledger import Ledger
from labs.sim.streams import Streams


@dataclass(frozen=True, slots=True)
class DataplaneConfig:
    """What there is from the beginning, and how long things take."""

    zones: Sequence[str] = ZONES
    node_groups: Sequence[NodeGroup] = ()
    databases: Sequence[DatabaseConfig] = ()
    has_booted_nodes: bool = True
    """Whether the node groups' nodes are ready at the start, or boot then."""
    times: CloudTimes = field(default_factory=CloudTimes)
    kubelet: KubeletConfig = field(default_factory=KubeletConfig)
    latencies: Latencies = field(default_factory=Latencies)
    traced_every: int = 0
    """Every so manieth request of a source keeps its trace; 0 for none."""


class Dataplane:
    """``cloud``, ``kubelets``, ``network``, ``stats``, ``logs``, ``ledger`` and ``databases`` are its parts.

    ``put_metric_data`` is where programs that publish metrics send them; without it they cannot run.
    """

    def __init__(
        self, client: Client, streams: Streams, config: DataplaneConfig, put_metric_data: PutMetricData | None = None
    ) -> None:
        loop = client.loop
        addresses = SubnetAddresses(config.zones)
        self._config = config
        self.ledger = Ledger()
        self.cloud = Cloud(loop, streams, addresses, config.times, config.zones)
        self.network = Network(client, streams, config.latencies)
        servers = Servers(self.network, self.ledger, self._vcpus_of)
        loads = LoadPrograms(self.network, self.ledger, config.traced_every)
        self.programs = ImagePrograms(servers, loads, Canaries(loads, put_metric_data))
        errands = Errands(loop, self.network, self.ledger)
        self.kubelets = Kubelets(client, streams, self.programs, addresses, config.kubelet, errands)
        self.machines = Machines(client, self.cloud, self.kubelets, streams, config.times)
        self.stats = StatsReader(loop, streams, self.kubelets)
        self.logs = LogReader(client, self.kubelets)
        self.attendant = Attendant(client, self.kubelets)
        self.forwarder = Forwarder(self.kubelets, errands, config.zones[0])
        self.databases = {
            each.identifier: Database(loop, streams, self.network, self.ledger, each) for each in config.databases
        }

    def start(self) -> None:
        """Subscribe, and launch the node groups."""
        self.kubelets.start()
        self.network.start()
        self.machines.start()
        self.stats.start()
        for group in self._config.node_groups:
            self.machines.launch_group(group, self._config.has_booted_nodes)

    def _vcpus_of(self, node: str) -> int:
        kubelet = self.kubelets.get(node)
        assert kubelet is not None, f"a container runs on {node}, which has no kubelet"
        return instance_spec(kubelet.registration.instance.instance_type).vcpus
