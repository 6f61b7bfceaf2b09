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


def build_machine(worker: PodWorker, container: Container, terminate: Callable[[], None]) -> Machine:
    """The machine of a container that is about to run. Raises ConfigFault when its environment cannot be made."""
    host, pod = worker.host, worker.pod
    metadata, spec = pod["metadata"], pod["spec"]
    environment = container_environment(host.client, pod, container.spec, worker.pod_ip, host.ip, host.allocatable)
    place = Place(host.name, host.zone, worker.pod_ip)
    hostname = host.name if spec.get("hostNetwork") else environment["HOSTNAME"]
    command = [*(container.spec.get("command") or []), *(container.spec.get("args") or [])]
    search = f"{metadata['namespace']}.svc.cluster.local svc.cluster.local cluster.local ec2.internal"
    resolver = f"search {search}\nnameserver {dns_server(host.client)}\noptions ndots:5\n"
    address, spec_of = worker.pod_ip, container.spec
    return Machine(
        make_files=lambda: FileTree(_root(hostname, address, resolver, spec_of), worker.volumes.mounts(spec_of)),
        environment=environment,
        hostname=hostname,
        now_ns=lambda: host.loop.now_ns,
        fetch=lambda url, timeout_ns, done: host.outside.fetch(
            worker.uid, (metadata["namespace"], metadata["name"]), place, url, timeout_ns, done
        ),
        resolve=lambda name: host.outside.resolve(name, metadata["namespace"], place),
        log=lambda content: container.print(content),
        # A command may end the very process that it runs in; that comes after the command's own step.
        terminate=lambda: host.loop.post(host.loop.now_ns, lambda _: terminate(), None),
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
