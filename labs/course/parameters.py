"""Checking a lab's parameters before anything runs: unknown names, wrong types, values out of range.

papermill only warns of an unknown name and passes some values on as text; an instructor's typing error must
stop the run and say what is allowed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import IPython

from labs.errors import UsageError

INJECTED = "# Parameters"
"""First line of the cell that papermill injects."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number from ``lowest`` to ``highest``; whole unless ``is_whole`` is False."""

    lowest: float
    highest: float
    unit: str = ""
    is_whole: bool = True

    def describe(self) -> str:
        """What is allowed."""
        kind = "a whole number" if self.is_whole else "a number"
        unit = f" ({self.unit})" if self.unit else ""
        return f"{kind} from {self.lowest:g} to {self.highest:g}{unit}"

    def allows(self, value: object) -> bool:
        """Whether a value is of the type and in the range."""
        if isinstance(value, bool) or not isinstance(value, int if self.is_whole else (int, float)):
            return False
        return self.lowest <= value <= self.highest  # never true of nan


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some texts."""

    choices: Sequence[str]

    def describe(self) -> str:
        """What is allowed."""
        return "one of " + ", ".join(repr(choice) for choice in self.choices)

    def allows(self, value: object) -> bool:
        """Whether a value is one of them."""
        return value in self.choices


@dataclass(frozen=True, slots=True)
class Text:
    """Any text."""

    def describe(self) -> str:
        """What is allowed."""
        return "a text"

    def allows(self, value: object) -> bool:
        """Whether a value is a text."""
        return isinstance(value, str)


Rule = Number | Choice | Text


def check_parameters(namespace: Mapping[str, Any], **rules: Rule) -> dict[str, Any]:
    """The parameters of a lab by name, checked; ``namespace`` is the notebook's ``globals()``.

    Raises UsageError with one sentence for the first that is wrong, and for a name that was passed but is none.
    """
    for name in _injected_names():
        if name not in rules:
            raise UsageError(f"This lab has no parameter {name!r}; it has {', '.join(sorted(rules))}.")
    for name, rule in rules.items():
        if name not in namespace:
            raise UsageError(f"The parameter {name!r} is not set; run the cell above, it must be {rule.describe()}.")
        if not rule.allows(namespace[name]):
            raise UsageError(f"The parameter {name!r} is {namespace[name]!r}, but must be {rule.describe()}.")
    return {name: namespace[name] for name in rules}


def assigned_names(source: str) -> list[str]:
    """The names that some Python source assigns, in order."""
    stored = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return list(dict.fromkeys(node.id for node in stored if isinstance(node.ctx, ast.Store)))


def _injected_names() -> list[str]:
    """Names that papermill has set, from the history of this kernel."""
    shell = IPython.get_ipython()
    sources: Sequence[str] = shell.user_ns.get("In", ()) if shell is not None else ()
    injected = [source for source in sources if source.startswith(INJECTED)]
    return [name for source in injected for name in assigned_names(source)]
