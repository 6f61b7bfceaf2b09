"""No case of a folder of vectors is lost: each file can be read, and each of its sections is run by a test."""

import importlib
from pathlib import Path

import pytest

from tests.vectors.conftest import claims_of, folder_of, read, sections, stem_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "path" in metafunc.fixturenames:
        paths = sorted(folder_of(metafunc.config).glob("*.json"))
        metafunc.parametrize("path", paths, ids=[path.name for path in paths])


def complaint(path: Path) -> str:
    """What is wrong with a file, or nothing."""
    document = read(path)
    if isinstance(document, str):
        return document
    stem = stem_of(path)
    claimed, takes_others = claims_of(importlib.import_module(f"tests.vectors.test_{stem}"))
    unclaimed = sorted(sections(path) - claimed)
    return "" if takes_others or not unclaimed else f"no test of {stem} runs {', '.join(unclaimed)}"


def test_every_case_of_the_file_is_run(path: Path) -> None:
    assert complaint(path) == ""
