"""The queue in front of every controller."""

from __future__ import annotations

from labs.controlplane.runtime import BASE_BACKOFF_NS, RetryError, WorkQueue
from labs.sim.loop import Loop
from labs.units import MILLISECOND_NS, SECOND_NS


class Recorder:
    def __init__(self, failures: int = 0) -> None:
        self.loop = Loop(0)
        self.failures = failures
        self.worked_at_ns: list[int] = []

    def work(self, key: str) -> None:
        self.worked_at_ns.append(self.loop.now_ns)
        if len(self.worked_at_ns) <= self.failures:
            raise RetryError(key)


def test_a_key_that_waits_twice_is_worked_on_once() -> None:
    recorder = Recorder()
    queue = WorkQueue(recorder.loop, recorder.work)

    queue.add("a")
    queue.add("a")
    recorder.loop.run_until(SECOND_NS)

    assert recorder.worked_at_ns == [MILLISECOND_NS]


def test_what_is_due_now_does_not_take_away_what_is_due_later() -> None:
    recorder = Recorder()
    queue = WorkQueue(recorder.loop, recorder.work)

    queue.add("a", 5 * SECOND_NS)
    queue.add("a", 3 * SECOND_NS)
    queue.add("a")
    recorder.loop.run_until(10 * SECOND_NS)

    assert recorder.worked_at_ns == [MILLISECOND_NS, 3 * SECOND_NS]


def test_failures_come_back_after_doubling_delays() -> None:
    recorder = Recorder(failures=3)
    queue = WorkQueue(recorder.loop, recorder.work)

    queue.add("a", 0)
    recorder.loop.run_until(SECOND_NS)

    assert [time // BASE_BACKOFF_NS for time in recorder.worked_at_ns] == [0, 1, 3, 7]


def test_a_key_is_dropped_after_its_last_retry() -> None:
    recorder = Recorder(failures=100)
    queue = WorkQueue(recorder.loop, recorder.work, max_retries=2)

    queue.add("a", 0)
    recorder.loop.run_until(SECOND_NS)

    assert len(recorder.worked_at_ns) == 3
