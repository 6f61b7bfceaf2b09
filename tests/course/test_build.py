from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from labs.course.build import build, find_orphans, find_out_of_step, find_sources, read_source, versions
from labs.errors import UsageError

SOURCE = """# %% [markdown]
# # A sample

# %% tags=["parameters"]
seed = 7

# %%
import sys
import matplotlib.pyplot as plt
print("to the reader"); print("to nobody", file=sys.stderr)
_ = plt.plot([1, 2])

# %%
answer = None
# solution
answer = 42
print(answer)

# %% tags=["solution"]
answer + 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "01_sample.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def source_of(folder: Path) -> Path:
    return folder / "source" / "01_sample.py"


def test_a_built_notebook_has_the_same_bytes_each_time_and_no_noise(folder: Path) -> None:
    paths = build(source_of(folder), folder)
    first = [path.read_bytes() for path in paths]
    assert build(source_of(folder), folder) == paths
    assert [path.read_bytes() for path in paths] == first
    learner = first[0].decode()
    assert "to the reader" in learner
    assert '"image/png"' in learner
    for noise in ('"stderr"', 'to nobody\\n"', '"version"', "iopub", str(folder), "widgets"):
        assert noise not in learner
    counts = [cell["execution_count"] for cell in nbformat.reads(learner, 4).cells if cell["cell_type"] == "code"]
    assert counts == [1, 2, 3]
    assert find_out_of_step([source_of(folder)], folder) == []


def test_the_learner_gets_no_answers_and_the_same_cell_ids(folder: Path) -> None:
    learner, solved = versions(source_of(folder), folder).values()
    assert [cell["id"] for cell in learner.cells] == [f"01_sample-0{place}" for place in range(4)]
    assert learner.cells[3]["source"] == "answer = None\n# Your code here."
    assert len(solved.cells) == 5
    assert "answer = 42" in solved.cells[3]["source"]


def test_an_answer_ends_at_an_empty_line_and_leaves_three_dots_in_a_function(folder: Path) -> None:
    cell = """# %%
def rule(pods):
    half = pods / 2
    # solution
    whole = round(half)
    return whole


check(rule)
# blank
predict(pods=...)
# solution
predict(pods=3)

verdict()
"""
    source_of(folder).write_text(cell, encoding="utf-8")
    learner, solved = (each.cells[0]["source"].splitlines() for each in versions(source_of(folder), folder).values())
    assert learner == [
        "def rule(pods):",
        "    half = pods / 2",
        "    ...  # Your code here.",
        *["", "", "check(rule)", "predict(pods=...)", "", "verdict()"],
    ]
    assert solved == [
        "def rule(pods):",
        *["    half = pods / 2", "    # solution", "    whole = round(half)", "    return whole"],
        *["", "", "check(rule)", "# solution", "predict(pods=3)", "", "verdict()"],
    ]


def test_a_source_without_answers_makes_one_notebook(folder: Path) -> None:
    source_of(folder).write_text("# %%\n1 + 1\n", encoding="utf-8")
    assert list(versions(source_of(folder), folder)) == [folder / "01_sample.ipynb"]


def test_a_failing_cell_leaves_the_old_notebook_and_says_which_source(folder: Path) -> None:
    (folder / "01_sample.ipynb").write_text("old", encoding="utf-8")
    source_of(folder).write_text("# %%\n1 / 0\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"01_sample\.py: ZeroDivisionError: division by zero"):
        build(source_of(folder), folder)
    assert (folder / "01_sample.ipynb").read_text(encoding="utf-8") == "old"


def test_what_is_out_of_step_is_named(folder: Path) -> None:
    missing = find_out_of_step([source_of(folder)], folder)
    assert missing[0].startswith("01_sample.ipynb is missing")
    (folder / "solutions").mkdir()
    for path, notebook in versions(source_of(folder), folder).items():
        nbformat.write(notebook, path)
    assert find_out_of_step([source_of(folder)], folder) == []
    source_of(folder).write_text(SOURCE.replace("seed = 7", "seed = 8"), encoding="utf-8")
    assert [line.split()[0] for line in find_out_of_step([source_of(folder)], folder)] == [
        "01_sample.ipynb",
        "solutions/01_sample.ipynb",
    ]


def test_a_notebook_without_a_source_is_named(folder: Path) -> None:
    nbformat.write(read_source(source_of(folder)), folder / "02_other.ipynb")
    assert find_orphans(folder) == ["02_other.ipynb has no source; remove it"]


def test_sources_are_found_by_the_beginning_of_their_name(folder: Path) -> None:
    assert find_sources(["01"], folder) == [source_of(folder)]
    with pytest.raises(UsageError, match="there are: 01_sample"):
        find_sources(["07"], folder)
