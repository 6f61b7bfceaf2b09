"""A few seeds in every test run; ``python -m tests.simulation`` runs as many as one likes."""

from __future__ import annotations

import pytest

from .options import drawn
from .run import simulate


@pytest.mark.parametrize("seed", range(16))
def test_nothing_forbidden_happens_in_a_storm_and_the_shop_recovers_from_it(seed: int) -> None:
    simulate(seed, drawn(seed))
