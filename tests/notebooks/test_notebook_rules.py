"""The rules themselves, on small samples; and that nbval, as the test command runs it, compares outputs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_rules import BYTES_MAX, complaints

from labs.course.tools import NBVAL

ROOT = Path(__file__).parents[2]
ALT = "Ready pods fall from five to two and are five again after a minute."


def write(folder: Path, *cells: Any, **metadata: Any) -> Path:
    path = folder / "01_sample.ipynb"
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), path)
    return path


def code(source: str = "1 + 1", *outputs: Any, count: int | None = 1) -> list[Any]:
    return [new_markdown_cell("Why."), new_code_cell(source, outputs=list(outputs), execution_count=count)]


def printed(text: str, name: str = "stdout") -> Any:
    return new_output("stream", name=name, text=text)


def image(alt: str) -> Any:
    return new_output("display_data", data={"image/png": "iVBORw0KGgo="}, metadata={"image/png": {"alt": alt}})


def test_a_good_notebook_has_no_complaints(tmp_path: Path) -> None:
    assert complaints(write(tmp_path, *code("1 + 1", printed("GET /api/v1/pods /tmpfs"), image(ALT)))) == []


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([cell for _ in range(23) for cell in code()], "46 cells, more than 45"),
        (code(count=None), "was not executed"),
        (code("\n".join(["x = 1"] * 16)), "16 lines of code"),
        (code()[1:], "no prose before it"),
        (code("1 / 0", new_output("error", ename="ZeroDivisionError", evalue="", traceback=[])), "ZeroDivisionError"),
        (code("1", printed("progress", "stderr")), "stderr is saved"),
        (code("1", image("")), "alt text"),
        (code("1", image("Figure that shows the pods of the shop over time")), "alt text"),
        (code("1", printed("saved to /home/someone/runs")), "absolute path"),
        (code("open('/tmp/x')"), "absolute path"),
        (code("1", printed("a.py:3: FutureWarning: soon gone")), "a warning"),
        (code("1", printed("x" * BYTES_MAX)), "bytes, more than"),
        (
            code("1", new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}})),
            "shows a widget",
        ),
    ],
)
def test_a_broken_rule_is_named(tmp_path: Path, cells: list[Any], complaint: str) -> None:
    found = complaints(write(tmp_path, *cells))
    assert len(found) == 1
    assert complaint in found[0]


def test_saved_widget_state_is_named(tmp_path: Path) -> None:
    state = {"application/vnd.jupyter.widget-state+json": {"version_major": 2, "version_minor": 0, "state": {}}}
    assert complaints(write(tmp_path, *code(), widgets=state)) == ["widget state is saved"]


def test_the_test_command_compares_what_is_printed_and_leaves_stderr_alone(tmp_path: Path) -> None:
    shutil.copy(ROOT / "conftest.py", tmp_path)
    noisy = code("import sys\nprint('noise', file=sys.stderr)\nprint('seven')", printed("seven\n"))
    wrong = code("print('seven')", printed("eight\n"), count=2)
    write(tmp_path, *noisy, *wrong)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *NBVAL, str(tmp_path)]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in finished.stdout
    assert "Cell 1" in finished.stdout
