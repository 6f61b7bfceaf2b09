from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from labs.course.kernels import execute
from labs.course.notebook import is_interactive, progress

ROOT = Path(__file__).parents[2]


def test_a_wait_shows_nothing_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(600) as advanced:
        advanced(300)
        advanced(300)
    assert capsys.readouterr() == ("", "")


def test_a_named_session_alone_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "03_kill.ipynb")
    assert not is_interactive()


def test_a_long_wait_shows_one_line_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "03_kill.ipynb")
    code = "from labs.course import notebook\nnotebook.SHOWN_AFTER_S = 0\nwith notebook.progress(600) as advanced:\n"
    cells = [f"{code}    advanced(300)\n    assert 0", f"{code}    advanced(600)"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.cells[0].metadata["tags"] = ["raises-exception"]
    execute(book, ROOT)
    assert [output.output_type for output in book.cells[0].outputs] == ["display_data", "error"]
    (line,) = book.cells[1].outputs
    assert line.data["text/html"] == ""
