"""A thousand lives of a container leave nothing behind: no descriptor, memory, cgroup, mount, process or directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime import test_cycles as cycles
from tests.runtime.conftest import bundle, own_runtime  # noqa: F401

if TYPE_CHECKING:
    from tests.runtime.bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]


def test_a_thousand_in_one_process(bundle: Bundle) -> None:  # noqa: F811
    cycles.cycle_in_one_process(cycles.prepared(bundle), 1000)


def test_a_thousand_by_command(bundle: Bundle) -> None:  # noqa: F811
    cycles.cycle_by_command(cycles.prepared(bundle), 1000)
