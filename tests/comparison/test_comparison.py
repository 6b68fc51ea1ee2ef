"""docker's client answers at pydock as it does at dockerd, but for the differences that are explained."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import other_engines, registry
from tests.support.engine import EngineRoot

from . import engines
from .cases import CASES
from .compare import TABLE, recorded, run_case, unexplained
from .step import Step, differences, outcome

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker client"),
    pytest.mark.skipif(not Path(engines.BUSYBOX).exists(), reason="needs busybox-static"),
    pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}"),
]
CGROUP_V1 = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()
BESIDE_DOCKERD = ("logs", "events")


@pytest.fixture(scope="module")
def pydock_client() -> Iterator[engines.Client]:
    root = EngineRoot()
    try:
        with engines.pydock(root) as client:
            yield client
    finally:
        root.close()


@pytest.mark.parametrize("case", CASES)
def test_against_what_dockerd_answered(case: str, pydock_client: engines.Client) -> None:
    if not CGROUP_V1 and case == "run-limits":
        pytest.skip("what dockerd answered was recorded with cgroups v1")
    steps = CASES[case]
    found = unexplained(case, steps, run_case(pydock_client, steps), recorded()[case])
    assert not found, "\n".join(found)


@pytest.mark.serial
@pytest.mark.timeout(300)
@pytest.mark.skipif(not other_engines.program("dockerd"), reason="needs Debian's dockerd")
def test_beside_dockerd_itself(pydock_client: engines.Client) -> None:
    """What was recorded is still what it says."""
    with engines.dockerd() as client:
        for case in BESIDE_DOCKERD:
            theirs = run_case(client, CASES[case])
            found = unexplained(case, CASES[case], run_case(pydock_client, CASES[case]), theirs)
            assert not found, "\n".join(found)


def test_every_case_is_in_the_table() -> None:
    text = TABLE.read_text()
    for case, steps in CASES.items():
        assert f"\n## {case}\n" in text
        for step in steps:
            assert step.line.replace("|", "\\|").replace("\n", " ") in text
    assert "**not explained**" not in text


def test_the_comparison_sees_what_differs() -> None:
    step = Step("inspect x", json=True)
    mine = outcome(step, 0, '[{"A": 1, "B": {"C": "x"}, "D": null, "E": []}]', "", {})
    other = outcome(step, 0, '[{"A": 2, "B": {"C": "x"}}]', "", {})
    assert differences(mine, other) == [".A: 1 for 2"]
    line = Step("ps")
    assert differences(outcome(line, 1, "a\nb\n", "", {}), outcome(line, 0, "a\nc\n", "", {})) == [
        "exit code: 1 for 0",
        "out: only pydock: b",
        "out: only docker: c",
    ]
    same = outcome(line, 0, "0123456789ab Up 3 seconds 172.17.0.2", "", {})
    assert same == outcome(line, 0, "ba9876543210 Up 4 seconds 10.0.0.9", "", {})
