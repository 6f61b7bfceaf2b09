from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import labs
from labs.course.connect import Lab
from labs.errors import UsageError

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class StandIn(Lab):
    """A lab that has nothing but a clock."""

    target = "sim"

    def __init__(self) -> None:
        self.time = NOON
        self.is_closed = False

    def now(self) -> datetime:
        if self.is_closed:
            raise UsageError("gone")
        return self.time

    def _advance(self, length_ns: int) -> None:
        self.time += timedelta(microseconds=length_ns // 1000)

    def live_view(self) -> None:
        raise UsageError("nothing to see")

    def request_rows(self) -> list[dict[str, Any]]:
        return []

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def lab() -> StandIn:
    return StandIn()


def rows(frame: Any) -> dict[str, list[str]]:
    return {name: list(row) for name, row in zip(frame.index, frame.to_numpy().tolist(), strict=True)}


def test_numbers_and_the_reason_are_written_with_the_time(lab: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    made = labs.predict(lab, because="half of them work on", pods=10, worst_minute_percent=2.5)
    assert capsys.readouterr().out == (
        "12:00:00  pods: 10\n12:00:00  worst minute percent: 2.5\n          because half of them work on\n"
    )
    assert [entry["name"] for entry in made.entries()] == ["pods", "worst_minute_percent"]
    assert made.entries()[0] == {"name": "pods", "value": 10, "because": "half of them work on", "at": NOON}


def test_the_verdict_says_hit_or_missed_and_by_how_much(lab: StandIn) -> None:
    made = labs.predict(lab, "arithmetic", pods=10, nodes=3, seconds=60, speaks=True, failed=0, detected_s="never")
    found = made.verdict(NOON, {"nodes": 0}, pods=10, nodes=4, seconds=64, speaks=False, failed=7, detected_s=None)
    assert rows(found) == {
        "pods": ["10", "10", "hit, exactly"],
        "nodes": ["3", "4", "missed, 1 too low"],
        "seconds": ["60", "64", "hit, 4 too low"],
        "speaks": ["yes", "no", "missed"],
        "failed": ["0", "7", "missed, 7 too low"],
        "detected s": ["never", "never", "hit"],
    }
    assert rows(made.verdict(NOON, seconds=None))["seconds"] == ["60", "never", "missed"]


def test_a_change_after_the_injection_is_shown_and_does_not_count(
    lab: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    labs.predict(lab, because="a guess", pods=8)
    lab.wait("1 min")
    labs.predict(lab, because="a better one", pods=9)
    assert "12:01:00  pods: 9; changed, it was 8" in capsys.readouterr().out
    injected_at = lab.wait("1 min")
    lab.wait("70 s")
    made = labs.predict(lab, because="now I know", pods=10)
    assert rows(made.verdict(injected_at, pods=10)) == {
        "pods": ["9", "10", "hit, 1 too low; changed to 10 after the injection, at 12:03:10"]
    }
    assert [entry["value"] for entry in made.entries()] == [8, 9, 10]


def test_the_same_cell_again_writes_nothing_new(lab: StandIn) -> None:
    labs.predict(lab, because="a guess", pods=8)
    lab.wait("5 min")
    assert len(labs.predict(lab, because="a guess", pods=8).entries()) == 1


def test_what_was_written_too_late_is_a_description(lab: StandIn) -> None:
    lab.wait("5 min")
    made = labs.predict(lab, because="I saw it", pods=10)
    assert rows(made.verdict(NOON, pods=10)) == {
        "pods": ["-", "10", "no prediction; written after the injection, at 12:05:00: a description"]
    }


def test_a_closed_lab_still_takes_the_note(lab: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    labs.predict(lab, because="a guess", pods=8)
    lab.close()
    made = labs.predict(lab, because="I saw it", pods=10)
    assert "too late  pods: 10" in capsys.readouterr().out
    verdict = rows(made.verdict(NOON, pods=10))["pods"][2]
    assert verdict == "missed, 2 too low; changed to 10 after the lab was closed"


def test_a_blank_prediction_is_open_and_has_no_verdict(lab: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    made = labs.predict(lab, because=..., pods=..., seconds=None)
    assert capsys.readouterr().out == (
        "Still open: pods, seconds. Replace the three dots by what you expect, before you go on.\n"
    )
    assert rows(made.verdict(NOON, pods=10)) == {"pods": ["-", "10", "no prediction"]}


def test_numbers_without_a_reason_are_not_taken(lab: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    for because in (..., None, "", "  "):
        assert labs.predict(lab, because=because, pods=10).entries() == []
        assert "say why" in capsys.readouterr().out


def test_later_quantities_are_added_and_are_no_revision(lab: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    labs.predict(lab, because="a guess", pods=8)
    made = labs.predict(lab, because="a guess", nodes=3)
    assert "changed" not in capsys.readouterr().out
    assert [entry["name"] for entry in made.entries()] == ["nodes"]


def test_what_cannot_be_a_prediction_is_refused(lab: StandIn) -> None:
    with pytest.raises(UsageError, match="prediction pods must be a number"):
        labs.predict(lab, because="a guess", pods=[10])
    made = labs.predict(lab, because="a guess", pods=10)
    with pytest.raises(UsageError, match="'nodes' was not predicted; there are pods"):
        made.verdict(NOON, nodes=3)
