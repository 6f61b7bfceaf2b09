"""Whether somebody looks at this notebook, and the progress of long waits if so."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

SHOWN_AFTER_S = 1.0
"""A wait that takes less than this shows nothing."""


def is_interactive() -> bool:
    """Whether a person looks at this notebook: a Jupyter server names the session, papermill and nbval do not."""
    return "JPY_SESSION_NAME" in os.environ and has_shell()


def has_shell() -> bool:
    """Whether this is a notebook's kernel, or IPython's own prompt; without IPython loaded it is neither."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


@contextmanager
def progress(total_s: int) -> Iterator[Callable[[int], object]]:
    """A bar of virtual seconds that vanishes at the end; only where somebody looks."""
    with tqdm(
        total=total_s,
        unit="s",
        desc="waiting (virtual time)",
        leave=False,
        delay=SHOWN_AFTER_S,
        disable=not is_interactive(),
        file=_Line(),
    ) as bar:
        yield bar.update


class _Line:
    """A file whose last line is shown below a cell and changes in place; standard error would stay, in red."""

    def __init__(self) -> None:
        self._handle: Any = None

    def write(self, text: str) -> None:
        """Show ``text`` instead of what was shown before."""
        from IPython.display import HTML, display

        line = text.replace("\r", "").strip()
        if self._handle is not None:
            self._handle.update({"text/plain": line} if line else HTML(""), raw=bool(line))
        elif line:
            self._handle = display({"text/plain": line}, raw=True, display_id=True)

    def flush(self) -> None:
        """Nothing is held back."""
