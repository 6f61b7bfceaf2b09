"""The page `docs/fidelity.md`: what the comparison with the recordings found.

`PYTHONPATH=.:tests python -m golden.report` writes it; with a folder as argument it prints the page of that folder's
recordings instead.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from golden.comparison import Case
from golden.folders import FOLDERS, Difference, all_cases, known_differences, reason_of
from golden.stage import DATA

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"
DELIBERATE = Path(__file__).parent / "deliberate.md"
HEAD = """\
# Where the simulated cluster differs from a real one

The control plane follows Kubernetes 1.37 (and Karpenter 1.14) rule by rule, and is compared with recordings of a real
one, field by field: objects as defaulted, error texts, what kubectl prints, autoscalers' courses, node failures,
rollouts, scheduling messages. This page is written by that comparison (`make fidelity`); a test checks that it is in
step. `pytest tests/golden --golden DIR` compares with another folder of recordings. Beside it,
`pytest tests/vectors` checks numbers computed by upstream's own functions.

## Compared with the recordings
"""
NOT_KNOWN = Difference("", "", "", "not explained yet")


def page(root: Path) -> str:
    """The whole page."""
    cases = all_cases(root)
    parts = [
        HEAD,
        *counts(cases),
        "",
        served(cases),
        "",
        *reasons(cases),
        "",
        DELIBERATE.read_text(encoding="utf-8").rstrip(),
    ]
    return "\n".join(parts) + "\n"


def counts(cases: tuple[Case, ...]) -> Iterator[str]:
    """A row for each folder."""
    yield "| folder | recordings | fields compared | equal | different | equal |"
    yield "|---|---:|---:|---:|---:|---:|"
    total = Counter[str]()
    for folder in FOLDERS:
        found = [case for case in cases if case.folder == folder]
        fields = [field for case in found for field in case.fields]
        equal = sum(field.is_equal for field in fields)
        row = {"recordings": len(found), "fields": len(fields), "equal": equal}
        total.update(row)
        yield table_row(f"`{folder}/`", row)
    yield table_row("all", total)


def served(cases: tuple[Case, ...]) -> str:
    """The share that is equal of what this server has."""
    found = [(field, reason_of(case, field)) for case in cases for field in case.fields]
    counted = [field for field, known in found if field.is_equal or known is None or not known.is_unserved]
    share = 100 * sum(field.is_equal for field in counted) / max(len(counted), 1)
    missing = len(found) - len(counted)
    return f"{missing} of the different fields name kinds that are not served; of the others, {share:.1f} % are equal."


def table_row(name: str, row: Counter[str] | dict[str, int]) -> str:
    compared, equal = row["fields"], row["equal"]
    share = f"{100 * equal / compared:.1f} %" if compared else "none"
    return f"| {name} | {row['recordings']} | {compared} | {equal} | {compared - equal} | {share} |"


def reasons(cases: tuple[Case, ...]) -> Iterator[str]:
    """A row for each recording and reason."""
    yield "| recording | fields that differ | why |"
    yield "|---|---:|---|"
    for case in cases:
        found = Counter(reason_of(case, field) or NOT_KNOWN for field in case.fields if not field.is_equal)
        for known, number in found.items():
            yield f"| `{case}` | {number} | {known.reason} |"


def uncovered(cases: tuple[Case, ...]) -> list[Difference]:
    """The known differences that no field of the recordings shows any more."""
    shown = {reason_of(case, field) for case in cases for field in case.fields if not field.is_equal}
    return [known for known in known_differences() if known not in shown]


def main() -> None:
    """Write the page, or print that of another folder."""
    if len(sys.argv) > 1:
        print(page(Path(sys.argv[1]).resolve()), end="")
    else:
        PAGE.write_text(page(DATA), encoding="utf-8")


if __name__ == "__main__":
    main()
