"""config-linux.md, "Namespaces", "User namespace mappings", "Offset for Time Namespace", hostname and sysctl."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .bundle import Bundle

pytestmark = pytest.mark.root

FILES = {
    "pid": "pid",
    "mount": "mnt",
    "ipc": "ipc",
    "uts": "uts",
    "network": "net",
    "cgroup": "cgroup",
    "time": "time",
}


@pytest.fixture
def holder() -> Iterator[int]:
    """A process in namespaces of its own, to be joined."""
    process = subprocess.Popen(
        ["unshare", "--net", "--ipc", "--uts", "--pid", "--fork", "--mount-proc", "sleep", "1000"],
    )
    child = 0
    for _ in range(500):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children and os.readlink(f"/proc/{children[0]}/exe").endswith("sleep"):
            child = int(children[0])
            break
        subprocess.run(["sleep", "0.01"], check=True)
    assert child
    yield child
    os.kill(child, 9)
    process.wait()


@pytest.mark.parametrize("kind", ["pid", "mount", "ipc", "uts", "network", "cgroup"])
def test_a_new_namespace_differs_from_the_hosts(bundle: Bundle, kind: str) -> None:
    inside = bundle.sh(f"readlink /proc/self/ns/{FILES[kind]}").strip()
    assert inside != os.readlink(f"/proc/self/ns/{FILES[kind]}")


@pytest.mark.parametrize("kind", ["ipc", "uts", "network", "cgroup", "pid"])
def test_a_namespace_not_asked_for_is_the_hosts(bundle: Bundle, kind: str) -> None:
    bundle.without_namespace(kind)
    if kind == "uts":
        del bundle.config["hostname"]
    inside = bundle.sh(f"readlink /proc/self/ns/{FILES[kind]}").strip()
    assert inside == os.readlink(f"/proc/self/ns/{FILES[kind]}")


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid"])
def test_a_namespace_is_joined_by_path(bundle: Bundle, holder: int, kind: str) -> None:
    path = f"/proc/{holder}/ns/{FILES[kind]}"
    bundle.without_namespace(kind)
    bundle.linux["namespaces"].append({"type": kind, "path": path})
    assert bundle.sh(f"readlink /proc/self/ns/{FILES[kind]}").strip() == os.readlink(path)


def root_mount(pid: int) -> str:
    """The line of a process's root in its mount table; those of other programs' mounts come and go."""
    lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return next(line for line in lines if line.split()[4] == "/")


@pytest.mark.usefixtures("own_runtime")
def test_a_joined_mount_namespace_is_left_as_it_is(bundle: Bundle) -> None:
    """Whoever is in it must not find mounts of ours there, and even less another root."""
    with subprocess.Popen(["unshare", "--mount", "sleep", "1000"]) as process:
        try:
            own = os.readlink("/proc/self/ns/mnt")
            deadline = time.monotonic() + 20
            while os.readlink(f"/proc/{process.pid}/ns/mnt") == own:
                assert time.monotonic() < deadline
            before = root_mount(process.pid)
            bundle.without_namespace("mount")
            bundle.linux["namespaces"].append({"type": "mount", "path": f"/proc/{process.pid}/ns/mnt"})
            assert "linux.namespaces" in bundle.run("true").err
            bundle.config["mounts"] = []
            assert bundle.sh("[ -e /bin/busybox ] && [ ! -e /usr ] && echo inside") == "inside\n"
            bundle.clean()
            bundle.start_running()
            assert bundle.exec(bundle.id, "sh", "-c", "[ ! -e /usr ] && echo inside").out == "inside\n"
            assert root_mount(process.pid) == before
            assert str(bundle.path) not in Path(f"/proc/{process.pid}/mountinfo").read_text()
        finally:
            process.kill()


def test_hostname_and_domainname(bundle: Bundle) -> None:
    bundle.config["hostname"] = "some-name"
    bundle.config["domainname"] = "some-domain"
    out = bundle.sh("hostname; cat /proc/sys/kernel/domainname").split()
    assert out[0] == "some-name"
    if out[1] == "(none)":
        pytest.skip("this runtime does not know domainname")
    assert out[1] == "some-domain"


def test_a_new_network_has_loopback_alone(bundle: Bundle) -> None:
    assert bundle.sh("ls /sys/class/net").split() == ["lo"]


def test_sysctl_is_set_in_the_containers_namespace(bundle: Bundle) -> None:
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "12345"}
    assert bundle.sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax").split() == ["1", "12345"]
    assert Path("/proc/sys/kernel/msgmax").read_text().strip() != "12345"


@pytest.mark.parametrize("key", ["kernel.panic", "vm.swappiness", "kernel.core_pattern"])
def test_a_sysctl_of_the_host_is_refused(bundle: Bundle, key: str) -> None:
    bundle.linux["sysctl"] = {key: "1"}
    result = bundle.run("true")
    assert result.code != 0
    assert key in result.err


def test_a_sysctl_without_its_namespace_is_refused(bundle: Bundle) -> None:
    bundle.without_namespace("network")
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    before = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    assert bundle.run("true").code != 0
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == before


def with_user_namespace(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        bundle.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for path in (bundle.rootfs, *bundle.rootfs.rglob("*")):
        os.chown(path, 100000, 100000, follow_symlinks=False)
    for parent in bundle.path.parents:
        if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)


def test_user_namespace_maps_ids(bundle: Bundle) -> None:
    with_user_namespace(bundle)
    out = bundle.sh("id; cat /proc/self/uid_map; touch /tmp/mine; echo x > /dev/null; ls -l /dev/null")
    assert "uid=0" in out
    assert out.split("\n")[1].split() == ["0", "100000", "65536"]
    assert (bundle.rootfs / "tmp/mine").stat().st_uid == 100000


def test_root_in_a_user_namespace_is_nobody_outside(bundle: Bundle, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    with_user_namespace(bundle)
    bundle.mount("/secret", "bind", str(secret), "bind")
    assert bundle.run("sh", "-c", "cat /secret").code != 0


def test_user_namespace_with_a_joined_network(bundle: Bundle, holder: int) -> None:
    with_user_namespace(bundle)
    bundle.without_namespace("network")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/sys"]
    path = f"/proc/{holder}/ns/net"
    bundle.linux["namespaces"].append({"type": "network", "path": path})
    assert bundle.sh("readlink /proc/self/ns/net; id -u").split() == [os.readlink(path), "0"]


def test_exec_into_a_user_namespace(bundle: Bundle) -> None:
    with_user_namespace(bundle)
    bundle.start_running()
    result = bundle.exec(bundle.id, "sh", "-c", "id -u; cat /proc/self/uid_map")
    assert result.out.split() == ["0", "0", "100000", "65536"], result


def test_time_namespace_offsets(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 1_000_000}, "monotonic": {"secs": 500_000}}
    result = bundle.run("cat", "/proc/uptime")
    if result.code != 0 and "time" in result.err:
        pytest.skip("this runtime, or this kernel, has no time namespaces")
    uptime = float(result.out.split()[0])
    with open("/proc/uptime") as file:
        assert uptime > float(file.read().split()[0]) + 990_000


@pytest.mark.usefixtures("own_runtime")
def test_an_unknown_namespace_names_its_place(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "space"})
    assert "linux.namespaces[6].type" in bundle.run("true").err


def test_a_namespace_listed_twice_is_refused(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "pid"})
    assert bundle.run("true").code != 0
