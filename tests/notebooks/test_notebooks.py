"""The committed notebooks; nbval, in the same pytest process, compares their outputs."""

from __future__ import annotations

from pathlib import Path

from notebook_rules import complaints

from labs.course.build import NOTEBOOKS, find_orphans, find_out_of_step, find_sources

COMMITTED = sorted([*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")])


def test_every_notebook_keeps_the_rules() -> None:
    wrong = {path.name: found for path in COMMITTED if (found := complaints(path))}
    assert wrong == {}


def test_every_source_has_its_notebooks_in_step() -> None:
    assert find_out_of_step(find_sources()) == []


def test_every_notebook_has_a_source() -> None:
    assert find_orphans() == []


def test_nothing_else_lies_among_the_notebooks() -> None:
    allowed = {".ipynb", ".py", ".md", ""}
    others = [path for path in NOTEBOOKS.rglob("*") if path.suffix not in allowed and not _is_cache(path)]
    assert others == []


def _is_cache(path: Path) -> bool:
    return any(part in ("__pycache__", ".ipynb_checkpoints") for part in path.parts)
