"""``check``: what a learner is told of an answer, in a ladder of hints. It prints, and never raises for an answer."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from labs.course.exercises import find_exercise
from labs.course.exercises.exercise import Exercise, Judgement, State, judge

WIDTH = 100
LABEL_WIDTH = 10

_tries: Counter[str] = Counter()
"""Failed tries by exercise, in this kernel: a restart begins at the first hint again."""


def check(name: str, answer: Any = None, /, **given: Any) -> None:
    """Print whether the answer to exercise ``name`` holds; if not, the symptom, what was expected, and a hint.

    ``given``: this run's numbers, which the exercise names; it is tried on others as well. Each further failed try
    shows the next hint. Raises UsageError when there is no such exercise or its numbers are not given, never for
    an answer.
    """
    exercise = find_exercise(name)
    judgement = judge(exercise, answer, given)
    _tries[name] += judgement.state is State.FAILED
    print(report(exercise, judgement, _tries[name]))


def report(exercise: Exercise, judgement: Judgement, tries: int) -> str:
    """The text that a learner reads; ``tries`` counts the failed ones, with this."""
    if judgement.state is State.OPEN:
        return f"{exercise.name} is still open: put your answer in the place of the three dots and run the cell again."
    if judgement.state is State.PASSED:
        others = judgement.cases - 1
        first = f"{exercise.name} holds, with this run's numbers and with {others} other{'s' if others != 1 else ''}."
        return f"{first}\n{_filled(exercise.means)}"
    lines = [("Symptom", judgement.symptom), ("Expected", exercise.expected), *hints(exercise, judgement, tries)]
    return "\n".join([f"{exercise.name} does not hold yet (try {tries}).", *(_labelled(*line) for line in lines)])


def hints(exercise: Exercise, judgement: Judgement, tries: int) -> Sequence[tuple[str, str]]:
    """Label and text of the hints for a failed try: a known mistake has its own, and comes before the ladder."""
    lines = [("Hint", judgement.mistake.hint)] if judgement.mistake else []
    step = min(tries - len(lines), len(exercise.hints))
    if step > 0:
        lines.append((f"Hint {step}/{len(exercise.hints)}", exercise.hints[step - 1]))
    if step == len(exercise.hints):
        lines.append(("Look at", f"the section “{exercise.section}” of this lab."))
    return lines


def _labelled(label: str, text: str) -> str:
    indent = " " * (LABEL_WIDTH + 1)
    return textwrap.fill(text, WIDTH, initial_indent=f"{label:{LABEL_WIDTH}} ", subsequent_indent=indent)


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH)
