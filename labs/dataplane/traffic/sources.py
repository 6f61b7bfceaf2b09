"""Where requests come from: open loop (shoppers), closed loop (``ab``), constant rate (``fortio``), a beat (canary).

The latency of a request counts from its *intended* time, so a source that falls behind does not hide
the wait (coordinated omission).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labs.dataplane.traffic.arrivals import Arrivals, RateProfile
from labs.dataplane.traffic.call import Call, Span
from labs.dataplane.traffic.client import Client
from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.outcome import Outcome
from labs.sim.loop import Loop
from labs.units import SECOND_NS

_ABANDONED = int(Outcome.ABANDONED)


class Source:
    """Base of the four: issues requests and enters their ends in the ledger."""

    def __init__(
        self, loop: Loop, ledger: Ledger, name: str, service: str, client: Client, sample_every: int = 0
    ) -> None:
        self._loop = loop
        self._ledger = ledger
        self.name = name
        self.service = service
        """The service that its requests enter at."""
        self._client = client
        client.bind(self, take_back=None)
        self.front_ns = 2 * client.gateway.latency_ns if client.gateway is not None else 0
        """The part of a round trip that lies before the gateway."""
        self._sample_every = sample_every
        """Every so manieth request is traced; 0 for none."""
        self._open: dict[Call, None] = {}
        self.arrived = 0
        self.index = ledger.add_source(self)

    @property
    def in_flight(self) -> int:
        """Requests without an end so far."""
        return len(self._open)

    def issue(self, intended_ns: int) -> None:
        """Send one request now."""
        now_ns = self._loop.now_ns
        call = Call(self._client, None, intended_ns, now_ns)
        self._open[call] = None
        if self._sample_every and self.arrived % self._sample_every == 0:
            call.span = Span([], None, now_ns)
        self.arrived += 1
        self._client.begin(call)

    def answered(self, call: Call, at_ns: int, outcome: int) -> None:
        """A request ended."""
        del self._open[call]
        self._ledger.record(self, call, at_ns, outcome)

    def replaced(self, call: Call, by: Call) -> None:
        """A request goes into its next attempt."""
        del self._open[call]
        self._open[by] = None

    def stop(self) -> None:
        """The program ends: no more requests, and those under way are abandoned."""
        abandoned = list(self._open)
        self._open.clear()
        for call in abandoned:
            call.is_open = False
            self._ledger.record(self, call, self._loop.now_ns, _ABANDONED)
        self._client.reset()


class SingleRequests(Source):
    """Requests one by one, each with somebody who wants to know its end (``curl``)."""

    def __init__(self, loop: Loop, ledger: Ledger, name: str, service: str, client: Client) -> None:
        super().__init__(loop, ledger, name, service, client)
        self._asking: dict[Call, Callable[[Call, int], None]] = {}

    def ask(self, ended: Callable[[Call, int], None]) -> Callable[[], None]:
        """Send a request now; ``ended`` is called with its last attempt and outcome. Returns what abandons it."""
        now_ns = self._loop.now_ns
        call = Call(self._client, None, now_ns, now_ns)
        self._open[call] = None
        asking = self._asking
        asking[call] = ended
        self.arrived += 1
        self._client.begin(call)
        return lambda: asking.update({each: _nobody for each, who in asking.items() if who is ended})

    def answered(self, call: Call, at_ns: int, outcome: int) -> None:
        """A request ended; whoever asked is told at that time."""
        super().answered(call, at_ns, outcome)
        self._loop.at(at_ns, self._tell, call, outcome)

    def _tell(self, call: Call, outcome: int) -> None:
        self._asking.pop(call, _nobody)(call, outcome)

    def replaced(self, call: Call, by: Call) -> None:
        """A request goes into its next attempt."""
        super().replaced(call, by)
        self._asking[by] = self._asking.pop(call)

    def stop(self) -> None:
        """Nobody waits any more."""
        self._asking.clear()
        super().stop()


def _nobody(call: Call, outcome: int) -> None:
    """Whoever asked has gone."""


class OpenLoop(Source):
    """Poisson arrivals by a rate profile, whatever becomes of earlier requests."""

    def __init__(
        self,
        loop: Loop,
        ledger: Ledger,
        name: str,
        service: str,
        client: Client,
        profile: RateProfile,
        rng: np.random.Generator,
        sample_every: int = 0,
    ) -> None:
        super().__init__(loop, ledger, name, service, client, sample_every)
        self._rng = rng
        self._arrivals = Arrivals(profile, rng, loop.now_ns)
        self._due_ns = -1

    def start(self) -> None:
        """The first request comes when the profile says so, counted from now."""
        self._arrivals.restart(self._loop.now_ns)
        self._post_next()

    def set_profile(self, profile: RateProfile) -> None:
        """Arrivals from now on follow ``profile``; exact, since the process has no memory."""
        self._arrivals = Arrivals(profile, self._rng, self._loop.now_ns)
        self._post_next()

    def stop(self) -> None:
        """No more requests; those under way are abandoned."""
        self._due_ns = -1
        super().stop()

    def _post_next(self) -> None:
        due_ns = self._arrivals.next()
        if due_ns is None:
            self._due_ns = -1
        else:
            self._due_ns = due_ns
            self._loop.post(due_ns, self._tick, None)

    def _tick(self, _: None) -> None:
        due_ns = self._due_ns
        if due_ns == self._loop.now_ns:
            self._post_next()
            self.issue(due_ns)


class ClosedLoop(Source):
    """Exactly ``requests`` requests, ``concurrency`` at a time, the next when one ends (``ab -n -c``)."""

    def __init__(
        self,
        loop: Loop,
        ledger: Ledger,
        name: str,
        service: str,
        client: Client,
        requests: int,
        concurrency: int,
        on_done: Callable[[], None] | None = None,
        sample_every: int = 0,
    ) -> None:
        super().__init__(loop, ledger, name, service, client, sample_every)
        self._left = requests
        self._concurrency = concurrency
        self._on_done = on_done
        self.started_ns = self.finished_ns = loop.now_ns

    def start(self) -> None:
        """Open all connections at once."""
        self.started_ns = self._loop.now_ns
        for _ in range(min(self._concurrency, self._left)):
            self._loop.post(self.started_ns, self._next, None)

    def stop(self) -> None:
        """No more requests; those under way are abandoned."""
        self._left = 0
        super().stop()

    def _next(self, _: None) -> None:
        if self._left:
            self._left -= 1
            self.issue(self._loop.now_ns)

    def answered(self, call: Call, at_ns: int, outcome: int) -> None:
        """A request ended; its connection takes the next one."""
        super().answered(call, at_ns, outcome)
        self.finished_ns = max(self.finished_ns, at_ns)
        if self._left:
            self._loop.post(at_ns, self._next, None)
        elif not self._open and self._on_done is not None:
            self._loop.at(self.finished_ns, self._on_done)


class ConstantRate(Source):
    """``qps`` requests a second over ``connections``, each of which waits for its answer (``fortio load``).

    Request k is intended at k / qps; a connection whose answer is late sends at once when it is free.
    """

    def __init__(
        self,
        loop: Loop,
        ledger: Ledger,
        name: str,
        service: str,
        client: Client,
        qps: float,
        connections: int,
        requests: int,
        on_done: Callable[[], None] | None = None,
        sample_every: int = 0,
    ) -> None:
        super().__init__(loop, ledger, name, service, client, sample_every)
        self._qps = qps
        self._connections = connections
        self._requests = requests
        self._on_done = on_done
        self.started_ns = self.finished_ns = loop.now_ns

    def start(self) -> None:
        """Request 0 goes now."""
        self.started_ns = self._loop.now_ns
        for number in range(min(self._connections, self._requests)):
            self._loop.post(self._intended_ns(number), self._send, number)

    def stop(self) -> None:
        """No more requests; those under way are abandoned."""
        self._requests = 0
        super().stop()

    def _intended_ns(self, number: int) -> int:
        return self.started_ns + round(number / self._qps * SECOND_NS)

    def _send(self, number: int) -> None:
        if number < self._requests:
            self.issue(self._intended_ns(number))

    def answered(self, call: Call, at_ns: int, outcome: int) -> None:
        """A request ended; its connection goes on with the next of its numbers."""
        super().answered(call, at_ns, outcome)
        self.finished_ns = max(self.finished_ns, at_ns)
        number = round((call.intended_ns - self.started_ns) / SECOND_NS * self._qps)
        following = number + self._connections
        if following < self._requests:
            self._loop.post(max(at_ns, self._intended_ns(following)), self._send, following)
        elif self.arrived == self._requests and not self._open and self._on_done is not None:
            self._loop.at(self.finished_ns, self._on_done)


class Beat(Source):
    """One request at each whole ``period_ns`` of the clock, whatever becomes of earlier ones.

    ``on_end(intended_ns, at_ns, outcome)`` is called when the end of a request is known, which may lie a little ahead.
    """

    def __init__(
        self,
        loop: Loop,
        ledger: Ledger,
        name: str,
        service: str,
        client: Client,
        period_ns: int,
        on_end: Callable[[int, int, int], None],
    ) -> None:
        super().__init__(loop, ledger, name, service, client)
        self._period_ns = period_ns
        self._on_end = on_end
        self._is_stopped = False

    def start(self) -> None:
        """The first request goes at the next whole period."""
        periods = self._loop.now_ns // self._period_ns + 1
        self._loop.post(periods * self._period_ns, self._tick, None)

    def stop(self) -> None:
        """No more requests; those under way are abandoned."""
        self._is_stopped = True
        super().stop()

    def _tick(self, _: None) -> None:
        if not self._is_stopped:
            self._loop.post(self._loop.now_ns + self._period_ns, self._tick, None)
            self.issue(self._loop.now_ns)

    def answered(self, call: Call, at_ns: int, outcome: int) -> None:
        """A request ended."""
        super().answered(call, at_ns, outcome)
        self._on_end(call.intended_ns, at_ns, outcome)
