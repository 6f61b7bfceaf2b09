"""What needs to know that it runs in a notebook: progress of long waits, and errors without a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import IPython
import urllib3.exceptions
from botocore.exceptions import EndpointConnectionError
from tqdm import tqdm

from labs.errors import UsageError

SHOWN_AFTER_S = 1.0
"""A wait that takes less than this shows nothing."""


def is_interactive() -> bool:
    """Whether a person looks at this notebook: a Jupyter server names the session, papermill and nbval do not."""
    return "JPY_SESSION_NAME" in os.environ and IPython.get_ipython() is not None


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


def explain_lost_server(is_lost: Callable[[], bool], sentence: str) -> None:
    """When a client cannot reach the lab because its server has ended, say that sentence instead of a traceback."""
    shell = IPython.get_ipython()
    if shell is None:
        return

    def show(self: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> Any:
        if is_lost():
            lost = UsageError(sentence)
            self.showtraceback((UsageError, lost, None))
            return [sentence]
        self.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return None

    shell.set_custom_exc((urllib3.exceptions.HTTPError, EndpointConnectionError), show)
