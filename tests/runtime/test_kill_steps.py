"""kill -9 of a command, or of the process that becomes the container's, between two steps: `delete --force` clears it
all. A sample of the steps; tests/soak kills at every one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .kill_steps import ROLES, VERBS, Kills

if TYPE_CHECKING:
    from pathlib import Path

    from .bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]
SAMPLES = {"create": 6, "run": 6, "exec": 6}
OTHERS = 3


@pytest.mark.parametrize(("verb", "role"), [(verb, role) for verb in VERBS for role in ROLES.get(verb, ("runtime",))])
def test_killed_at_some_steps(bundle: Bundle, tmp_path: Path, verb: str, role: str) -> None:
    kills = Kills(bundle, tmp_path)
    count = kills.steps(verb, role)
    samples = SAMPLES.get(verb, OTHERS)
    assert count > samples
    ends = [kills.attempt(verb, f"{role}:{1 + index * (count - 1) // samples}") for index in range(samples)]
    # It has really been killed; a first process that ends behind its last message may leave a command that succeeds.
    assert ends == [-9] * samples if role == "runtime" else any(ends)


def test_a_run_killed_in_the_middle_of_its_start_can_be_deleted(bundle: Bundle, tmp_path: Path) -> None:
    """It holds the container's lock then, and the process it has borne must not hold it on."""
    kills = Kills(bundle, tmp_path)
    count = kills.steps("run", "runtime")
    for step in range(count - 84, count - 56, 4):
        kills.attempt("run", f"runtime:{step}")
