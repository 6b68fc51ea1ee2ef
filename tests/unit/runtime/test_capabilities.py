"""Capabilities on a real process, and Docker's rules for which a container gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from engine.bundle.capabilities import DEFAULT, resolve
from engine.errors import InvalidRequest
from runtime.kernel import caps
from runtime.security import capabilities
from runtime.security.capabilities import Capabilities
from runtime.security.capability_names import NAMES, NUMBERS

from .child import in_child

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def sets() -> dict[str, list[str]]:
    """This process's sets as the kernel tells them."""
    lines = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return {key: capabilities.names(int(lines[key], 16)) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def put_on(wanted: dict[str, list[str]], uid: int = 0) -> dict[str, list[str]]:
    def child() -> dict[str, list[str]]:
        plan = Capabilities(wanted)
        plan.drop_bounding()
        plan.keep()
        if uid:
            os.setresuid(uid, uid, uid)
        plan.apply()
        return sets()

    result: dict[str, list[str]] = in_child(child)
    return result


def test_names_are_the_kernels() -> None:
    assert NUMBERS["CAP_CHOWN"] == 0
    assert NUMBERS["CAP_SYS_ADMIN"] == 21
    assert NUMBERS["CAP_CHECKPOINT_RESTORE"] == 40 == len(NAMES) - 1
    assert capabilities.known().bit_length() == int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1


@pytest.mark.root
@root
def test_the_default_set_is_what_the_process_has_and_nothing_is_inheritable() -> None:
    wanted = list(resolve((), ()))
    now = put_on({"bounding": wanted, "effective": wanted, "permitted": wanted})
    assert now["CapBnd"] == now["CapPrm"] == now["CapEff"] == wanted
    assert now["CapInh"] == now["CapAmb"] == []


@pytest.mark.root
@root
def test_another_user_keeps_what_is_permitted_and_ambient() -> None:
    wanted = ["CAP_KILL", "CAP_NET_BIND_SERVICE"]
    only = ["CAP_NET_BIND_SERVICE"]
    now = put_on(
        {"bounding": wanted, "effective": only, "permitted": wanted, "inheritable": only, "ambient": only}, uid=1000
    )
    assert now == {"CapInh": only, "CapPrm": wanted, "CapEff": only, "CapBnd": wanted, "CapAmb": only}


@pytest.mark.root
@root
def test_none_is_none() -> None:
    assert put_on({}) == {"CapInh": [], "CapPrm": [], "CapEff": [], "CapBnd": [], "CapAmb": []}


@pytest.mark.root
@root
def test_all_of_a_host_that_lacks_some_is_the_rest_with_a_warning() -> None:
    """Hosts that are containers often lack CAP_SYS_RESOURCE; the start must not fail for it."""

    def child() -> list[Any]:
        for number in (NUMBERS["CAP_SYS_RESOURCE"], NUMBERS["CAP_SYS_TIME"]):
            if caps.bounding_read(number):
                caps.bounding_drop(number)
        plan = Capabilities({key: list(NAMES) for key in ("bounding", "effective", "permitted")})
        plan.drop_bounding()
        plan.apply()
        return [plan.warnings, sets()]

    warnings, now = in_child(child)
    assert "this host does not have CAP_SYS_TIME, left out" in warnings
    assert "CAP_SYS_TIME" not in now["CapEff"] + now["CapBnd"]
    assert {"CAP_SYS_ADMIN", "CAP_CHOWN"} <= set(now["CapEff"])


def test_unknown_and_impossible_names_are_warned_about() -> None:
    plan = Capabilities({"bounding": ["CAP_FLY", "CAP_FLY"], "permitted": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]})
    assert "unknown capability 'CAP_FLY' left out" in plan.warnings
    assert plan.ambient == 0
    if plan.permitted:
        assert "CAP_CHOWN cannot be ambient: not permitted and inheritable" in plan.warnings


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ((), (), set(DEFAULT)),
        (("NET_ADMIN",), (), {*DEFAULT, "CAP_NET_ADMIN"}),
        (("cap_sys_ptrace",), ("CAP_CHOWN", "kill"), {*DEFAULT, "CAP_SYS_PTRACE"} - {"CAP_CHOWN", "CAP_KILL"}),
        (("all",), (), set(NAMES)),
        (("ALL",), ("SYS_ADMIN",), set(NAMES) - {"CAP_SYS_ADMIN"}),
        ((), ("ALL",), set()),
        (("NET_RAW",), ("ALL",), {"CAP_NET_RAW"}),
        (("CHOWN",), ("CHOWN",), set(DEFAULT)),
    ],
)
def test_add_and_drop_as_in_docker(add: tuple[str, ...], drop: tuple[str, ...], expected: set[str]) -> None:
    result = resolve(add, drop)
    assert set(result) == expected
    assert list(result) == sorted(result, key=NUMBERS.__getitem__)


def test_privileged_is_everything() -> None:
    assert resolve((), ("ALL",), privileged=True) == NAMES


@pytest.mark.parametrize("name", ["FLY", "CAP_", "", "CAP_CAP_CHOWN"])
def test_a_name_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="unknown capability"):
        resolve((name,), ())
    with pytest.raises(InvalidRequest, match="--cap-drop"):
        resolve((), (name,))
