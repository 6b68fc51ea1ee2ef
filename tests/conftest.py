"""Fixtures for all tests: an engine of its own, the `pydock` command over it, and a check that nothing is left."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.engine import EngineRoot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.engine import Engine


def pytest_configure() -> None:
    """A shell starts what runs in its background with these ignored, and whoever is started from there inherits it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


# Machines that run tests are busy: how long an example took says nothing of the code.
settings.register_profile("busy", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _skip_without_root(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(scope="session")
def toolbox_root() -> Iterator[EngineRoot]:
    """One engine for the session, with the toolbox image made once."""
    root = EngineRoot()
    try:
        root.ok("image", "toolbox", "-q", timeout_s=120)
        yield root
    finally:
        root.close()


@pytest.fixture
def pydock(toolbox_root: EngineRoot) -> Iterator[EngineRoot]:
    """`pydock.ok("run", …)` over the session's engine; every container is removed afterwards, and nothing may leak."""
    yield toolbox_root
    toolbox_root.remove_containers()
    assert toolbox_root.settled_leaks() == []


@pytest.fixture
def fresh_root() -> Iterator[EngineRoot]:
    """An engine without images or history."""
    root = EngineRoot()
    yield root
    root.remove_containers()
    leaks = root.settled_leaks()
    root.close()
    assert leaks == []


@pytest.fixture
def engine(pydock: EngineRoot) -> Iterator[Engine]:
    """The session's engine as a library."""
    from engine.engine import Engine

    with Engine(str(pydock.root), str(pydock.run_root)) as opened:
        yield opened


@pytest.fixture
def image(toolbox_root: EngineRoot) -> str:
    """The reference of an image that is in the session's engine."""
    assert toolbox_root.root.exists()
    return "toolbox:latest"
