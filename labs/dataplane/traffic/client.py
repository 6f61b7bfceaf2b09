"""One caller's side of its calls to one service: view, time-outs, retries, connections.

The hot path is ``begin`` -> ``Station.deliver`` ... ``respond`` -> ``_settle``. Time-outs cost no event each:
since the time-out is constant, deadlines fall due in the order of sending, so one FIFO with one pending
event serves them all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from labs.dataplane.traffic.balancer import Balancer
from labs.dataplane.traffic.call import Call, Owner, Span
from labs.dataplane.traffic.demand import Uniforms
from labs.dataplane.traffic.outcome import OK, RETRYABLE, Outcome, at_gateway
from labs.dataplane.traffic.path import CLEAR, Impairment, Path
from labs.dataplane.traffic.policy import Policy, backoff_ns
from labs.dataplane.traffic.pool import Connection, Grant, Pool
from labs.dataplane.traffic.station import Station
from labs.sim.loop import Loop
from labs.units import SECOND_NS

_TIMEOUT = int(Outcome.TIMEOUT)
_NO_ENDPOINT = int(Outcome.NO_ENDPOINT)
_POOL_FULL = int(Outcome.POOL_FULL)
_GATEWAY_504 = int(Outcome.GATEWAY_504)
_RETRANSMIT_NS = SECOND_NS // 5
_RETRANSMIT_CAP_NS = 120 * SECOND_NS
"""Linux TCP_RTO_MIN and TCP_RTO_MAX; the time doubles from one to the other."""


class Gateway:
    """A load balancer between the client and the endpoints: its own latency, answers and idle time-out."""

    __slots__ = ("idle_timeout_ns", "latency_ns")

    def __init__(self, latency_ns: int, idle_timeout_ns: int = 60 * SECOND_NS) -> None:
        self.latency_ns = latency_ns
        self.idle_timeout_ns = idle_timeout_ns


class Client:
    """Calls one service on behalf of its owner, a station or a source of load."""

    __slots__ = (
        "_armed_ns",
        "_balancer",
        "_budget",
        "_counts_outstanding",
        "_deadlines",
        "_is_simple",
        "_loop",
        "_owner",
        "_paths",
        "_pick",
        "_policy",
        "_pool",
        "_settles_early",
        "_take_back",
        "_timeout_ns",
        "_timeout_outcome",
        "_tracks_calls",
        "_uniforms",
        "gateway",
        "is_clear",
        "retries",
    )

    def __init__(
        self,
        loop: Loop,
        policy: Policy,
        balancer: Balancer,
        rng: np.random.Generator,
        gateway: Gateway | None = None,
    ) -> None:
        self._loop = loop
        self._owner: Owner
        self._take_back: Callable[[], None] | None = None
        self._policy = policy
        self._balancer = balancer
        self._pick = balancer.pick
        self._counts_outstanding = balancer.counts_outstanding
        self._uniforms = Uniforms(rng)
        self.gateway = gateway
        self._pool = Pool(policy.keep_alive) if policy.keep_alive is not None else None
        self._budget = policy.budget.cap if policy.budget is not None else 0.0
        self._timeout_ns, self._timeout_outcome = policy.timeout_ns, _TIMEOUT
        if gateway is not None and gateway.idle_timeout_ns < (policy.timeout_ns or 1 << 62):
            self._timeout_ns, self._timeout_outcome = gateway.idle_timeout_ns, _GATEWAY_504
        self._deadlines: deque[Call] = deque()
        self._armed_ns = 0
        self._settles_early = False
        self._paths: dict[Station, Path] = {}
        self._tracks_calls = self._pool is not None or self._counts_outstanding
        self._is_simple = not self._tracks_calls and policy.budget is None
        self.is_clear = False
        """Whether every known path is without jitter and loss, and sending needs no bookkeeping."""
        self.retries = 0

    def bind(self, owner: Owner, take_back: Callable[[], None] | None) -> None:
        """Set who is told of the ends of calls.

        ``take_back`` withdraws calls that were sent ahead. An owner without it, a source, sends none
        ahead, and is told of an answer as soon as it is on its way.
        """
        self._owner = owner
        self._take_back = take_back
        self._settles_early = take_back is None and not self._tracks_calls

    # The view of the service.

    def update(self, stations: Sequence[Station], latency_ns: Callable[[Station], int]) -> None:
        """Know these endpoints from now on; ``latency_ns`` gives the one-way latency to each.

        Calls under way and kept connections stay where they are, as conntrack lets them.
        """
        front_ns = self.gateway.latency_ns if self.gateway is not None else 0
        known, self._paths = self._paths, {}
        for station in stations:
            latency = front_ns + latency_ns(station)
            path = known.get(station)
            if path is None:
                path = Path(station, latency, self._policy.connect_round_trips)
            else:
                path.set_latency(latency)
            self._paths[station] = path
        self._balancer.set_paths(tuple(self._paths.values()))
        self._changed()

    def impair(self, station: Station, out: Impairment = CLEAR, back: Impairment = CLEAR) -> None:
        """Put faults on the way to ``station``, when it is known; without arguments, take them away."""
        path = self._paths.get(station)
        if path is not None:
            path.impair(out, back)
            self._changed()

    def _changed(self) -> None:
        paths = self._paths.values()
        self.is_clear = not self._tracks_calls and bool(paths) and all(path.is_plain for path in paths)
        if self._take_back is not None:
            self._take_back()

    @property
    def endpoints(self) -> tuple[Station, ...]:
        """The stations that this client knows, in the order of its view."""
        return tuple(self._paths)

    # Sending.

    def begin(self, call: Call) -> None:
        """Send ``call``, whose ``sent_ns`` is now."""
        if self.is_clear:
            self.send_ahead(call)
            return
        self._set_deadline(call)
        if self._pool is not None:
            self._begin_pooled(self._pool, call)
            return
        path = self._pick()
        if path is None:
            self._fail_at_once(call, _NO_ENDPOINT)
        else:
            self._send(call, path, is_new=True)

    def send_ahead(self, call: Call) -> None:
        """Send ``call`` at its ``sent_ns``, now or later; only while ``is_clear``.

        Sending ahead saves the event at the end of the CPU work. The owner takes such calls back
        (``Station.take_back``) whenever something changes before they are due to be sent.
        """
        deadlines = self._deadlines
        while deadlines and not deadlines[0].is_open:
            deadlines.popleft()
        if self._armed_ns and deadlines and deadlines[-1].sent_ns <= call.sent_ns:
            deadlines.append(call)
        else:
            self._set_deadline(call)
        path = self._pick()
        assert path is not None
        call.path = path
        if call.span is not None:
            call.span.station = path.station.name
        call.due_ns = due_ns = call.sent_ns + path.connect_and_out_ns
        self._loop.post(due_ns, path.deliver, call)

    def _begin_pooled(self, pool: Pool, call: Call) -> None:
        connection = pool.idle()
        is_new = connection is None
        if connection is None:
            grant = pool.ask(call)
            if grant is Grant.WAIT:
                return
            path = self._pick() if grant is Grant.OPEN else None
            if path is None:
                self._fail_at_once(call, _POOL_FULL if grant is Grant.FULL else _NO_ENDPOINT)
                return
            connection = Connection(path)
        pool.busy[call] = connection
        self._send(call, connection.path, is_new)

    def _fail_at_once(self, call: Call, outcome: int) -> None:
        """No connection to be had: known now, or after the way to the gateway and back."""
        if self.gateway is None:
            self._fail(call, self._loop.now_ns, outcome)
        else:
            call.outcome = outcome
            self._loop.post(self._loop.now_ns + 2 * self.gateway.latency_ns, self._receive, call)

    def _send(self, call: Call, path: Path, is_new: bool) -> None:
        call.path = path
        if self._counts_outstanding:
            path.outstanding += 1
        if call.span is not None:
            call.span.station = path.station.name
        self._transmit((call, _RETRANSMIT_NS * (5 if is_new else 1), is_new))

    def _transmit(self, packet: tuple[Call, int, bool]) -> None:
        """Send over any path; a lost packet goes again after its retransmission time."""
        call, retransmit_ns, is_new = packet
        if not call.is_open:
            return
        path = call.path
        assert path is not None
        now_ns = self._loop.now_ns
        if path.out.loss and self._uniforms.next() < path.out.loss:
            again_ns = min(2 * retransmit_ns, _RETRANSMIT_CAP_NS)
            self._loop.post(now_ns + retransmit_ns, self._transmit, (call, again_ns, is_new))
            return
        delay_ns = (path.connect_and_out_ns if is_new else path.out_ns) + self._jitter_ns(path.out)
        call.due_ns = now_ns + max(0, delay_ns)
        self._loop.post(call.due_ns, path.deliver, call)

    def _set_deadline(self, call: Call) -> None:
        """Put ``call`` in its place by ``sent_ns``, nearly always the last, and wait for the first."""
        timeout_ns = self._timeout_ns
        if timeout_ns is None:
            return
        deadlines = self._deadlines
        while deadlines and not deadlines[0].is_open:
            deadlines.popleft()
        place = len(deadlines)
        while place and deadlines[place - 1].sent_ns > call.sent_ns:
            place -= 1
        deadlines.insert(place, call)
        due_ns = call.sent_ns + timeout_ns
        if not self._armed_ns or due_ns < self._armed_ns:
            self._armed_ns = due_ns
            self._loop.post(due_ns, self._expire, None)

    def _jitter_ns(self, impairment: Impairment) -> int:
        if not impairment.jitter_ns:
            return 0
        return int((2 * self._uniforms.next() - 1) * impairment.jitter_ns)

    # The answer.

    def respond(self, call: Call, outcome: int) -> None:
        """The station, or the host in its place, answers an open call now."""
        path = call.path
        loop = self._loop
        call.outcome = outcome
        if path is None or not path.is_plain:
            self._transmit_back((call, _RETRANSMIT_NS))
            return
        at_ns = loop.now_ns + path.back_ns
        if not self._settles_early:
            loop.post(at_ns, self._receive, call)
        elif self._timeout_ns is None or at_ns < call.sent_ns + self._timeout_ns:
            self._settle(call, at_ns)

    def _transmit_back(self, packet: tuple[Call, int]) -> None:
        call, retransmit_ns = packet
        if not call.is_open:
            return
        path = call.path
        assert path is not None
        now_ns = self._loop.now_ns
        if path.back.loss and self._uniforms.next() < path.back.loss:
            again_ns = min(2 * retransmit_ns, _RETRANSMIT_CAP_NS)
            self._loop.post(now_ns + retransmit_ns, self._transmit_back, (call, again_ns))
            return
        delay_ns = max(0, path.back_ns + self._jitter_ns(path.back))
        self._loop.post(now_ns + delay_ns, self._receive, call)

    def _receive(self, call: Call) -> None:
        if not call.is_open:
            return
        if call.outcome == OK and self._is_simple:
            call.is_open = False
            self._owner.answered(call, self._loop.now_ns, OK)
        else:
            self._settle(call, self._loop.now_ns)

    def _settle(self, call: Call, at_ns: int) -> None:
        if call.outcome != OK:
            self._fail(call, at_ns, call.outcome)
            return
        call.is_open = False
        if self._tracks_calls:
            self._let_go(call, is_reusable=True)
        if self._policy.budget is not None:
            self._budget = min(self._policy.budget.cap, self._budget + self._policy.budget.earned)
        self._owner.answered(call, at_ns, OK)

    def _expire(self, _: None) -> None:
        """Time out every open call whose deadline has come, and wait for the next deadline."""
        now_ns = self._loop.now_ns
        timeout_ns = self._timeout_ns
        if now_ns != self._armed_ns or timeout_ns is None:
            return
        deadlines = self._deadlines
        while deadlines and (not deadlines[0].is_open or deadlines[0].sent_ns + timeout_ns <= now_ns):
            call = deadlines.popleft()
            if call.is_open:
                self._fail(call, now_ns, self._timeout_outcome)
        self._armed_ns = deadlines[0].sent_ns + timeout_ns if deadlines else 0
        if deadlines:
            self._loop.post(self._armed_ns, self._expire, None)

    def _fail(self, call: Call, at_ns: int, outcome: int) -> None:
        """End this attempt; try again when the policy and the budget allow it."""
        call.is_open = False
        self._let_go(call, is_reusable=outcome <= Outcome.APP_504)
        if self.gateway is not None:
            outcome = at_gateway(outcome)
        if outcome in RETRYABLE and call.attempt < self._policy.attempts and self._may_retry():
            self._try_again(call, at_ns)
        else:
            self._owner.answered(call, at_ns, outcome)

    def _may_retry(self) -> bool:
        if self._policy.budget is None:
            return True
        if self._budget < 1:
            return False
        self._budget -= 1
        return True

    def _try_again(self, failed: Call, at_ns: int) -> None:
        self.retries += 1
        at_ns += backoff_ns(self._policy, failed.attempt, self._uniforms.next())
        call = Call(self, failed.parent, failed.intended_ns, at_ns)
        call.attempt = failed.attempt + 1
        if failed.span is not None:
            call.span = Span(failed.span.trace, failed.span.parent, at_ns, call.attempt)
        self._owner.replaced(failed, call)
        self._loop.post(at_ns, self._resend, call)

    def _resend(self, call: Call) -> None:
        if call.is_open:
            self.begin(call)

    def _let_go(self, call: Call, is_reusable: bool) -> None:
        if call.path is None:
            return
        if self._counts_outstanding:
            call.path.outstanding -= 1
        if self._pool is not None:
            following = self._pool.release(call, is_reusable)
            if following is not None:
                self._begin_pooled(self._pool, following)

    def reset(self) -> None:
        """The owner died: its connections are closed. The owner closes its calls."""
        if self._pool is not None:
            self._pool.clear()
        for path in self._paths.values():
            path.outstanding = 0
