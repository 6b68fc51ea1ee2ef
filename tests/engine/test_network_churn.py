"""Containers connected and disconnected by four processes at once."""

from __future__ import annotations

import pytest

from tests.support.churn import churn
from tests.support.hosts import LoneHost

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]


def test_sixteen_containers_by_four_processes() -> None:
    lone = LoneHost()
    try:
        lone.run(lambda: churn(lone, 16, 2))
    finally:
        lone.close()
