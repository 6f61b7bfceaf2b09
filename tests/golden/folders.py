"""Every recording of a folder, and the differences that are known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from golden import answers, autoscalers, cluster, created, kubectl_texts, node_failures, placements, rollouts
from golden.comparison import Case, Field

COMPARISONS = (created, cluster, answers, kubectl_texts, autoscalers, node_failures, rollouts, placements)
FOLDERS = tuple(dict.fromkeys(module.FOLDER for module in COMPARISONS))
KNOWN = Path(__file__).parent / "differences.yaml"


@cache
def all_cases(root: Path) -> tuple[Case, ...]:
    """Every recording below ``root``, and one failing case for each file that is in no known form."""
    found = tuple(case for module in COMPARISONS for case in module.cases(root))
    used = {path for case in found for path in case.files}
    return (*found, *strangers(root, used))


def strangers(root: Path, used: set[Path]) -> Iterator[Case]:
    """Files that nothing compares: a recording must never pass because it was not read."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and path not in used and path.name != "README.md":
            folder, _, name = path.relative_to(root).as_posix().partition("/")
            problem = Field("form", "no comparison reads a file of this name", "see the README of the recordings")
            yield Case(folder, name or folder, (path,), lambda problem=problem: [problem])


@dataclass(frozen=True, slots=True)
class Difference:
    """A known one: which fields of which recordings, and why."""

    folder: str
    case: str
    field: str
    reason: str
    is_unserved: bool = False

    def covers(self, case: Case, field: Field) -> bool:
        """Whether it is the reason of this field's difference; ``case`` and ``field`` are regular expressions."""
        return (
            self.folder == case.folder
            and re.fullmatch(self.case, case.name) is not None
            and re.fullmatch(self.field, field.path) is not None
        )


@cache
def known_differences() -> tuple[Difference, ...]:
    """The rows of `differences.yaml`."""
    return tuple(Difference(**row) for row in yaml.safe_load(KNOWN.read_text(encoding="utf-8")))


def reason_of(case: Case, field: Field) -> Difference | None:
    """The known difference that a field's difference belongs to."""
    return next((known for known in known_differences() if known.covers(case, field)), None)
