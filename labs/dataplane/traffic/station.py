"""A server: one container of a pod, or a database. Accept queue, workers, CPU, calls downstream.

A worker is held from the start of a request to its answer, the calls downstream included. When the
worker has its CPU time (first come, first served on the slots), the calls follow one after another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from labs.dataplane.traffic.call import Call, Span
from labs.dataplane.traffic.cpu import Cpu, CpuShape
from labs.dataplane.traffic.demand import BLOCK, Draws, Uniforms
from labs.dataplane.traffic.outcome import APP_500, APP_503, OK, REFUSED, RESET, answer_for
from labs.dataplane.traffic.profile import Listener, Profile
from labs.sim.loop import Loop

if TYPE_CHECKING:
    from labs.dataplane.traffic.client import Client

__all__ = ["Profile", "Station"]


class Station:
    """Serves calls; told what to do by the kubelet and by faults, never by another station."""

    _IDENTITY = ("index", "name", "profile", "zone", "_loop", "_rng", "_uniforms")
    _SIZES = ("_capacity", "_room", "_workers", "_ready_workers", "_cold", "_last_step", "_nominal_speed")
    _CALLS = (
        "_inside",
        "_queue",
        "_held",
        "_cpu",
        "_demands",
        "_waits",
        "_downstream",
        "_first",
        "departed",
        "_sojourn_ns",
    )
    _STATE = ("_listener", "_is_paused", "_is_simple", "_extra_wait_ns", "_on_idle", "_on_ceiling")
    __slots__ = (*_IDENTITY, *_SIZES, *_CALLS, *_STATE)

    def __init__(
        self,
        loop: Loop,
        name: str,
        profile: Profile,
        shape: CpuShape,
        *,
        workers: int,
        queue_limit: int,
        rng: np.random.Generator,
        downstream: tuple[Client, ...] = (),
        zone: str = "",
        index: int = 0,
    ) -> None:
        self._loop = loop
        self.name = name
        self.zone = zone
        self.index = index
        self.profile = profile
        self._workers = workers
        self._room = self._capacity = workers + queue_limit
        self._on_ceiling: Callable[[], None] | None = None
        self._cpu = Cpu(CpuShape(min(shape.slots, workers), shape.speed))
        self._nominal_speed = shape.speed
        self._rng = rng
        self._demands: list[int] = []
        self._waits = Draws(profile.wait, rng) if profile.wait is not None else None
        self._extra_wait_ns = 0
        self._uniforms = Uniforms(rng)
        self._cold = profile.cold_requests
        self._downstream = downstream
        self._last_step = len(downstream)
        for client in downstream:
            client.bind(self, take_back=self.take_back)
        self._inside: dict[Call, None] = {}
        self._queue: deque[Call] = deque()
        self._held: list[tuple[Callable[[Call], None], Call]] = []
        self._is_paused = False
        self._ready_workers = workers
        self._listener = Listener.OPEN
        self._on_idle: Callable[[], None] | None = None
        self._set_path()
        self._sojourn_ns = 0
        self.departed = 0
        """Calls that left: answered, or lost when the station died."""

    # Serving.

    def deliver(self, call: Call) -> None:
        """A request arrives, unless it was taken back before it was sent."""
        now_ns = self._loop.now_ns
        if call.due_ns != now_ns:
            return
        call.arrived_ns = now_ns
        inside = self._inside
        if len(inside) < self._ready_workers:
            inside[call] = None
            self._start(call, now_ns)
        elif self._listener is not Listener.OPEN:
            if self._listener is Listener.REFUSING and call.is_open:
                call.client.respond(call, REFUSED)
        elif len(inside) < self._capacity:
            inside[call] = None
            call.due_ns = 0
            self._queue.append(call)
        elif self._on_ceiling is not None:
            self._on_ceiling()
            call.client.respond(call, RESET)
        elif call.is_open:
            call.client.respond(call, APP_503)

    def _start(self, call: Call, now_ns: int) -> None:
        """A worker takes the call and asks for its CPU time."""
        demands = self._demands
        if not demands:
            demands = self._demands = self.profile.cpu.draw(self._rng, BLOCK)
        demand_ns = demands.pop()
        if self._cold:
            self._cold -= 1
            demand_ns = int(demand_ns * self.profile.cold_factor)
        call.due_ns = done_ns = self._cpu.plan(now_ns, demand_ns)
        if call.span is not None:
            call.span.arrived_ns = call.arrived_ns
            call.span.started_ns = now_ns
        first = self._first
        if first is None or not first.is_clear:
            self._loop.post(done_ns, self._computed, call)
            return
        call.step = 1
        call.child = child = Call(first, call, call.intended_ns, done_ns)
        if call.span is not None:
            child.span = Span(call.span.trace, call.span, done_ns)
        first.send_ahead(child)

    def take_back(self) -> None:
        """Withdraw the calls that were sent ahead of the end of their CPU work; it sends them then."""
        now_ns = self._loop.now_ns
        for call in self._inside:
            child = call.child
            if call.step == 1 and child is not None and child.sent_ns > now_ns and child.attempt == 1:
                child.is_open = False
                child.due_ns = 0
                if child.span is not None:
                    child.span.trace.remove(child.span)
                call.child = None
                call.step = -1
                self._loop.post(call.due_ns, self._computed, call)

    def _computed(self, call: Call) -> None:
        """The CPU work is done, unless the event is out of date."""
        now_ns = self._loop.now_ns
        if call.due_ns != now_ns or call.step >= 0:
            return
        call.step = 0
        if self._is_simple:
            self._go_on(call)
        elif self.profile.error_rate and self._uniforms.next() < self.profile.error_rate:
            self._answer(call, APP_500)
        else:
            wait_ns = self._extra_wait_ns + (self._waits.next() if self._waits is not None else 0)
            call.due_ns = now_ns + wait_ns
            self._loop.post(call.due_ns, self._waited, call)

    def _waited(self, call: Call) -> None:
        if call.due_ns == self._loop.now_ns:
            self._continue(self._go_on, call)

    def _go_on(self, call: Call) -> None:
        """Make the next call downstream, or answer when there is none left."""
        if call.step == self._last_step:
            self._answer(call, OK)
            return
        client = self._downstream[call.step]
        call.step += 1
        call.child = child = Call(client, call, call.intended_ns, self._loop.now_ns)
        if call.span is not None:
            child.span = Span(call.span.trace, call.span, child.sent_ns)
        client.begin(child)

    def answered(self, call: Call, at_ns: int, outcome: int) -> None:
        """A call downstream ended; its worker goes on."""
        parent = call.parent
        assert parent is not None
        if outcome == OK and not self._is_paused:
            self._go_on(parent)
        else:
            parent.outcome = outcome
            self._continue(self._go_on if outcome == OK else self._give_up, parent)

    def _continue(self, step: Callable[[Call], None], call: Call) -> None:
        """Take the step now, or when the pause ends."""
        if self._is_paused:
            self._held.append((step, call))
        else:
            step(call)

    def _give_up(self, call: Call) -> None:
        self._answer(call, answer_for(call.outcome))

    def replaced(self, call: Call, by: Call) -> None:
        """``by`` is the next attempt of a call downstream."""
        assert call.parent is not None
        call.parent.child = by

    def _answer(self, call: Call, outcome: int) -> None:
        """The worker answers and takes the next call in the queue."""
        now_ns = self._loop.now_ns
        del self._inside[call]
        self.departed += 1
        self._sojourn_ns += now_ns - call.arrived_ns
        if call.span is not None:
            call.span.left_ns = now_ns
            call.span.outcome = outcome
        if self._queue:
            self._start(self._queue.popleft(), now_ns)
        elif self._on_idle is not None:
            self._tell_idle()
        if call.is_open:
            call.client.respond(call, outcome)

    # Control: by the kubelet and by faults.

    @property
    def is_open(self) -> bool:
        """Whether new connections are accepted."""
        return self._listener is Listener.OPEN

    @property
    def is_refusing(self) -> bool:
        """Whether its clients know that their kept connections are closed."""
        return self._listener is Listener.REFUSING

    @property
    def is_paused(self) -> bool:
        """Whether its processes stand still."""
        return self._is_paused

    def open(self) -> None:
        """The program listens, for the first time or again; its first requests are cold."""
        self._listen(Listener.OPEN)
        self._cold = self.profile.cold_requests

    def _listen(self, listener: Listener) -> None:
        self._listener = listener
        self._set_ready()

    def _set_ready(self) -> None:
        """Workers that may take an arriving call: none while closed or paused."""
        is_ready = self._listener is Listener.OPEN and not self._is_paused
        self._ready_workers = min(self._workers, self._capacity) if is_ready else 0

    def set_ceiling(self, calls: int | None, exceeded: Callable[[], None]) -> None:
        """Call ``exceeded`` when a call comes while ``calls`` are inside; None: the queue's own limit holds."""
        self._capacity = self._room if calls is None else calls
        self._on_ceiling = None if calls is None else exceeded
        self._set_ready()

    def stop_accepting(self) -> None:
        """The listener closes: new calls are refused, the accepted ones are finished."""
        self._listen(Listener.REFUSING)

    def drain(self, on_idle: Callable[[], None]) -> None:
        """``stop_accepting``, and ``on_idle`` once when nothing is left inside, at once if so now."""
        self.stop_accepting()
        self._on_idle = on_idle
        self._tell_idle()

    def _tell_idle(self) -> None:
        if self._on_idle is not None and not self._inside:
            on_idle, self._on_idle = self._on_idle, None
            on_idle()

    def kill(self) -> None:
        """The process dies: every call inside is reset towards its caller, and its work vanishes."""
        self._listen(Listener.REFUSING)
        for call in self._lose_all():
            if call.is_open:
                call.client.respond(call, RESET)

    def vanish(self) -> None:
        """The host dies: as ``kill``, but nobody is told; callers find out by their time-outs."""
        self._listen(Listener.SILENT)
        self._lose_all()

    def _lose_all(self) -> list[Call]:
        now_ns = self._loop.now_ns
        self.take_back()
        lost = list(self._inside)
        for call in lost:
            call.due_ns = 0
            if call.child is not None:
                call.child.is_open = False
            self._sojourn_ns += now_ns - call.arrived_ns
        self.departed += len(lost)
        self._inside.clear()
        self._queue.clear()
        self._held.clear()
        self._on_idle = None
        self._is_paused = False
        self._cpu.halt(now_ns)
        for client in self._downstream:
            client.reset()
        return lost

    def set_cpu_factor(self, factor: float) -> None:
        """Run at ``factor`` times the nominal speed, work in progress included; 1 is healthy."""
        now_ns = self._loop.now_ns
        stretch = self._cpu.set_speed(now_ns, self._nominal_speed * factor)
        if not self._is_paused:
            self._suspend_work(now_ns)
            self._restart_work(now_ns, stretch)
            return
        for call in self._on_cpu():
            call.due_ns = ~int(~call.due_ns * stretch)

    def pause(self) -> None:
        """The processes stand still (a frozen container); calls arrive and wait."""
        if not self._is_paused:
            self._is_paused = True
            self._set_ready()
            self._cpu.pause(self._loop.now_ns)
            self._suspend_work(self._loop.now_ns)

    def resume(self) -> None:
        """Everything goes on where it stood; nothing happens when it was not paused."""
        if not self._is_paused:
            return
        now_ns = self._loop.now_ns
        self._is_paused = False
        self._set_ready()
        self._cpu.resume(now_ns)
        self._restart_work(now_ns, 1.0)
        while self._queue and len(self._inside) - len(self._queue) < self._workers:
            self._start(self._queue.popleft(), now_ns)
        held, self._held = self._held, []
        for go_on, call in held:
            go_on(call)

    def _on_cpu(self) -> list[Call]:
        """Calls that have or await CPU time; a queued call has no due time yet."""
        return [call for call in self._inside if call.step < 0 and call.due_ns]

    def _suspend_work(self, now_ns: int) -> None:
        """Keep what lies ahead as its complement, a negative number, which no event matches."""
        self.take_back()
        for call in self._on_cpu():
            call.due_ns = ~(call.due_ns - now_ns)

    def _restart_work(self, now_ns: int, stretch: float) -> None:
        for call in self._on_cpu():
            call.due_ns = now_ns + int(~call.due_ns * stretch)
            self._loop.post(call.due_ns, self._computed, call)

    def add_latency(self, wait_ns: int) -> None:
        """Each request from now on waits this much longer, without CPU; 0 takes the fault away."""
        self.take_back()
        self._extra_wait_ns = wait_ns
        self._set_path()

    def _set_path(self) -> None:
        """Whether CPU work leads straight to the answer or to the first call, which may go ahead."""
        self._is_simple = not (self.profile.error_rate or self._waits is not None or self._extra_wait_ns)
        self._first = self._downstream[0] if self._is_simple and self._downstream else None

    # Reading.

    @property
    def inside(self) -> int:
        """Calls in the station, queued ones included."""
        return len(self._inside)

    @property
    def queued(self) -> int:
        """Calls that wait for a worker."""
        return len(self._queue)

    def cpu_used_ns(self) -> int:
        """CPU time used since the station was made, up to now."""
        return self._cpu.used_ns(self._loop.now_ns)

    def time_inside_ns(self) -> int:
        """The time integral of the number inside up to now: L times the length of the run."""
        now_ns = self._loop.now_ns
        return self._sojourn_ns + sum(now_ns - call.arrived_ns for call in self._inside)
