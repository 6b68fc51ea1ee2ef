"""What is asked of systemd, and that a real message bus understands how."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cgroups import dbus, systemd
from runtime.cgroups.fault import CgroupFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFINITY = (1 << 64) - 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("machine.slice:libpod:abc", ("machine.slice", "libpod-abc.scope")),
        (":docker:abc", ("system.slice", "docker-abc.scope")),
        ("user-1000.slice::abc", ("user-1000.slice", "abc.scope")),
        ("", ("system.slice", "pydock-the-id.scope")),
    ],
)
def test_path_names_slice_and_scope(path: str, expected: tuple[str, str]) -> None:
    assert systemd.parse_path(path, "the-id") == expected


@pytest.mark.parametrize("path", ["/a/b", "a:b", "a.slice:b:", "system:b:c", "a.slice:b/c:d"])
def test_another_form_of_path_is_refused(path: str) -> None:
    with pytest.raises(CgroupFault, match=r"linux\.cgroupsPath"):
        systemd.parse_path(path, "the-id")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("system.slice", "/system.slice"),
        ("a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice"),
        ("-.slice", ""),
    ],
)
def test_slices_nest_by_their_dashes(name: str, path: str) -> None:
    assert systemd.slice_path(name) == path


def test_limits_become_properties() -> None:
    resources = {
        "memory": {"limit": 1000, "swap": 3000, "reservation": 500},
        "cpu": {"shares": 1024, "quota": 15000, "period": 10000, "cpus": "0-1,8"},
        "pids": {"limit": -1},
    }
    assert dict(systemd.unit_properties(resources, v2=True)) == {
        "MemoryMax": ("t", 1000),
        "MemoryLow": ("t", 500),
        "MemorySwapMax": ("t", 2000),
        "CPUWeight": ("t", 100),
        "CPUQuotaPerSecUSec": ("t", 1_500_000),
        "TasksMax": ("t", INFINITY),
        "AllowedCPUs": ("ay", [3, 1]),
    }
    assert dict(systemd.unit_properties(resources, v2=False)) == {
        "MemoryLimit": ("t", 1000),
        "CPUShares": ("t", 1024),
        "CPUQuotaPerSecUSec": ("t", 1_500_000),
        "TasksMax": ("t", INFINITY),
    }
    assert systemd.unit_properties({"cpu": {"quota": -1}}, v2=True) == [("CPUQuotaPerSecUSec", ("t", INFINITY))]
    assert systemd.unit_properties({"cpu": {"quota": 1001, "period": 100000}}, v2=True)[0][1] == ("t", 20000)


@pytest.mark.parametrize("text", ["x", "1-", "0-99999999", "3,,4"])
def test_a_wrong_list_of_cpus_is_refused(text: str) -> None:
    with pytest.raises(CgroupFault):
        systemd.list_to_mask(text)


NAMED_FLAG = st.tuples(st.text(), st.tuples(st.just("b"), st.integers(0, 1)))
VALUES: list[tuple[str, Any]] = [
    ("(sv)", st.tuples(st.text(), st.tuples(st.just("t"), st.integers(0, INFINITY)))),
    ("a(sv)", st.lists(st.tuples(st.text(), st.tuples(st.just("au"), st.lists(st.integers(0, 2**32 - 1)))))),
    ("a(sa(sv))", st.lists(st.tuples(st.text(), st.lists(NAMED_FLAG)))),
    ("ay", st.lists(st.integers(0, 255))),
    ("as", st.lists(st.text())),
]


@pytest.mark.parametrize("signature", [signature for signature, _ in VALUES])
@given(data=st.data())
def test_what_is_written_is_read_back(signature: str, data: st.DataObject) -> None:
    value = data.draw(dict(VALUES)[signature])
    written = bytearray()
    dbus._write(written, signature, value)
    read, end = dbus._read(bytes(written), 0, signature)
    assert end == len(written)
    again = bytearray()
    dbus._write(again, signature, typed(signature, read))
    assert again == written


def typed(signature: str, value: Any) -> Any:
    """Reading drops the signature of a variant; put it back."""
    inner = {"(sv)": "t", "a(sv)": "au", "a(sa(sv))": "b"}.get(signature)
    if signature == "(sv)":
        return (value[0], (inner, value[1]))
    if signature == "a(sv)":
        return [(name, (inner, each)) for name, each in value]
    if signature == "a(sa(sv))":
        return [(name, [(key, (inner, each)) for key, each in items]) for name, items in value]
    return value


def test_signatures_are_split_into_complete_types() -> None:
    assert dbus.split("ssa(sv)a(sa(sv))u") == ["s", "s", "a(sv)", "a(sa(sv))", "u"]
    assert dbus.split("a{sv}aas") == ["a{sv}", "aas"]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[dbus.Connection]:
    """Debian's message bus, which ends the connection at the first malformed byte."""
    if not shutil.which("dbus-daemon"):
        pytest.skip("needs dbus-daemon")
    address = tmp_path / "bus"
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={address}"],
        stdout=subprocess.PIPE,
    )
    assert daemon.stdout
    with daemon:
        assert daemon.stdout.readline()
        connection = dbus.Connection(str(address), is_bus=True)
        yield connection
        connection.close()
        daemon.terminate()


def test_a_real_bus_answers(bus: dbus.Connection) -> None:
    name = "org.freedesktop.DBus"
    (names,) = bus.call(name, "/", name, "ListNames", "", ())
    assert name in names
    (credentials,) = bus.call(name, "/", name, "GetConnectionCredentials", "s", (name,))
    assert "UnixUserID" in dict(credentials)
    with pytest.raises(dbus.CallFailed) as caught:
        bus.call(name, "/", name, "GetNameOwner", "s", ("no.such.name",))
    assert caught.value.name == "org.freedesktop.DBus.Error.NameHasNoOwner"


def test_a_real_bus_takes_the_form_of_our_request(bus: dbus.Connection) -> None:
    """Nobody is there to serve it; but the bus has checked every byte before it says so."""
    properties = [("Slice", ("s", "a.slice")), ("PIDs", ("au", [1, 2, 3])), ("AllowedCPUs", ("ay", [255]))]
    with pytest.raises(dbus.CallFailed) as caught:
        bus.call(
            "org.freedesktop.systemd1.nobody",
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
            "StartTransientUnit",
            "ssa(sv)a(sa(sv))",
            ("x.scope", "replace", properties, [("y", [("z", ("t", 1))])]),
        )
    assert caught.value.name == "org.freedesktop.DBus.Error.ServiceUnknown"


def test_nobody_there_is_told_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(CgroupFault, match="cannot talk to systemd") as caught:
        dbus.Connection(str(tmp_path / "nothing"), is_bus=False)
    assert "cgroupfs" in caught.value.hint


def test_a_scope_is_known_again_by_its_path() -> None:
    paths = {"unified": "/sys/fs/cgroup/a.slice/a-b.slice/pydock-x.scope"}
    scope = systemd.SystemdCgroup.adopt(paths)
    assert scope
    assert (scope.slice, scope.unit, scope.paths()) == ("a-b.slice", "pydock-x.scope", paths)
    assert systemd.SystemdCgroup.adopt({"unified": "/sys/fs/cgroup/pydock/x"}) is None
