"""The same seed and the same calls give the same bytes, whatever process and whatever Python runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMITTED = Path(__file__).with_name("fingerprint.txt")
"""To renew it after a wanted change: ``python -m tests.world.shop_world 7 > tests/world/fingerprint.txt``."""


def fingerprint_in_a_process(seed: int, hash_seed: int) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.world.shop_world", str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout


@pytest.mark.parametrize("hash_seed", [0, 1, 4_242])
def test_the_same_seed_gives_the_committed_fingerprint_in_every_process(hash_seed: int) -> None:
    assert fingerprint_in_a_process(7, hash_seed) == COMMITTED.read_text("utf-8")


def test_another_seed_gives_another_run() -> None:
    assert fingerprint_in_a_process(8, 0) != COMMITTED.read_text("utf-8")
