import pytest
from stand_ins import Cluster


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()
