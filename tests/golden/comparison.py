"""Two answers side by side, field by field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Field:
    """One leaf of a recording and what stands there here; ``ABSENT`` where one side has nothing."""

    path: str
    ours: Any
    theirs: Any

    @property
    def is_equal(self) -> bool:
        return type(self.ours) is type(self.theirs) and bool(self.ours == self.theirs)

    def __str__(self) -> str:
        return f"{self.path}: here {self.ours!r}, recorded {self.theirs!r}"


@dataclass(frozen=True)
class Case:
    """One recording: where it stands, and the comparison with this project's answer."""

    folder: str
    name: str
    files: tuple[Path, ...]
    compare: Callable[[], Iterable[Field]]

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Every compared field; made once."""
        return tuple(self.compare())


def fields(ours: Any, theirs: Any, path: str = "") -> Iterator[Field]:
    """The leaves of two JSON values, lists by position; an empty object or list is a leaf."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and (ours or theirs):
        for key in dict.fromkeys([*theirs, *ours]):
            yield from fields(ours.get(key, ABSENT), theirs.get(key, ABSENT), f"{path}.{key}" if path else str(key))
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple) and (ours or theirs):
        for index, (mine, other) in enumerate(zip_longest(ours, theirs, fillvalue=ABSENT)):
            yield from fields(mine, other, f"{path}[{index}]")
    elif theirs == ABSENT and isinstance(ours, dict | list) and ours:
        yield from fields(ours, type(ours)(), path)
    elif ours == ABSENT and isinstance(theirs, dict | list) and theirs:
        yield from fields(type(theirs)(), theirs, path)
    else:
        yield Field(path, ours, theirs)


def sequence(ours: list[Any], theirs: list[Any], path: str) -> Iterator[Field]:
    """Two sequences, so aligned that one step too many counts as one difference; whole steps are compared."""
    keys = [[json.dumps(item, sort_keys=True) for item in items] for items in (ours, theirs)]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
        for place, (mine, other) in enumerate(zip_longest(ours[i1:i2], theirs[j1:j2], fillvalue=ABSENT), j1):
            yield Field(f"{path}[{place}]", mine, mine if tag == "equal" else other)


def closest(choices: Iterable[Iterable[Field]]) -> tuple[Field, ...]:
    """The comparison with the fewest differences: for what was recorded in the middle of a change."""
    return min((tuple(choice) for choice in choices), key=lambda found: sum(not field.is_equal for field in found))
