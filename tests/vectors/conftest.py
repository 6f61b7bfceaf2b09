"""Upstream's numeric cases, run against the pure functions.

How a test module uses them:

    VECTORS = "hpa"                        # the stem of the file that the module answers for

    @pytest.mark.section("replica_calculator")
    def test_replica_calculator(case): ...

A test function that takes `case` (the dict with `id`, `in`, `expect`) runs once for each case of its file; one that
also takes `conventions` gets the `conventions` of the file that the case came from. The section of a case is the name
of the list that holds it (`replica_calculator` in hpa.json); in a file whose one list is `cases` it is `in.op`, where
there is one. Without the `section` mark a function gets every case that no other function of its module claims.

`pytest tests/vectors --vectors DIR` runs the files of another folder in place of `tests/vectors/data`. A file belongs
to the stem that its name starts with (`hpa.json`, `hpa-more.json`); any other file belongs to the stem whose committed
cases look most like its own. A stem without a file has no cases, and its tests are left out. A file that cannot be
read, that holds no case, or that holds a section that no test runs fails `test_every_case_is_run.py`.
"""

import json
from collections.abc import Iterator
from functools import cache
from inspect import isfunction, signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Case = dict[str, Any]
DATA = Path(__file__).parent / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vectors", metavar="DIR", default=None, help="run the vector files of DIR")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "section(*names): the sections of the vector file that the test runs")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    folder = folder_of(metafunc.config)
    wanted = _sections_of(metafunc.function)
    claimed, _ = claims_of(metafunc.module)
    found = cases(folder, metafunc.module.VECTORS)
    chosen = [
        (case, conventions)
        for section, case, conventions in found
        if (section in wanted if wanted else section not in claimed)
    ]
    ids = [case["id"] for case, _ in chosen]
    if "conventions" in metafunc.fixturenames:
        metafunc.parametrize(("case", "conventions"), chosen, ids=ids)
    else:
        metafunc.parametrize("case", [case for case, _ in chosen], ids=ids)


def folder_of(config: pytest.Config) -> Path:
    """The folder whose files are run. Raises UsageError when there is none, or nothing in it."""
    folder = Path(config.getoption("--vectors", default=None) or DATA).resolve()
    if not folder.is_dir():
        raise pytest.UsageError(f"--vectors: {folder} is no folder")
    if not any(folder.glob("*.json")):
        raise pytest.UsageError(f"--vectors: {folder} holds no *.json file")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what pytest would report as skipped: a test whose file has no case for it."""
    items[:] = [item for item in items if not _is_without_case(item)]


def cases(folder: Path, stem: str) -> list[tuple[str, Case, dict[str, Any]]]:
    """(section, case, conventions of its file) for every case of `folder` that belongs to `stem`."""
    found = []
    for path in sorted(folder.glob("*.json")):
        document = read(path)
        if isinstance(document, dict) and stem_of(path) == stem:
            found += [(section, case, document.get("conventions", {})) for section, case in _cases_in(document)]
    return found


def _sections_of(function: object) -> tuple[str, ...]:
    marks = getattr(function, "pytestmark", [])
    if not isinstance(marks, list):
        return ()
    return tuple(name for mark in marks if mark.name == "section" for name in mark.args)


def claims_of(module: ModuleType) -> tuple[set[str], bool]:
    """The sections that the tests of a module name, and whether one of its tests takes all others."""
    tests = [test for test in vars(module).values() if isfunction(test) and "case" in signature(test).parameters]
    tests = [test for test in tests if test.__name__.startswith("test_")]
    named = [_sections_of(test) for test in tests]
    return {section for sections in named for section in sections}, not all(named)


def _is_without_case(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and not isinstance(callspec.params.get("case", {}), dict)


@cache
def read(path: Path) -> dict[str, Any] | str:
    """The document of a file, or what is wrong with it."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not list(_cases_in(document)):
            raise ValueError("no case")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return f"{path.name} holds no vectors: {error!r}"
    return document


def sections(path: Path) -> set[str]:
    """The sections of a file that can be read."""
    document = read(path)
    return {section for section, _ in _cases_in(document)} if isinstance(document, dict) else set()


def _cases_in(document: dict[str, Any]) -> Iterator[tuple[str, Case]]:
    for name, cases in document.items():
        if isinstance(cases, list):
            for case in cases:
                if not case["id"] or "expect" not in case:
                    raise ValueError(f"a case of {name} has no id or no expect")
                yield (case["in"].get("op", name) if name == "cases" else name), case


def stem_of(path: Path) -> str:
    known = sorted(file.stem for file in DATA.glob("*.json") if (DATA.parent / f"test_{file.stem}.py").exists())
    for stem in known:
        if path.stem == stem or (path.stem.startswith(stem) and not path.stem[len(stem)].isalnum()):
            return stem
    looks = _looks_of(path)
    return max(known, key=lambda stem: len(looks & _looks_of(DATA / f"{stem}.json")) / len(looks or {0}))


@cache
def _looks_of(path: Path) -> frozenset[tuple[str, str]]:
    """The (section, name of an input) pairs of a file."""
    document = read(path)
    assert isinstance(document, dict), document
    return frozenset((section, name) for section, case in _cases_in(document) for name in case["in"])
