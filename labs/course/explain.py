"""What a notebook says when a cell fails: the error, the lines of the cell, and one sentence with the cure.

A Python traceback shows each library that a call went through; a learner needs the line that they see and what to do
next. ``%tb`` in a cell still shows the whole. Needs IPython alone, since what is explained may be a missing package.
"""

from __future__ import annotations

import json
import linecache
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from labs.errors import LabError, UsageError

GONE: Final = (
    "The lab's cluster is not running any more; run the cell with labs.connect() again, then the cells after it."
)
NOT_CONNECTED: Final = "No cluster is connected; run the cell with labs.connect() first, then the cells after it."
UNREACHABLE: Final = (
    "Nothing answers there; look at the network, the kubeconfig and 'aws sts get-caller-identity', "
    "then run the cell again."
)
NOT_DEFINED: Final = (
    "Run the cells above this one first (menu Run → Run All Above Selected Cell), then this one; "
    "a name that you wrote yourself may be misspelt."
)
MISSING_PACKAGE: Final = (
    "A package is missing; run 'pip install -r requirements.txt' in the course's folder, then restart the kernel."
)
REFUSED: Final = (
    "The request was refused. If you wrote it, mend it; if the cell ran before, its work may be done: go on with "
    "the next one. To begin anew, choose Kernel → Restart Kernel and Run All Cells."
)
STOPPED: Final = "You stopped this cell; the cluster still runs, and its clock stands. Run the cell again, or go on."
ANYTHING: Final = (
    "If you wrote the line above, mend it there. If not, cells were run twice, left out or in another order: "
    "choose Kernel → Restart Kernel and Run All Cells."
)

LINES_MAX = 4
_FRONT = Path(__file__).parents[1]
_UNANSWERED = {
    ("urllib3", "HTTPError"),
    ("botocore", "ConnectionError"),
    ("botocore", "HTTPClientError"),
    ("botocore", "NoCredentialsError"),
    ("botocore", "NoRegionError"),
}
"""Package and class of what the clients raise when they got no answer."""
_REFUSALS = {("kubernetes", "ApiException"), ("botocore", "ClientError")}
"""... and when the answer was no."""


class Cluster:
    """What this kernel's clients talk to."""

    why_missing: Callable[[], str] = staticmethod(lambda: NOT_CONNECTED)
    """Returns a sentence while there is no cluster, else an empty text."""


def install() -> None:
    """In a notebook, explain every cell that fails from now on; elsewhere nothing. Harmless when done twice."""
    import IPython

    shell = IPython.get_ipython()
    if shell is not None:
        shell.set_custom_exc((Exception, KeyboardInterrupt), explain)
        shell.events.register("post_run_cell", explain_command)


def load_ipython_extension(shell: Any) -> None:
    """For kernels that are started with this module as an extension: even a first cell is explained."""
    install()


def explain(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None
) -> None:
    """What IPython calls in place of showing a traceback."""
    missing = Cluster.why_missing()
    if missing and _is_one_of(error, _UNANSWERED):
        kind, error = UsageError, UsageError(missing)
    shown = None if isinstance(error, LabError) else [*report(error, trace, shell.user_ns)]
    try:
        if shown is not None:
            # IPython shows these lines instead; only now, so that %tb finds the whole traceback.
            vars(error)["_render_traceback_"] = lambda: shown
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    finally:
        vars(error).pop("_render_traceback_", None)


def explain_command(result: Any) -> None:
    """After a cell that called a program (``!kubectl``): say so when there is no cluster that could have answered."""
    has_command = any(line.startswith("!") for line in result.info.raw_cell.splitlines())
    if has_command and (missing := Cluster.why_missing()):
        print(missing)


def report(error: BaseException, trace: TracebackType | None, namespace: dict[str, Any]) -> list[str]:
    """The error, the lines of cells that led to it (outermost first), where it arose if in the course, the cure."""
    frames = [(frame.f_code.co_filename, number, frame.f_globals) for frame, number in traceback.walk_tb(trace)]
    lines = dict.fromkeys(linecache.getline(name, number).strip() for name, number, its in frames if its is namespace)
    shown = [f"    {line}" for line in [*lines][-LINES_MAX:]]
    place = frames[-1][:2] if frames else ("", 0)
    if Path(place[0]).is_relative_to(_FRONT):
        shown.append(f"    (raised in {Path(place[0]).relative_to(_FRONT.parent)}, line {place[1]}; %tb shows the way)")
    return [_text_of(error), *shown, cure(error)]


def cure(error: BaseException) -> str:
    """What to do next, in one sentence."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
        return NOT_DEFINED
    if isinstance(error, ModuleNotFoundError):
        return MISSING_PACKAGE
    if _is_one_of(error, _REFUSALS):
        return REFUSED
    return UNREACHABLE if _is_one_of(error, _UNANSWERED) else ANYTHING


def _is_one_of(error: BaseException, kinds: set[tuple[str, str]]) -> bool:
    return any((each.__module__.partition(".")[0], each.__name__) in kinds for each in type(error).__mro__)


def _text_of(error: BaseException) -> str:
    """Name and message; of a refusal by Kubernetes the message alone, without headers and body."""
    text = str(error)
    try:
        status = json.loads(getattr(error, "body", None) or "")
        text = f"{status['code']} {status['reason']}: {status['message']}"
    except (ValueError, TypeError, KeyError):
        text = text.strip()
    name = type(error).__name__
    return f"{name}: {text}" if text else name
