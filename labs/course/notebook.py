"""Whether somebody looks at this notebook, and the progress of long waits if so."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
    ) as bar:
        yield bar.update
