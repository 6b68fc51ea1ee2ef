"""One server for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.client import Api, serving
from tests.support.engine import EngineRoot


@pytest.fixture(scope="session")
def _server(toolbox_root: EngineRoot) -> Iterator[Api]:
    with serving(toolbox_root, toolbox_root.base / "api.sock") as api:
        yield api


@pytest.fixture
def api(_server: Api, pydock: EngineRoot) -> Api:
    """The server; every container is gone after the test, and nothing may leak."""
    assert _server.process.poll() is None
    return _server
