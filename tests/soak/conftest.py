"""The leak check of the fault tests."""

from __future__ import annotations

from tests.faults.conftest import leaks as leaks
