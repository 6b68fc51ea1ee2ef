"""A hundred containers connected and disconnected by four processes at once."""

from __future__ import annotations

import pytest

from tests.support.churn import churn
from tests.support.hosts import LoneHost

pytestmark = pytest.mark.root


def test_a_hundred_containers_by_four_processes() -> None:
    lone = LoneHost()
    try:
        lone.run(lambda: churn(lone, 100, 3), timeout_s=1700)
    finally:
        lone.close()
