"""What an exercise is, and the judge of an answer: pure, so that a test can ask it for every answer there is.

An answer is judged by what it does, not by how it is written: its outcome is compared with that of a reference,
which is the engine's own rule or a measurement, on the numbers of this run and on others. So a number that was
typed in does not pass. A common wrong answer is an answer too, and is known by its outcomes.
"""

from __future__ import annotations

import copy
import math
import random
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from labs.errors import LabError, UsageError

Values = Mapping[str, Any]
"""The inputs of an exercise by name, in the order in which a function is given them."""
THIS_RUN, OTHERS = "With this run's numbers", "With other numbers"
SHOWN_CHARACTERS_MAX = 120


class WrongFormError(UsageError):
    """An answer that is no function, no manifest, no query where one is asked for; the sentence says what is."""


class State(Enum):
    """How far an answer is."""

    OPEN = "open"
    FAILED = "failed"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The outcome of an answer that the engine, or the exercise, does not accept."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A common wrong answer: itself, a name for it, and the hint for whoever gave it."""

    name: str
    answer: Any
    hint: str


def call(answer: Any, values: Values) -> Any:
    """The outcome of a function: what it returns. Raises WrongFormError for what is none, and what it raises."""
    if not callable(answer):
        raise WrongFormError(
            f"The answer is {shown(answer)}. A value is right for one run at most; "
            f"what is asked for is a function of ({', '.join(values)})."
        )
    return answer(*values.values())


@dataclass(frozen=True, slots=True)
class Exercise:
    """A question of a lab, with what its judge needs. All texts are read by learners."""

    name: str
    """Such as "03-a": the lab and a letter."""
    section: str
    """The heading of the section that explains it."""
    needs: tuple[str, ...]
    """Names of the inputs: ``check`` is given this run's, ``others`` makes more."""
    others: Callable[[random.Random], Sequence[Values]]
    """Other inputs; what it draws is the same each time."""
    reference: Any
    """An answer that is right, made of the engine's own rule or of a measurement."""
    expected: str
    """What was expected, in words that do not give the answer away."""
    hints: tuple[str, ...]
    """From the gentlest to the plainest; after the last the section is named."""
    mistakes: tuple[Mistake, ...]
    means: str
    """What the right answer teaches; printed when it passes."""
    outcome: Callable[[Any, Values], Any] = call
    """What an answer does with some inputs; a LabError that it raises is a refusal of the answer."""
    says: str = "it gives {}"
    """How an outcome reads in a sentence."""
    tolerance: float = 1e-6
    """By which share two numbers may differ and still be the same."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge found: the state, the symptom when it failed, and the mistake if it is a known one."""

    state: State
    symptom: str = ""
    mistake: Mistake | None = None
    cases: int = 0
    """On how many inputs the answer was tried."""


def judge(exercise: Exercise, answer: Any, given: Values) -> Judgement:
    """Judge an answer on this run's inputs, ``given``, and on others; never raises what the answer raises."""
    if is_blank(answer):
        return Judgement(State.OPEN)
    cases = cases_of(exercise, given)
    expected = [outcome_of(exercise, exercise.reference, values) for values in cases]
    got: list[Any] = []
    for place, values in enumerate(cases):
        try:
            got.append(_outcome_or_refusal(exercise, answer, values))
        except Exception as error:
            return Judgement(State.FAILED, explain(error, answer, values, place))
    if all(map(is_blank, got)) and not all(map(is_blank, expected)):
        return Judgement(State.OPEN)
    wrong = [place for place in range(len(cases)) if not is_same(got[place], expected[place], exercise.tolerance)]
    if not wrong:
        return Judgement(State.PASSED, cases=len(cases))
    symptom = _symptom(exercise, wrong[0], cases[wrong[0]], got[wrong[0]])
    return Judgement(State.FAILED, symptom, _known_mistake(exercise, cases, got))


def cases_of(exercise: Exercise, given: Values) -> list[Values]:
    """This run's inputs, then the others. Raises UsageError when an input is not given, or is not one."""
    if set(given) != set(exercise.needs):
        needed = ", ".join(f"{name}=..." for name in exercise.needs) or "nothing more"
        raise UsageError(f"The check of {exercise.name} needs {needed}.")
    ordered = {name: given[name] for name in exercise.needs}
    return [ordered, *exercise.others(random.Random(exercise.name))]


def outcome_of(exercise: Exercise, answer: Any, values: Values) -> Any:
    """The outcome of an answer; it works on copies, so that it cannot change what the next one is given."""
    return exercise.outcome(answer, copy.deepcopy(dict(values)))


def _outcome_or_refusal(exercise: Exercise, answer: Any, values: Values) -> Any:
    """An answer that is refused has the refusal for its outcome. Raises what else the answer raises."""
    try:
        return outcome_of(exercise, answer, values)
    except LabError as error:
        return Refusal(str(error))


def _symptom(exercise: Exercise, place: int, values: Values, got: Any) -> str:
    if isinstance(got, Refusal):
        return got.sentence
    seen = f"{_where(place)}{_described(values)} {exercise.says.format(shown(got))}."
    return f"It is right with this run's numbers, but not in general. {seen}" if place else seen


def _known_mistake(exercise: Exercise, cases: Sequence[Values], got: Sequence[Any]) -> Mistake | None:
    """The mistake whose outcomes are those that were got."""

    def is_made(mistake: Mistake) -> bool:
        outcomes = (_outcome_or_refusal(exercise, mistake.answer, values) for values in cases)
        return all(is_same(one, other, exercise.tolerance) for one, other in zip(got, outcomes, strict=True))

    return next(filter(is_made, exercise.mistakes), None)


def is_blank(value: Any) -> bool:
    """Whether nothing was answered yet."""
    return value is None or value is Ellipsis


def is_same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two outcomes agree: numbers up to a share of them, lists, tables and mappings item by item."""
    one, other = _plain(one), _plain(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Real) and isinstance(other, Real):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=tolerance, abs_tol=1e-9)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(is_same(left, right, tolerance) for left, right in pairs)
    return type(one) is type(other) and bool(one == other)


def _plain(value: Any) -> Any:
    """numpy's numbers and arrays, pandas' columns and tuples, as Python has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | pd.Series | pd.Index):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def explain(error: Exception, answer: Any, values: Values, place: int = 0) -> str:
    """One sentence on what an answer raised, with the line of the answer if it is a function."""
    raised = f"{type(error).__name__}: {error}".rstrip(": ")
    code = getattr(answer, "__code__", None)
    if code is None:
        return f"The answer cannot be used as it is: {raised}."
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == code.co_filename]
    if not frames:
        return f"The answer cannot be called as a function of ({', '.join(values)}): {raised}."
    line = f"line {(frames[-1].lineno or 0) - code.co_firstlineno + 1} of {code.co_name}"
    return f"{_where(place)}{_described(values)} it raises {raised}, in {line}: {frames[-1].line}".rstrip(": ")


def _where(place: int) -> str:
    return OTHERS if place else THIS_RUN


def _described(values: Values) -> str:
    """The inputs that are short enough to be shown, in brackets."""
    small = [f"{name} = {shown(value)}" for name, value in values.items() if isinstance(value, str | Real)]
    return f" ({', '.join(small)})" if small else ""


def shown(value: Any) -> str:
    """A value as a sentence shows it: floats with four digits, long ones cut."""
    value = _plain(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    text = f"[{', '.join(map(shown, value))}]" if isinstance(value, list) else " ".join(f"{value}".split())
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."
