"""What a real control plane answered, and a simulated one in the state that it was asked in.

`pytest tests/golden --golden DIR` compares with the recordings of another folder in place of `tests/golden/data`.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", metavar="DIR", default=None, help="compare with the recordings of DIR")
