"""Lab 00: one gentle exercise, to learn how exercises work."""

from __future__ import annotations

from random import Random
from typing import Any

from labs.course.exercises.exercise import Exercise, Mistake, Values, call


def _pod_lists(random: Random) -> list[Values]:
    made: list[Values] = []
    for _ in range(4):
        names = [f"frontend-{random.randrange(10_000, 100_000)}" for _ in range(9)]
        gone = random.randrange(1, 4)
        made.append({"before": names[:5], "after": names[gone : 5 + gone]})
    return made


def _in_any_order(answer: Any, values: Values) -> Any:
    """The names that the answer gives, in order: a list, a set or a tuple of them is as good."""
    given = call(answer, values)
    return sorted(given) if isinstance(given, (list, set, tuple)) else given


REPLACEMENTS = Exercise(
    name="00-a",
    section="Kill one pod",
    needs=("before", "after"),
    others=_pod_lists,
    reference=lambda before, after: [name for name in after if name not in before],
    outcome=_in_any_order,
    expected="the names of the pods that came in the place of others.",
    hints=(
        "A replacement has a name that was not there before. In which of the two lists must it be?",
        "Go through after, and keep each name that is not in before.",
        "One way: [name for name in after if ...]; another: the difference of two sets.",
    ),
    mistakes=(
        Mistake(
            "those that went",
            lambda before, after: [name for name in before if name not in after],
            "Those are the pods that went. Asked for are those that came: swap the two lists.",
        ),
        Mistake(
            "all that are there now",
            lambda before, after: list(after),
            "Those are all pods of now. Leave out those that were there before.",
        ),
        Mistake(
            "those that stayed",
            lambda before, after: [name for name in after if name in before],
            "Those are the pods that stayed. You are one word away: not.",
        ),
        Mistake(
            "both",
            lambda before, after: sorted(set(before) ^ set(after)),
            "That is everything that changed: those that went as well. Keep those that came.",
        ),
    ),
    means="Pods are not repaired, they are replaced: a new pod has a new name and a new address. Whoever remembers a "
    "pod by its name remembers something that will soon be gone.",
)

EXERCISES = (REPLACEMENTS,)
