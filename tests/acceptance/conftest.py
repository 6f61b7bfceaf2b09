"""One running server for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab_server import LabServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with LabServer(tmp_path_factory.mktemp("lab")) as server:
        yield server
        code, errors = server.end()
        assert code == 0, errors
