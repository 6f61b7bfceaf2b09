from __future__ import annotations

import pytest
from traffic_rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig(seed=7)
