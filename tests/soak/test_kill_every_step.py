"""kill -9 between any two steps of any command: every step of every one, where `make test` takes samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime.conftest import bundle, own_runtime  # noqa: F401
from tests.runtime.kill_steps import ROLES, VERBS, Kills

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runtime.bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]


@pytest.mark.parametrize(("verb", "role"), [(verb, role) for verb in VERBS for role in ROLES.get(verb, ("runtime",))])
def test_killed_at_every_step(bundle: Bundle, tmp_path: Path, verb: str, role: str) -> None:  # noqa: F811
    kills = Kills(bundle, tmp_path)
    count = kills.steps(verb, role)
    for step in range(1, count + 1):
        kills.attempt(verb, f"{role}:{step}")
