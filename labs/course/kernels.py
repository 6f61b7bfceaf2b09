"""Executing notebooks: one set of options for building, running and timing them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

CELL_TIMEOUT_S = 300
KERNEL_NAME = "python3"
FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError)
"""What nbclient raises when a notebook does not run to its end."""


def client_options() -> dict[str, Any]:
    """Options that nbclient and papermill share.

    The kernel is ended at once: a graceful end now and then takes four seconds, and nothing is left to be saved.
    """
    return {
        # Without it each kernel warns on the terminal that its port on this machine is not encrypted.
        "extra_arguments": ["--IPKernelApp.log_level=ERROR"],
        "record_timing": False,
        "shutdown_kernel": "immediate",
        "coalesce_streams": True,
    }


@contextmanager
def event_loop_closed_after() -> Iterator[None]:
    """nbclient and papermill make an event loop for this thread and leave it open; end it with the notebook."""
    try:
        yield
    finally:
        ensure_event_loop().close()


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Execute a notebook in place, in ``folder``. Raises one of FAILURES when a cell fails or the kernel dies."""
    resources = {"metadata": {"path": str(folder)}}
    options = client_options() | {"kernel_name": KERNEL_NAME, "timeout": CELL_TIMEOUT_S, "resources": resources}
    with event_loop_closed_after():
        NotebookClient(notebook, **options).execute()


def failure_sentence(name: str, error: Exception) -> str:
    """What a failed notebook tells its reader: one line, without a traceback."""
    if isinstance(error, CellTimeoutError):
        return f"{name}: a cell took longer than {CELL_TIMEOUT_S} s and was ended; wait for less, or look at its loop."
    if isinstance(error, DeadKernelError):
        return f"{name}: the kernel died; is there enough memory? The lab needs about 1 GB."
    kind, text = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    return f"{name}: {kind}: {str(text).strip() or 'no message'}"
