"""`docs/fidelity.md` says what the comparison with the recordings finds now."""

from __future__ import annotations

from golden.folders import all_cases
from golden.report import PAGE, page, uncovered
from golden.stage import DATA


def test_page_is_in_step_with_the_comparison() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(DATA), "run `make fidelity`"


def test_every_known_difference_still_shows() -> None:
    assert uncovered(all_cases(DATA)) == []
