"""Single requests and look-ups that commands in a container make: ``curl``, ``wget``, ``nslookup``, hooks.

They go through the same network as the shop's own calls, cost the server what any request costs, and are in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from urllib.parse import urlsplit

from labs.dataplane.network import Connection, Network
from labs.dataplane.process import Place
from labs.dataplane.shell.waits import Reply, Resolution
from labs.dataplane.traffic.call import Call
from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.outcome import Outcome
from labs.dataplane.traffic.policy import Policy
from labs.dataplane.traffic.sources import SingleRequests
from labs.errors import UsageError
from labs.sim.loop import Loop
from labs.units import SECOND_NS

_ERRORS = {
    Outcome.REFUSED: "refused",
    Outcome.NO_ENDPOINT: "refused",
    Outcome.RESET: "reset",
    Outcome.TIMEOUT: "timeout",
    Outcome.POOL_FULL: "refused",
    Outcome.ABANDONED: "reset",
}

_DNS_LIMIT_NS = 10 * SECOND_NS
"""Two tries of five seconds (resolv.conf's defaults)."""

_Way = tuple[Connection, SingleRequests]


class Errands:
    """One set of connections for each pod that makes such requests."""

    def __init__(self, loop: Loop, network: Network, ledger: Ledger) -> None:
        self._loop = loop
        self._network = network
        self._ledger = ledger
        self._ways: dict[str, dict[tuple[str, int | None], _Way]] = {}

    def resolve(self, name: str, namespace: str, caller: Place) -> Resolution:
        """What DNS tells a pod at ``caller``."""
        return self._network.resolve(name, namespace, caller)

    def fetch(
        self,
        uid: str,
        pod: tuple[str, str],
        caller: Place,
        url: str,
        timeout_ns: int | None,
        done: Callable[[Reply], None],
    ) -> Callable[[], None]:
        """Begin a request of a pod (uid; namespace and name) and return what abandons it.

        ``done`` is told of its end once, now or later.
        """
        is_lost = False
        try:
            host = urlsplit(url).hostname or ""
            resolution = self.resolve(host, pod[0], caller)
            is_lost = resolution.is_timed_out
            way = self._way(uid, pod, caller, url, timeout_ns) if resolution.addresses else None
        except (UsageError, ValueError):
            way = None
        if way is None:
            wait_ns = _DNS_LIMIT_NS if is_lost else 0
            return self._loop.after(wait_ns, done, Reply(error="unresolved", took_ns=wait_ns)).cancel
        address = caller.pod_ip if host == "localhost" else resolution.addresses[0]
        started_ns = self._loop.now_ns
        _, source = way

        def ended(call: Call, outcome: int) -> None:
            done(self._reply(call, Outcome(outcome), address, self._loop.now_ns - started_ns))

        return source.ask(ended)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for connection, source in self._ways.pop(uid, {}).values():
            source.stop()
            connection.close()

    def _way(self, uid: str, pod: tuple[str, str], caller: Place, url: str, timeout_ns: int | None) -> _Way | None:
        parts = urlsplit(url)
        key = (f"{parts.scheme}://{parts.netloc}", timeout_ns)
        ways = self._ways.setdefault(uid, {})
        if key not in ways:
            name = "/".join(pod)
            policy = Policy(timeout_ns=timeout_ns, connect_round_trips=1)
            connection = self._network.connect(url, caller, pod[0], policy, f"errand/{name}/{parts.netloc}")
            if connection is None:
                return None
            ways[key] = connection, SingleRequests(self._loop, self._ledger, name, connection.target, connection.client)
        return ways[key]

    def _reply(self, call: Call, outcome: Outcome, address: str, took_ns: int) -> Reply:
        error = _ERRORS.get(outcome, "")
        if error:
            return Reply(error=error, address=address, took_ns=took_ns)
        station = call.path.station if call.path is not None else None
        place = self._ledger.places[station.index] if station is not None and station.index >= 0 else None
        body = page(place.service, place.name, outcome.status) if place is not None else b""
        return Reply(outcome.status, "", address, body, took_ns)


def page(service: str, pod: str, status: int) -> bytes:
    """The page that a server of the shop answers with."""
    title = escape(service) if status == 200 else f"{status} from {escape(service)}"
    return (
        f"<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n"
        f"<body>\n<h1>{title}</h1>\n<p>Served by {escape(pod)}.</p>\n</body>\n</html>\n"
    ).encode()
