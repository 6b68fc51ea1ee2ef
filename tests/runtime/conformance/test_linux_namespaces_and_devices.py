"""config-linux.md: namespaces, id mappings, clocks, devices and network devices."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.runtime.bundle import environment

from .spec import must, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.runtime.bundle import Bundle

pytestmark = pytest.mark.root

FILES = {"pid": "pid", "network": "net", "mount": "mnt", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup"}


@pytest.fixture
def holder() -> Iterator[int]:
    """A process in namespaces of its own, to be joined."""
    process = subprocess.Popen(["unshare", "--net", "--ipc", "--uts", "--pid", "--fork", "sleep", "1000"])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 30
    child = ""
    while not (child and os.readlink(f"/proc/{child}/exe").endswith("sleep")):
        assert time.monotonic() < deadline
        child = (children.read_text().split() or [""])[0]
        time.sleep(0.01)
    yield int(child)
    os.kill(int(child), 9)
    process.wait()


@must("config-linux.md#namespaces", "a type without a path is a new namespace")
@pytest.mark.parametrize("kind", FILES)
def test_a_new_namespace(bundle: Bundle, kind: str) -> None:
    inside = bundle.sh(f"readlink /proc/self/ns/{FILES[kind]}").strip()
    assert inside != os.readlink(f"/proc/self/ns/{FILES[kind]}")


@must("config-linux.md#namespaces", "a type that is not listed is the runtime's")
@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "mount"])
def test_an_inherited_namespace(bundle: Bundle, kind: str) -> None:
    bundle.without_namespace(kind)
    if kind == "uts":
        del bundle.config["hostname"]
    inside = bundle.sh(f"readlink /proc/self/ns/{FILES[kind]}").strip()
    assert inside == os.readlink(f"/proc/self/ns/{FILES[kind]}")


@must("config-linux.md#namespaces", "a type with a path is the namespace of that path")
@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid"])
def test_a_namespace_by_path(bundle: Bundle, holder: int, kind: str) -> None:
    path = f"/proc/{holder}/ns/{FILES[kind]}"
    bundle.without_namespace(kind)
    bundle.linux["namespaces"].append({"type": kind, "path": path})
    assert bundle.sh(f"readlink /proc/self/ns/{FILES[kind]}").strip() == os.readlink(path)


@must("config-linux.md#namespaces", "the path is absolute")
def test_a_relative_namespace_path(bundle: Bundle) -> None:
    bundle.without_namespace("network")
    bundle.linux["namespaces"].append({"type": "network", "path": "ns/net"})
    refused(bundle, "linux.namespaces[5].path")


@must("config-linux.md#namespaces", "a path to a namespace of another type, or to none, is an error")
@pytest.mark.parametrize("path", ["/proc/self/ns/uts", "/dev/null", "/no/such/file"])
def test_a_path_of_another_type(bundle: Bundle, path: str) -> None:
    bundle.without_namespace("network")
    bundle.linux["namespaces"].append({"type": "network", "path": path})
    refused(bundle, "linux.namespaces[5].path")


@must("config-linux.md#namespaces", "a type that is listed twice is an error")
def test_a_namespace_twice(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "pid"})
    refused(bundle, "linux.namespaces[6].type")


def with_mappings(bundle: Bundle, *mappings: tuple[int, int, int]) -> None:
    """A user namespace, and a root file system that its root can reach."""
    bundle.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        bundle.linux[key] = [dict(zip(("containerID", "hostID", "size"), each, strict=True)) for each in mappings]
    for path in (bundle.rootfs, *bundle.rootfs.rglob("*")):
        os.chown(path, mappings[0][1], mappings[0][1], follow_symlinks=False)
    for parent in bundle.path.parents:
        if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)


@must("config-linux.md#user-namespace-mappings", "the mappings are those of the config")
@pytest.mark.parametrize("mappings", [[(0, 100000, 65536)], [(0, 100000, 10), (10, 200000, 90), (1000, 300000, 1)]])
def test_user_namespace_mappings(bundle: Bundle, mappings: list[tuple[int, int, int]]) -> None:
    with_mappings(bundle, *mappings)
    for name in ("uid_map", "gid_map"):
        lines = bundle.run("cat", f"/proc/self/{name}").out.splitlines()
        assert [tuple(map(int, line.split())) for line in lines] == mappings


@must("config-linux.md#user-namespace-mappings", "root inside is the mapped id outside")
def test_root_is_the_mapped_id(bundle: Bundle) -> None:
    with_mappings(bundle, (0, 100000, 65536))
    bundle.sh("id -u; touch /tmp/mine")
    assert (bundle.rootfs / "tmp/mine").stat().st_uid == 100000


@must("config-linux.md#user-namespace-mappings", "the owners of the file system are not changed")
def test_owners_are_left_alone(bundle: Bundle) -> None:
    with_mappings(bundle, (0, 100000, 65536))
    os.chown(bundle.rootfs / "etc/passwd", 0, 0)
    bundle.run("true")
    assert (bundle.rootfs / "etc/passwd").stat().st_uid == 0


@must("config-linux.md#offset-for-time-namespace", "the clocks of a time namespace have the offsets of the config")
@pytest.mark.parametrize(("clock", "seconds"), [("boottime", 1_000_000), ("monotonic", 500_000)])
def test_time_offsets(bundle: Bundle, clock: str, seconds: int) -> None:
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {clock: {"secs": seconds, "nanosecs": 5}}
    lines = bundle.run("cat", "/proc/self/timens_offsets").out.splitlines()
    assert [clock, str(seconds), "5"] in [line.split() for line in lines]


@must("config-linux.md#offset-for-time-namespace", "a clock that nobody knows is an error")
def test_an_unknown_clock(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"realtime": {"secs": 1}}
    refused(bundle, "linux.timeOffsets.realtime")


@must("config-linux.md#devices", "the devices of the list are there, with their numbers, modes and owners")
@pytest.mark.parametrize("path", ["/dev/a-device", "/elsewhere/a-device"])
def test_devices(bundle: Bundle, path: str) -> None:
    bundle.linux["devices"] = [
        {"path": path, "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 7, "gid": 8}
    ]
    assert bundle.sh(f"stat -c '%F %t %T %a %u %g' {path}") == "character special file a e5 640 7 8\n"


@must("config-linux.md#devices", "types b, u and p")
@pytest.mark.parametrize(
    ("kind", "what"), [("b", "block special file"), ("u", "character special file"), ("p", "fifo")]
)
def test_types_of_devices(bundle: Bundle, kind: str, what: str) -> None:
    device: dict[str, object] = {"path": "/dev/a-device", "type": kind, "fileMode": 0o600}
    if kind != "p":
        device.update(major=7, minor=99)
    bundle.linux["devices"] = [device]
    assert bundle.sh("stat -c %F /dev/a-device") == f"{what}\n"


@must("config-linux.md#devices", "major and minor are required but for a fifo")
def test_a_device_without_numbers(bundle: Bundle) -> None:
    bundle.linux["devices"] = [{"path": "/dev/a-device", "type": "c"}]
    refused(bundle, "linux.devices[0]")


@must("config-linux.md#devices", "another file at the path of a device is an error")
@pytest.mark.parametrize("kind", ["file", "device"])
def test_another_file_at_the_path(bundle: Bundle, kind: str) -> None:
    (bundle.rootfs / "opt").mkdir()
    if kind == "file":
        (bundle.rootfs / "opt/a-device").write_text("")
    else:
        os.mknod(bundle.rootfs / "opt/a-device", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    bundle.linux["devices"] = [{"path": "/opt/a-device", "type": "c", "major": 1, "minor": 3}]
    refused(bundle, "linux.devices[0]")


@must("config-linux.md#default-devices", "null, zero, full, random, urandom and tty are there and can be used")
def test_default_devices(bundle: Bundle) -> None:
    names = ("null", "zero", "full", "random", "urandom", "tty")
    out = bundle.sh("for name in " + " ".join(names) + "; do stat -c '%t:%T %a' /dev/$name; done")
    assert out.splitlines() == [f"{number} 666" for number in ("1:3", "1:5", "1:7", "1:8", "1:9", "5:0")]
    assert bundle.sh("echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 1 /dev/urandom | wc -c") == "4\n1\n"


@must("config-linux.md#default-devices", "ptmx is that of the container's own devpts")
def test_ptmx(bundle: Bundle) -> None:
    assert bundle.sh("ls -l /dev/ptmx").rstrip().endswith("/dev/ptmx -> pts/ptmx")


@must("config-linux.md#default-devices", "with a terminal, /dev/console is the container's pty")
def test_console(bundle: Bundle) -> None:
    bundle.process["terminal"] = True
    bundle.process["args"] = ["sh", "-c", "tty; stat -c %t:%T /dev/console; stat -c %t:%T $(tty)"]
    bundle.write_config()
    master, slave = pty.openpty()
    arguments = bundle.command("run", "--bundle", str(bundle.path), bundle.id)
    process = subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=slave, env=environment())
    os.close(slave)
    seen = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(master)
    assert process.wait(30) == 0, seen
    tty, console, own = seen.decode().split()
    assert tty.startswith("/dev/pts/") or tty == "/dev/console"
    assert console == own


@pytest.fixture
def host_device() -> Iterator[str]:
    """A network device of the host with a lasting address, and one that is taken away whatever became of it."""
    name, peer = (f"cf{os.getpid()}{end}" for end in "ab")
    made = subprocess.run(
        ["ip", "link", "add", name, "type", "veth", "peer", "name", peer], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("needs a kernel with veth")
    try:
        _ip("link", "set", name, "mtu", "1234", "address", "02:00:00:00:12:34")
        _ip("address", "add", "198.51.100.7/24", "dev", name)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", peer], capture_output=True, check=False)


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@must("config-linux.md#network-devices", "a device is in the container, and no longer outside")
def test_a_network_device(bundle: Bundle, host_device: str) -> None:
    bundle.linux["netDevices"] = {host_device: {}}
    bundle.start_running()
    assert bundle.exec(bundle.id, "ip", "link", "show", host_device).code == 0
    assert not Path(f"/sys/class/net/{host_device}").exists()


@must("config-linux.md#network-devices", "it has the name of the config, its attributes and addresses, and is up")
def test_a_network_device_keeps_what_it_has(bundle: Bundle, host_device: str) -> None:
    bundle.linux["netDevices"] = {host_device: {"name": "inside0"}}
    out = bundle.sh("ip addr show inside0")
    assert "mtu 1234" in out
    assert "02:00:00:00:12:34" in out
    assert "198.51.100.7/24" in out
    assert "UP" in out.partition("<")[2].partition(">")[0].split(",")


@must("config-linux.md#network-devices", "a name with %d is a template")
def test_a_template_name(bundle: Bundle, host_device: str) -> None:
    bundle.linux["netDevices"] = {host_device: {"name": "net%d"}}
    assert "net0" in bundle.sh("ls /sys/class/net").split()


@must(
    "config-linux.md#network-devices",
    "a name that is taken in the container is an error, and the host keeps its device",
)
def test_a_name_that_is_taken(bundle: Bundle, host_device: str) -> None:
    bundle.linux["netDevices"] = {host_device: {"name": "lo"}}
    refused(bundle, "linux.netDevices")
    assert "198.51.100.7/24" in _ip("address", "show", host_device)


@must("config-linux.md#network-devices", "a device that the host does not have is an error")
def test_a_device_that_is_not_there(bundle: Bundle) -> None:
    bundle.linux["netDevices"] = {"nosuchdev0": {}}
    refused(bundle, "linux.netDevices.nosuchdev0")


@must("config-linux.md#network-devices", "a container that shares the host's network can have none")
def test_a_device_without_a_namespace(bundle: Bundle, host_device: str) -> None:
    bundle.without_namespace("network")
    bundle.linux["netDevices"] = {host_device: {}}
    refused(bundle, "linux.netDevices")


@must("runtime.md#errors", "a creation that fails after a device was moved gives it back as it was")
def test_a_failed_creation_gives_the_device_back(bundle: Bundle, host_device: str) -> None:
    bundle.linux["netDevices"] = {host_device: {"name": "inside0"}}
    bundle.mount("/data", "tmpfs", "tmpfs", "nosuchoption=1")
    refused(bundle)
    assert "198.51.100.7/24" in _ip("address", "show", host_device)
