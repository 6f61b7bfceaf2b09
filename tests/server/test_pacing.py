from __future__ import annotations

from collections.abc import Callable

import pytest

from labs.server.pacing import IDLE_S, LOOP_PAUSE_MAX_S, PAUSE_S, POLLS_MAX, REPEATS, TICK_S, Pacer
from labs.sim.loop import Loop
from labs.units import SECOND_NS

SPEED = 30
STEP_NS = round(TICK_S * SPEED * SECOND_NS)


class Clocks:
    """A world that is only a loop, and a real clock that is set by hand."""

    def __init__(self, *, is_free_running: bool = False) -> None:
        self.loop = Loop(0)
        self.real_s = 100.0
        self.pacer = Pacer(self, SPEED, lambda: self.real_s, is_free_running=is_free_running)

    @property
    def now_ns(self) -> int:
        return self.loop.now_ns

    def run_until(self, time_ns: int, stop: Callable[[], bool] | None = None) -> bool:
        return self.loop.run_until(time_ns, stop)

    def after(self, real_s: float) -> Clocks:
        self.real_s += real_s
        return self

    def moved_ns(self) -> int:
        """How far one tick moves the clock."""
        before_ns = self.now_ns
        self.pacer.tick()
        return self.now_ns - before_ns

    def poll(self, times: int, pause_s: float, *requests: str) -> None:
        for _ in range(times):
            self.after(pause_s)
            for request in requests:
                self.pacer.requested("GET", request)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_without_a_client_the_clock_stands(clocks: Clocks) -> None:
    assert clocks.after(60).moved_ns() == 0


def test_an_idle_watch_moves_the_clock_at_its_speed(clocks: Clocks) -> None:
    clocks.pacer.watch_opened("watch")
    assert clocks.after(IDLE_S / 2).moved_ns() == 0
    assert clocks.after(IDLE_S).moved_ns() == STEP_NS


def test_the_clock_halts_at_the_event_that_a_watch_hears_of(clocks: Clocks) -> None:
    clocks.pacer.watch_opened("watch")
    clocks.loop.after(STEP_NS // 3, clocks.pacer.watch_spoke, "watch")
    assert clocks.after(1).moved_ns() == STEP_NS // 3
    assert clocks.moved_ns() == 0, "its client is given time to react"
    assert clocks.after(1).moved_ns() == STEP_NS


def test_one_busy_watch_holds_the_clock_for_all(clocks: Clocks) -> None:
    clocks.pacer.watch_opened("a")
    clocks.pacer.watch_opened("b")
    clocks.after(1).pacer.watch_spoke("b")
    assert clocks.moved_ns() == 0


def test_a_closed_watch_waits_for_nothing(clocks: Clocks) -> None:
    clocks.pacer.watch_opened("watch")
    clocks.after(1).pacer.watch_closed("watch")
    clocks.pacer.watch_spoke("watch")
    assert clocks.after(1).moved_ns() == 0


def test_the_same_request_again_and_again_moves_the_clock(clocks: Clocks) -> None:
    clocks.poll(REPEATS - 1, 1.0, "pods")
    assert clocks.moved_ns() == 0
    clocks.poll(1, 1.0, "pods")
    assert clocks.moved_ns() == STEP_NS


def test_a_loop_over_several_requests_counts_too(clocks: Clocks) -> None:
    clocks.poll(REPEATS, 1.0, "pod a", "pod b", "pod c")
    assert clocks.moved_ns() == STEP_NS


def test_requests_without_pauses_read_and_do_not_wait(clocks: Clocks) -> None:
    clocks.poll(50, PAUSE_S / 2, "pods")
    assert clocks.moved_ns() == 0


def test_requests_by_hand_are_no_loop(clocks: Clocks) -> None:
    clocks.poll(10, LOOP_PAUSE_MAX_S + 1, "pods")
    assert clocks.moved_ns() == 0


def test_a_poll_that_comes_no_more_lets_the_clock_stand(clocks: Clocks) -> None:
    clocks.poll(REPEATS, 1.0, "pods")
    assert clocks.after(2.5).moved_ns() == 0


def test_something_new_ends_the_waiting(clocks: Clocks) -> None:
    clocks.poll(REPEATS, 1.0, "pods")
    clocks.pacer.requested("GET", "nodes")
    assert clocks.moved_ns() == 0


def test_a_write_ends_the_waiting(clocks: Clocks) -> None:
    clocks.poll(REPEATS, 1.0, "pods")
    clocks.pacer.acted()
    assert clocks.moved_ns() == 0
    clocks.poll(REPEATS, 1.0, "pods")
    assert clocks.moved_ns() == STEP_NS


def test_many_different_requests_are_not_remembered_for_ever(clocks: Clocks) -> None:
    for number in range(3 * POLLS_MAX):
        clocks.pacer.requested("GET", str(number))
    assert len(clocks.pacer._polls) <= POLLS_MAX


def test_the_clock_does_not_move_by_itself_while_it_is_moved(clocks: Clocks) -> None:
    clocks.pacer.watch_opened("watch")
    with clocks.after(1).pacer.held():
        assert clocks.after(1).moved_ns() == 0
    assert clocks.moved_ns() == 0, "whoever waits is given time to react to what happened"
    assert clocks.after(1).moved_ns() == STEP_NS


def test_an_advance_ends_the_waiting_of_polls(clocks: Clocks) -> None:
    clocks.poll(REPEATS, 1.0, "pods")
    with clocks.pacer.held():
        pass
    assert clocks.moved_ns() == 0


def test_a_free_running_clock_runs_for_nobody_and_halts_while_it_is_moved() -> None:
    clocks = Clocks(is_free_running=True)
    assert clocks.moved_ns() == STEP_NS
    with clocks.pacer.held():
        assert clocks.moved_ns() == 0
    assert clocks.moved_ns() == STEP_NS
