"""Building the notebooks from their sources: executed, and the same bytes each time.

The source of a lab is one jupytext percent file with its solutions. From a source that has solutions come two
notebooks: the learner's, with the answers cut out, and the solved one below ``solutions/``.

- A cell tagged ``solution`` is left out for the learner.
- From a line ``# solution`` to the next empty line, or the end of the cell, is the answer: the learner gets three dots
  in its place in a function, else a comment.
- From a line ``# blank`` to the line ``# solution`` is what only the learner gets in place of the answer.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from labs.course import kernels
from labs.course.manifests import PROJECT_ROOT
from labs.errors import UsageError

NOTEBOOKS = PROJECT_ROOT / "notebooks"
SOLUTION_TAG = "solution"
SOLUTION_LINE, BLANK_LINE = "# solution", "# blank"
BLANK = "# Your code here."
ID_LENGTH_MAX = 60
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": kernels.KERNEL_NAME},
    # Without the version, which is the builder's and not the reader's.
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"tIME")


def find_sources(names: Sequence[str] = (), folder: Path = NOTEBOOKS) -> list[Path]:
    """The sources whose names begin with one of ``names``, or all. Raises UsageError for a name that has none."""
    sources = sorted((folder / "source").glob("[0-9][0-9]_*.py"))
    for name in names:
        if not any(source.stem.startswith(name) for source in sources):
            known = ", ".join(source.stem for source in sources) or "none yet"
            raise UsageError(f"No source of a lab begins with {name!r}; there are: {known}.")
    return [source for source in sources if not names or source.stem.startswith(tuple(names))]


def read_source(source: Path) -> NotebookNode:
    """The solved notebook of a source, not executed. Raises UsageError when the file cannot be read."""
    try:
        notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source.name} cannot be read: {error}.") from None
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem[:ID_LENGTH_MAX]}-{position:02d}"
        cell["metadata"] = {"tags": cell["metadata"]["tags"]} if cell["metadata"].get("tags") else {}
    notebook["metadata"] = METADATA
    return notebook


def versions(source: Path, folder: Path = NOTEBOOKS) -> dict[Path, NotebookNode]:
    """The notebooks of a source by path, not executed: the learner's, and the solved one if they differ."""
    solved, learner = cut_blanks(read_source(source)), cut_solutions(read_source(source))
    name = f"{source.stem}.ipynb"
    return {folder / name: learner} | ({folder / "solutions" / name: solved} if learner.cells != solved.cells else {})


def cut_solutions(notebook: NotebookNode) -> NotebookNode:
    """The notebook without its answers."""
    notebook["cells"] = [cell for cell in notebook.cells if SOLUTION_TAG not in cell["metadata"].get("tags", [])]
    for cell in _code_cells(notebook):
        cell["source"] = "\n".join(_without_solutions(cell["source"].splitlines()))
    return notebook


def cut_blanks(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what stands in place of its answers."""
    for cell in _code_cells(notebook):
        cell["source"] = "\n".join(_without_blanks(cell["source"].splitlines()))
    return notebook


def _code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell["cell_type"] == "code"]


def _without_solutions(lines: Sequence[str]) -> Iterator[str]:
    is_cut = is_filled = False
    for line in lines:
        mark = line.strip()
        if mark == BLANK_LINE:
            is_filled = True
        elif mark == SOLUTION_LINE:
            is_cut = True
            indent = line[: line.index(mark)]
            if not is_filled:
                yield f"{indent}...  {BLANK}" if indent else BLANK
        elif not mark:
            is_cut = is_filled = False
            yield line
        elif not is_cut:
            yield line


def _without_blanks(lines: Sequence[str]) -> Iterator[str]:
    is_blank = False
    for line in lines:
        mark = line.strip()
        if mark in (BLANK_LINE, SOLUTION_LINE):
            is_blank = mark == BLANK_LINE
        if not is_blank:
            yield line


def build(source: Path, folder: Path = NOTEBOOKS) -> list[Path]:
    """Execute the notebooks of a source and write them; returns their paths.

    Raises UsageError when one fails; what is on the disk then stays as it was.
    """
    made = versions(source, folder)
    for path, notebook in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            kernels.execute(notebook, path.parent)
        except kernels.FAILURES as error:
            raise UsageError(kernels.failure_sentence(source.name, error)) from None
    for path, notebook in made.items():
        path.write_text(to_text(notebook), encoding="utf-8")
    return list(made)


def to_text(notebook: NotebookNode) -> str:
    """The file of an executed notebook, free of all that differs between two runs or two versions of Python."""
    for cell in notebook.cells:
        if cell["cell_type"] == "code":
            cell["outputs"] = [output for output in cell["outputs"] if output.get("name") != "stderr"]
            for output in cell["outputs"]:
                data = output.get("data", {})
                if "image/png" in data:
                    data["image/png"] = plain_png(data["image/png"])
    notebook["metadata"] = METADATA
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    text: str = nbformat.writes(notebook)
    return text.rstrip("\n") + "\n"


def plain_png(encoded: str) -> str:
    """A base64 PNG without its text chunks: they name the version of the program that drew it."""
    png = base64.b64decode(encoded)
    kept = b"".join(chunk for kind, chunk in _chunks(png) if kind not in PNG_TEXTS)
    return base64.b64encode(PNG_SIGNATURE + kept).decode("ascii")


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each chunk: length, kind, data, check sum."""
    place = len(PNG_SIGNATURE)
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        end = place + length + 12
        yield png[place + 4 : place + 8], png[place:end]
        place = end


def find_out_of_step(sources: Sequence[Path], folder: Path = NOTEBOOKS) -> list[str]:
    """One sentence for each committed notebook that does not say what its source says; nothing is executed."""
    wrong = []
    for source in sources:
        for path, expected in versions(source, folder).items():
            name = path.relative_to(folder)
            if not path.exists():
                wrong.append(f"{name} is missing; python -m labs notebooks {source.stem}")
            elif _cells(nbformat.read(path, as_version=4)) != _cells(expected):
                wrong.append(f"{name} differs from its source; python -m labs notebooks {source.stem}")
    return wrong


def find_orphans(folder: Path = NOTEBOOKS) -> list[str]:
    """One sentence for each notebook that no source makes."""
    made = {path for source in find_sources(folder=folder) for path in versions(source, folder)}
    present = sorted([*folder.glob("*.ipynb"), *folder.glob("solutions/*.ipynb")])
    return [f"{path.relative_to(folder)} has no source; remove it" for path in present if path not in made]


def _cells(notebook: NotebookNode) -> list[tuple[Any, ...]]:
    """What a source says of each cell."""
    return [
        (cell["id"], cell["cell_type"], cell["source"], cell["metadata"].get("tags", [])) for cell in notebook.cells
    ]
