from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from labs.course.preflight import Facts, Needs, free_memory, judge, measure, preflight, read_needs, table

NEEDS = Needs(SpecifierSet(">=3.11,<3.14"), [Requirement("pandas>=3,<4"), Requirement("tqdm>=4.67,<5")])
WELL = Facts("3.12.4", {"pandas": "3.0.1", "tqdm": "4.70.1"}, 4_000_000_000, 9_000_000_000, 37, "", "")


def test_a_machine_that_has_everything_is_told_to_go_on() -> None:
    findings = judge(WELL, NEEDS)
    assert [finding.cure for finding in findings] == [""] * len(findings)
    text = table(findings)
    assert text.count("ok") == len(findings)
    assert text.endswith("All is well: go on.")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"python": "3.10.2"}, ["3.10.2", "environment"]),
        ({"python": "3.14.0"}, ["3.14.0"]),
        ({"packages": {"pandas": "2.3.0", "tqdm": None}}, ["pandas is 2.3.0", "tqdm is missing", "pip install"]),
        ({"memory_bytes": 400_000_000}, ["0.4 GB", "shut down other kernels"]),
        ({"disk_bytes": 100_000_000}, ["0.10 GB", "TMPDIR"]),
        ({"kubectl_minor": None}, ["no kubectl", "pip install"]),
        ({"kubectl_minor": 32}, ["1.32", "1.36 to 1.38"]),
        ({"port_error": "Operation not permitted"}, ["Operation not permitted", "127.0.0.1"]),
        ({"folder_error": "Read-only file system"}, ["Read-only file system", "run_directory"]),
    ],
)
def test_each_lack_has_its_own_cure_and_leaves_the_others_alone(change: dict[str, Any], words: list[str]) -> None:
    findings = judge(replace(WELL, **change), NEEDS)
    (cure,) = [finding.cure for finding in findings if finding.cure]
    assert all(word in cure for word in words), cure
    text = table(findings)
    assert text.count("NOT YET") == 1
    assert "1 to cure first" in text


def test_the_needs_are_those_of_the_project_and_this_machine_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    needs = read_needs()
    assert {"kubernetes", "boto3", "pandas"} <= {package.name for package in needs.packages}
    facts = measure(needs)
    assert None not in facts.packages.values()
    assert not facts.port_error
    preflight()
    assert "packages in their versions" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_found_before_any_lab_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert measure(NEEDS, tmp_path / "file").folder_error
    assert not measure(NEEDS, tmp_path / "not" / "there" / "yet").folder_error
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    ("limit", "used", "cached", "free"),
    [("max", "900", "0", 1000), ("800", "300", "0", 500), ("800", "700", "600", 700), ("5000", "100", "0", 1000)],
)
def test_memory_is_what_the_container_may_still_use(
    tmp_path: Path, limit: str, used: str, cached: str, free: int
) -> None:
    (tmp_path / "memory.max").write_text(limit + "\n", encoding="utf-8")
    (tmp_path / "memory.current").write_text(used + "\n", encoding="utf-8")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n", encoding="utf-8")
    assert free_memory(1000, tmp_path) == free


def test_without_a_container_memory_is_the_machines(tmp_path: Path) -> None:
    assert free_memory(1000, tmp_path) == 1000


def test_the_check_runs_where_the_packages_that_it_asks_for_are_missing() -> None:
    code = "import sys, labs.course.preflight; print({'numpy', 'pandas', 'kubernetes', 'boto3'} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.stdout.strip() == "set()", finished.stderr
