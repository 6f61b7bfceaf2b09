"""``predict``: the hypothesis gate. Numbers and a reason are written down before the injection, and stay written.

The journal lies in the lab and only grows. A number that is changed later is a revision: the verdict is on what was
written before the injection, and says what was changed after it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from labs.course.connect import Lab
from labs.course.exercises.exercise import is_blank, shown
from labs.course.results import plain
from labs.errors import UsageError

WITHIN_SHARE = 0.1
"""How far from what was seen a number may lie and still be a hit, where no tolerance is given."""
CLOSED = "after the lab was closed"
NEVER = "never"
"""The prediction that something does not happen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: a quantity, its number, and when it was written; ``at`` is None after the end."""

    name: str
    value: Any
    because: str
    at: datetime | None


def predict(lab: Lab, because: Any = None, **numbers: Any) -> Prediction:
    """Write numbers and a reason into the lab's journal with its time, and print what was written.

    A number may also be True, False or a text, "never" for what will not happen; ``...`` is still open. A name that
    is there already with another number is a revision. Returns the prediction; its ``verdict`` compares. Raises
    UsageError for anything else.
    """
    reason = "" if is_blank(because) else str(because).strip()
    written = {name: plain(value) for name, value in numbers.items() if _is_answered(name, value)}
    prediction = Prediction(lab, tuple(numbers))
    if written and not reason:
        print("Nothing is recorded yet: say why you expect that (because=...), then run the cell again.")
        return prediction
    at = _time_of(lab)
    for name, value in written.items():
        before = latest(lab, name)
        if before is None or before.value != value:
            lab.predictions += (Entry(name, value, reason, at),)
            change = "" if before is None else f"; changed, it was {shown(before.value)}"
            print(f"{_clock(at)}  {label(name)}: {shown(value)}{change}")
    if written:
        print(f"{' ' * 8}  because {reason}")
    if missing := [label(name) for name in numbers if name not in written]:
        print(f"Still open: {', '.join(missing)}. Replace the three dots by what you expect, before you go on.")
    return prediction


def _is_answered(name: str, value: Any) -> bool:
    if is_blank(value):
        return False
    if not isinstance(_plain_or_none(value), int | float | str):
        raise UsageError(f"The prediction {name} must be a number, True, False or a text, not {shown(value)}.")
    return True


def _plain_or_none(value: Any) -> Any:
    """A value as JSON has it, or None for what JSON cannot say."""
    try:
        return plain(value)
    except TypeError:
        return None


def latest(lab: Lab, name: str) -> Entry | None:
    """The newest entry of a quantity."""
    return next((entry for entry in reversed(lab.predictions) if entry.name == name), None)


class Prediction:
    """What was written down for some quantities of a lab."""

    def __init__(self, lab: Lab, names: tuple[str, ...]) -> None:
        self._lab = lab
        self._names = names

    def entries(self) -> list[dict[str, Any]]:
        """The journal of these quantities, oldest first, as a result file keeps it."""
        found = [entry for entry in self._lab.predictions if entry.name in self._names]
        return [{"name": each.name, "value": each.value, "because": each.because, "at": each.at} for each in found]

    def verdict(self, injected_at: datetime, within: Mapping[str, float] | None = None, /, **seen: Any) -> pd.DataFrame:
        """Compare with what was seen: a row for each quantity, columns predicted, seen and verdict.

        ``within``: by how much a number may be off, by quantity, in its unit; else by a tenth of what was seen.
        ``seen``: None is what did not happen. Raises UsageError for a quantity that was not asked for.
        """
        for name in [*seen, *(within or {})]:
            if name not in self._names:
                raise UsageError(f"{name!r} was not predicted; there are {', '.join(self._names)}.")
        rows = {label(name): self._row(name, value, injected_at, within or {}) for name, value in seen.items()}
        return pd.DataFrame(rows, index=["predicted", "seen", "verdict"]).T

    def _row(self, name: str, seen: Any, injected_at: datetime, within: Mapping[str, float]) -> list[str]:
        entries = [entry for entry in self._lab.predictions if entry.name == name]
        before = [entry for entry in entries if entry.at is not None and entry.at <= injected_at]
        late = [entry for entry in entries if entry not in before]
        text = judged(before[-1].value, seen, within.get(name)) if before else "no prediction"
        changes = [f"changed to {shown(entry.value)} {_when(entry, injected_at)}" for entry in late]
        if late and not before:
            changes = [f"written {_when(late[-1], injected_at)}: a description"]
        predicted = _said(before[-1].value) if before else "-"
        return [predicted, _said(plain(seen)), "; ".join([text, *changes])]


def judged(predicted: Any, seen: Any, within: float | None) -> str:
    """Hit or missed, and by how much. A tolerance is needed for numbers only."""
    seen = NEVER if seen is None else plain(seen)
    is_number = [isinstance(value, int | float) and not isinstance(value, bool) for value in (predicted, seen)]
    if not all(is_number):
        return "hit" if predicted is seen or predicted == seen else "missed"
    off = predicted - seen
    allowed = abs(seen) * WITHIN_SHARE if within is None else within
    if math.isclose(off, 0, abs_tol=1e-9):
        return "hit, exactly"
    size = f"{shown(float(abs(off)))} too {'high' if off > 0 else 'low'}"
    return f"hit, {size}" if abs(off) <= allowed * (1 + 1e-9) else f"missed, {size}"


def label(name: str) -> str:
    """A keyword as a reader sees it."""
    return name.replace("_", " ")


def _said(value: Any) -> str:
    if value is None:
        return NEVER
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shown(value)


def _time_of(lab: Lab) -> datetime | None:
    try:
        return lab.now()
    except UsageError:
        return None


def _clock(at: datetime | None) -> str:
    return f"{at:%H:%M:%S}" if at else "too late"


def _when(entry: Entry, injected_at: datetime) -> str:
    return f"after the injection, at {entry.at:%H:%M:%S}" if entry.at else CLOSED
