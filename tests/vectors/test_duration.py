"""`duration.json`: apimachinery pkg/util/duration."""

from typing import Any

from labs.api.durations import human_duration, short_human_duration

VECTORS = "duration"


def test_durations_read_as_upstream_prints_them(case: dict[str, Any]) -> None:
    elapsed_ns = case["in"]["ms"] * 1_000_000

    assert {"human": human_duration(elapsed_ns), "short": short_human_duration(elapsed_ns)} == case["expect"]
