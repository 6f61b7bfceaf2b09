from __future__ import annotations

import pytest
from cluster_rig import Cluster, build_cluster


@pytest.fixture
def cluster() -> Cluster:
    return build_cluster()
