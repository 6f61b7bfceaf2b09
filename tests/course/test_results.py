from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from labs.course.results import Result, load_results, plain, result_table, run_directory, save_result
from labs.errors import UsageError


def result(lab: str = "03_kill", recover_s: float | None = 42.0) -> Result:
    return Result(lab, 7, 12.5, 0.25, 80.0, 950.0, 5, 5, 5, 2, 2, 2, 60.0, recover_s, is_slo_met=False)


def test_a_saved_result_is_loaded_as_it_was(tmp_path: Path) -> None:
    save_result(result(), str(tmp_path), hypothesis="at most 5 %")
    (loaded,) = load_results(tmp_path)
    assert loaded["time_to_recover_s"] == 42.0
    assert loaded["hypothesis"] == "at most 5 %"


def test_a_result_is_valid_json_whatever_numpy_and_time_bring(tmp_path: Path) -> None:
    path = save_result(
        result(recover_s=float("nan")),
        str(tmp_path),
        count=np.int64(3),
        met=np.bool_(True),
        at=datetime(2026, 3, 2, tzinfo=UTC),
        lag=timedelta(seconds=90),
        series=(np.float64(1.5), None),
    )
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text
    loaded = json.loads(text)
    assert loaded["time_to_recover_s"] is None
    assert loaded["count"] == 3
    assert loaded["met"] is True
    assert loaded["at"] == "2026-03-02T00:00:00+00:00"
    assert loaded["lag"] == 90
    assert loaded["series"] == [1.5, None]


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold"):
        plain({"pod": object()})


def test_a_folder_that_cannot_be_made_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="set run_directory"):
        run_directory("03_kill", str(tmp_path / "file" / "below"))


def test_the_table_has_a_row_for_each_result_and_a_dash_for_what_did_not_happen(tmp_path: Path) -> None:
    save_result(result(), str(tmp_path))
    save_result(result("04_spike", recover_s=None), str(tmp_path))
    head, rule, first, second = result_table(load_results(tmp_path)).splitlines()
    assert head.startswith("lab ")
    assert set(rule) == {"-", " "}
    assert first.split() == ["03_kill", "12.5", "0.25", "80", "950", "5/5/5", "2/2/2", "60", "42", "no"]
    assert second.split()[-2] == "-"


def test_what_a_lab_did_not_measure_is_a_dash_and_never_a_number(tmp_path: Path) -> None:
    save_result(Result("01_deploy", 7, pods_before=5, pods_after=7, latency_ms_p50=80.0), str(tmp_path))
    row = result_table(load_results(tmp_path)).splitlines()[-1].split()
    assert row == ["01_deploy", "-", "-", "80", "-", "5/-/7", "-", "-", "-", "-"]
