"""Chaos Crunch: a lab course on keeping an online shop alive, with its cluster built in.

This is the front door: the names that notebooks use, and nothing else is public. They are loaded when first
asked for, so that ``python -m labs serve`` never waits for pandas and matplotlib.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labs.course import figures
    from labs.course.checks import check
    from labs.course.connect import WaitTimeout, connect
    from labs.course.observe import Observer, alarm_changes, metric_frame, metric_query
    from labs.course.parameters import Choice, Number, Text, check_parameters
    from labs.course.predictions import predict
    from labs.course.requests import requests
    from labs.course.results import Result, run_directory, save_result
    from labs.errors import UsageError

__all__ = [
    "Choice",
    "Number",
    "Observer",
    "Result",
    "Text",
    "UsageError",
    "WaitTimeout",
    "alarm_changes",
    "check",
    "check_parameters",
    "connect",
    "figures",
    "metric_frame",
    "metric_query",
    "predict",
    "requests",
    "run_directory",
    "save_result",
]

_MODULES = {
    "labs.course.checks": ("check",),
    "labs.course.connect": ("WaitTimeout", "connect"),
    "labs.course.observe": ("Observer", "alarm_changes", "metric_frame", "metric_query"),
    "labs.course.parameters": ("Choice", "Number", "Text", "check_parameters"),
    "labs.course.predictions": ("predict",),
    "labs.course.requests": ("requests",),
    "labs.course.results": ("Result", "run_directory", "save_result"),
    "labs.errors": ("UsageError",),
}


def __getattr__(name: str) -> Any:
    if name == "figures":
        return import_module("labs.course.figures")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


if sys.version_info < (3, 11):  # noqa: UP036 - pip refuses to install there, but a notebook may run in any kernel
    raise import_module("labs.errors").UsageError(
        f"The course needs Python 3.11, 3.12 or 3.13, and this is {sys.version.split()[0]}; "
        "open the labs with 'make lab', or choose another kernel (menu Kernel → Change Kernel)."
    )
if "IPython" in sys.modules:
    import_module("labs.course.explain").install()
