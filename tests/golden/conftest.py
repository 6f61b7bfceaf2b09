"""What a real control plane answered, and a simulated one in the state that it was asked in.

`pytest tests/golden --golden DIR` compares with the recordings of another folder in place of `tests/golden/data`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from golden.folders import FOLDERS, all_cases
from golden.stage import DATA


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", metavar="DIR", default=None, help="compare with the recordings of DIR")


def root_of(config: pytest.Config) -> Path:
    """The recordings to compare with. Raises UsageError where there is nothing to compare."""
    asked = config.getoption("--golden", default=None)
    root = Path(asked).resolve() if asked else DATA
    if not root.is_dir() or not any((root / folder).is_dir() for folder in FOLDERS):
        raise pytest.UsageError(f"--golden {asked}: holds none of the folders {', '.join(FOLDERS)}")
    return root


def pytest_report_header(config: pytest.Config) -> str:
    root = root_of(config)
    counts = {folder: sum(case.folder == folder for case in all_cases(root)) for folder in FOLDERS}
    return "recordings: " + ", ".join(f"{folder} {count or 'none'}" for folder, count in counts.items())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = all_cases(root_of(metafunc.config))
        metafunc.parametrize("case", found, ids=[str(case) for case in found])
