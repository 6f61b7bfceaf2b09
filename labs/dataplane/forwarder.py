"""Requests that the API server passes on to pods and kubelets.

Source: kubernetes pkg/kubelet/server/server.go (the kubelet's own endpoints). A request to a pod comes from the control
plane's network interface, through the same network as any other; policies hold for it too.
"""

from __future__ import annotations

from collections.abc import Callable

from labs.api.bootstrap import SERVER_ADDRESSES
from labs.api.rest.message import encode
from labs.api.rest.proxies import Passed
from labs.dataplane.errands import Errands
from labs.dataplane.kubelet.kubelets import Kubelets
from labs.dataplane.process import Place
from labs.dataplane.shell.waits import Reply
from labs.units import SECOND_NS

DIAL_NS = 30 * SECOND_NS
"""The dialer's limit (apimachinery pkg/util/net, SetTransportDefaults)."""
CALLER = "kube-apiserver"
NOT_FOUND = Passed(404, b"404 page not found\n")
_WHY = {"refused": "connect: connection refused", "timeout": "i/o timeout"}


class Forwarder:
    """Implements ``labs.api.rest.proxies.Forwarder``. The server stands in ``zone``."""

    def __init__(self, kubelets: Kubelets, errands: Errands, zone: str) -> None:
        self._kubelets = kubelets
        self._errands = errands
        self._place = Place("", zone, SERVER_ADDRESSES[0])

    def visit(self, address: str, port: int, path: str, answered: Callable[[Passed], None]) -> Callable[[], None]:
        """Ask what listens at an address."""

        def ended(reply: Reply) -> None:
            why = _WHY.get(reply.error, "read: connection reset by peer") if reply.error else ""
            answered(Passed(reply.status, reply.body, f"dial tcp {address}:{port}: {why}" if why else ""))

        url = f"http://{address}:{port}{path}"
        return self._errands.fetch(CALLER, ("kube-system", CALLER), self._place, url, DIAL_NS, ended)

    def ask_kubelet(self, node: str, path: str) -> Passed:
        """``/healthz`` and ``/pods``."""
        kubelet = self._kubelets.get(node)
        if kubelet is None or not kubelet.is_on or not kubelet.host.is_connected:
            ip = kubelet.host.ip if kubelet is not None else node
            return Passed(error=f"dial tcp {ip}:10250: i/o timeout")
        if path == "/healthz":
            return Passed(200, b"ok")
        if path.rstrip("/") == "/pods":
            pods = [worker.pod for worker in kubelet.workers.values()]
            return Passed(200, encode({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods}))
        return NOT_FOUND
