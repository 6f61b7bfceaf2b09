"""A container from inside, for the programs and commands that run in it.

Source: kubernetes pkg/kubelet/kubelet_pods.go (managed /etc/hosts), pkg/kubelet/network/dns (resolv.conf).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from labs.api.store import Object
from labs.dataplane.kubelet.environment import container_environment
from labs.dataplane.names import dns_server
from labs.dataplane.process import Place
from labs.dataplane.shell.files import FileTree, Folder
from labs.dataplane.shell.machine import Machine
from labs.dataplane.shell.waits import Reply, Resolution

if TYPE_CHECKING:
    from labs.dataplane.kubelet.containers import Container
    from labs.dataplane.kubelet.pod_worker import PodWorker

TERMINATION_LOG = "/dev/termination-log"
_FOLDERS = ("bin", "dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "var")
_DEEP_FOLDERS = ("usr/bin", "usr/share", "usr/local", "var/log", "var/run", "var/tmp", "usr/share/nginx/html")


class Outside(Protocol):
    """The network as commands in a container use it; see ``labs.dataplane.errands``."""

    def resolve(self, name: str, namespace: str, caller: Place) -> Resolution:
        """A look-up in DNS."""
        ...

    def fetch(
        self,
        uid: str,
        pod: tuple[str, str],
        caller: Place,
        url: str,
        timeout_ns: int | None,
        done: Callable[[Reply], None],
    ) -> Callable[[], None]:
        """A request; returns what abandons it."""
        ...

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        ...


class Unplugged:
    """A node without a network: no name exists."""

    def resolve(self, name: str, namespace: str, caller: Place) -> Resolution:
        """Nothing."""
        return Resolution(name)

    def fetch(
        self,
        uid: str,
        pod: tuple[str, str],
        caller: Place,
        url: str,
        timeout_ns: int | None,
        done: Callable[[Reply], None],
    ) -> Callable[[], None]:
        """Unresolved, at once."""
        done(Reply(error="unresolved"))
        return lambda: None

    def forget(self, uid: str) -> None:
        """Nothing is kept."""


class _Inside:
    """What a Machine asks of its node: methods of one object, since every container has them."""

    __slots__ = ("_container", "_dns_server", "_hostname", "_place", "_pod", "_spec", "_terminate", "_worker")

    def __init__(self, worker: PodWorker, container: Container, hostname: str, terminate: Callable[[], None]) -> None:
        host, metadata = worker.host, worker.pod["metadata"]
        self._worker = worker
        self._container = container
        self._spec = container.spec
        self._pod = (metadata["namespace"], metadata["name"])
        self._hostname = hostname
        self._place = Place(host.name, host.zone, worker.pod_ip)
        self._dns_server = dns_server(host.client)
        self._terminate = terminate

    def make_files(self) -> FileTree:
        search = f"{self._pod[0]}.svc.cluster.local svc.cluster.local cluster.local ec2.internal"
        resolver = f"search {search}\nnameserver {self._dns_server}\noptions ndots:5\n"
        root = _root(self._hostname, self._place.pod_ip, resolver, self._spec)
        return FileTree(root, self._worker.volumes.mounts(self._spec))

    def now_ns(self) -> int:
        return self._worker.host.loop.now_ns

    def fetch(self, url: str, timeout_ns: int | None, done: Callable[[Reply], None]) -> Callable[[], None]:
        outside = self._worker.host.outside
        return outside.fetch(self._worker.uid, self._pod, self._place, url, timeout_ns, done)

    def resolve(self, name: str) -> Resolution:
        return self._worker.host.outside.resolve(name, self._pod[0], self._place)

    def log(self, content: bytes) -> None:
        self._container.print(content)

    def terminate(self) -> None:
        # A command may end the very process that it runs in; that comes after the command's own step.
        loop = self._worker.host.loop
        loop.post(loop.now_ns, lambda _: self._terminate(), None)


def build_machine(worker: PodWorker, container: Container, terminate: Callable[[], None]) -> Machine:
    """The machine of a container that is about to run. Raises ConfigFault when its environment cannot be made."""
    host, pod = worker.host, worker.pod
    environment = container_environment(host.client, pod, container.spec, worker.pod_ip, host.ip, host.allocatable)
    hostname = host.name if pod["spec"].get("hostNetwork") else environment["HOSTNAME"]
    command = [*(container.spec.get("command") or []), *(container.spec.get("args") or [])]
    inside = _Inside(worker, container, hostname, terminate)
    return Machine(
        make_files=inside.make_files,
        environment=environment,
        hostname=hostname,
        now_ns=inside.now_ns,
        fetch=inside.fetch,
        resolve=inside.resolve,
        log=inside.log,
        terminate=inside.terminate,
        main_command=" ".join(command) or container.spec["image"].rpartition("/")[2].partition(":")[0],
        directory=container.spec.get("workingDir") or "/",
    )


def _root(hostname: str, pod_ip: str, resolver: str, container: Object) -> Folder:
    root = Folder()
    for name in (*_FOLDERS, *_DEEP_FOLDERS):
        root.put(name, None)
    for path, text in {
        "etc/hostname": f"{hostname}\n",
        "etc/hosts": "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n" + f"{pod_ip}\t{hostname}\n",
        "etc/resolv.conf": resolver,
        "etc/os-release": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.0\n',
        (container.get("terminationMessagePath") or TERMINATION_LOG).strip("/"): "",
    }.items():
        root.put(path, text.encode())
    if container.get("workingDir"):
        root.put(container["workingDir"].strip("/"), None)
    return root
