from __future__ import annotations

from labs.dataplane.kubelet.backoff import Backoff, after_start, go_duration_s, remaining_ns
from labs.units import SECOND_NS


def test_waits_double_from_ten_seconds_to_five_minutes() -> None:
    entry: Backoff | None = None
    waits, now_ns = [], 0
    for _ in range(9):
        finished_ns = now_ns
        wait_ns = remaining_ns(entry, finished_ns, now_ns)
        waits.append(wait_ns // SECOND_NS)
        now_ns += wait_ns
        entry = after_start(entry, finished_ns, now_ns)
        now_ns += SECOND_NS
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_wait_is_forgotten_after_ten_good_minutes() -> None:
    entry = Backoff(300 * SECOND_NS, 0)
    assert remaining_ns(entry, 600 * SECOND_NS, 600 * SECOND_NS) == 300 * SECOND_NS
    assert remaining_ns(entry, 601 * SECOND_NS, 601 * SECOND_NS) == 0
    assert after_start(entry, 601 * SECOND_NS, 601 * SECOND_NS).delay_ns == 10 * SECOND_NS


def test_durations_print_as_in_go() -> None:
    assert [go_duration_s(wait * SECOND_NS) for wait in (10, 80, 160, 300)] == ["10s", "1m20s", "2m40s", "5m0s"]
