"""The exercises of the labs: one module for each lab, ``labNN``, with its ``EXERCISES``."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from labs.course.exercises.exercise import Exercise
from labs.errors import UsageError


def find_exercise(name: str) -> Exercise:
    """The exercise called ``name``, such as "03-a". Raises UsageError with the names that there are."""
    lab = name.partition("-")[0]
    labs = lab_names()
    known = exercises_of(lab) if lab in labs else ()
    for exercise in known:
        if exercise.name == name:
            return exercise
    there = ", ".join(exercise.name for exercise in known)
    cure = (
        f"lab {lab} has {there}" if there else f"exercises are called like 03-a, and labs {', '.join(labs)} have some"
    )
    raise UsageError(f"There is no exercise {name!r}; {cure}.")


def lab_names() -> list[str]:
    """The numbers of the labs that have exercises, in order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name.removeprefix("lab") for name in names if name.startswith("lab")]


def exercises_of(lab: str) -> tuple[Exercise, ...]:
    """The exercises of a lab, by its number."""
    found: tuple[Exercise, ...] = import_module(f"{__name__}.lab{lab}").EXERCISES
    return found
