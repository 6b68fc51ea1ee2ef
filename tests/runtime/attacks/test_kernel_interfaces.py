"""Devices, cgroups, proc and sys: what a container with Docker's capabilities gets at, and what a joining process must
not believe of what it finds inside."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runtime.spec import DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS

if TYPE_CHECKING:
    from ..bundle import Bundle

pytestmark = pytest.mark.root

V2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
DENIED = [("c", 1, 1), ("c", 1, 2), ("c", 1, 11), ("c", 10, 200), ("b", 8, 0), ("b", 7, 0), ("b", 254, 0), ("c", 4, 0)]


FAKES = (
    "mount -t tmpfs t /dev/pts",
    "mount -o bind /tmp/file /dev/pts/ptmx",
    "mount -o bind /proc/1/maps /dev/pts/ptmx",
)


@pytest.fixture
def limited(bundle: Bundle) -> Bundle:
    """Docker's device rules: all denied, the default devices allowed by the runtime itself."""
    bundle.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    return bundle


@pytest.mark.parametrize("device", DENIED, ids=lambda device: f"{device[0]}{device[1]}-{device[2]}")
def test_a_device_of_the_host_cannot_be_opened(limited: Bundle, device: tuple[str, int, int]) -> None:
    kind, major, minor = device
    node = limited.rootfs / "tmp/node"
    os.mknod(node, 0o666 | (stat.S_IFCHR if kind == "c" else stat.S_IFBLK), os.makedev(major, minor))
    # Making one is allowed, as everywhere; it is of no use.
    make = f"mknod /tmp/made {kind} {major} {minor}"
    tries = (f"{make}; head -c 1 /tmp/made", f"{make}; : > /tmp/made", "head -c 1 /tmp/node", ": > /tmp/node")
    script = "; ".join(f"({words}) >/dev/null 2>&1 && echo '{words}'" for words in tries)
    assert limited.sh(f"{script}; true") == ""


def test_the_default_devices_work(limited: Bundle) -> None:
    assert limited.sh("head -c 2 /dev/zero | wc -c; head -c 2 /dev/urandom | wc -c; echo x > /dev/null").split() == [
        "2",
        "2",
    ]


@pytest.mark.parametrize(
    "path", ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/latency_stats", "/proc/sched_debug"]
)
def test_masked_files_are_empty(bundle: Bundle, path: str) -> None:
    bundle.linux["maskedPaths"] = list(DEFAULT_MASKED_PATHS)
    assert bundle.sh(f"[ -e {path} ] || exit 0; head -c 100 {path} | wc -c").strip() in ("", "0")


def test_masked_directories_are_empty_and_cannot_be_filled(bundle: Bundle) -> None:
    bundle.linux["maskedPaths"] = list(DEFAULT_MASKED_PATHS)
    folders = "/sys/firmware /proc/acpi /proc/scsi /sys/devices/virtual/powercap"
    each = "[ -d $d ] || continue; ls -A $d; touch $d/x 2>/dev/null && echo $d"
    assert bundle.sh(f"for d in {folders}; do {each}; done; true") == ""


def test_read_only_paths_cannot_be_written(bundle: Bundle) -> None:
    bundle.linux["readonlyPaths"] = list(DEFAULT_READONLY_PATHS)
    files = "/proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/0/smp_affinity /proc/sys/kernel/modprobe"
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    assert bundle.sh(f"for f in {files}; do (echo x > $f) 2>/dev/null && echo $f; done; true") == ""
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


@pytest.mark.parametrize("path", ["/proc/kcore", "/sys/firmware", "/proc/sys"])
def test_masks_cannot_be_taken_off(bundle: Bundle, path: str) -> None:
    bundle.linux.update(maskedPaths=list(DEFAULT_MASKED_PATHS), readonlyPaths=list(DEFAULT_READONLY_PATHS))
    tries = (f"busybox umount {path}", f"mount -o remount,rw {path}", f"mount -o remount,bind,rw {path}")
    assert bundle.sh("; ".join(f"({words}) 2>/dev/null && echo '{words}'" for words in tries) + "; true") == ""


@pytest.mark.parametrize("private", [True, False])
def test_a_read_only_cgroup_mount_shows_and_gives_nothing_of_others(bundle: Bundle, private: bool) -> None:
    """CVE-2023-25809, CVE-2022-0492: with a cgroup namespace of its own and without."""
    if not private:
        bundle.without_namespace("cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "nodev", "noexec")
    script = (
        "cd /sys/fs/cgroup; for d in . *; do [ -d $d ] || continue; (mkdir $d/x) 2>/dev/null && echo made $d;"
        " (echo 0 > $d/cgroup.procs) 2>/dev/null && echo moved $d; cat $d/cgroup.procs 2>/dev/null; done; true"
    )
    out = bundle.sh(script).split()
    assert "made" not in out
    assert "moved" not in out
    # what is shown has the shell and its cat in it, by their pids here, and nobody else: those would be 0
    assert "0" not in out
    assert "1" in out


@pytest.mark.parametrize("name", ["inheritable", "ambient"])
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_inheritable_and_ambient_sets_are_empty_by_default(bundle: Bundle, name: str, verb: str) -> None:
    """CVE-2022-24769, CVE-2022-29162."""
    words = ("grep", "Cap" + name[:3].title(), "/proc/self/status")
    if verb == "run":
        out = bundle.run(*words).out
    else:
        bundle.start_running()
        out = bundle.exec("--cap", "CAP_NET_ADMIN", bundle.id, *words).out
    assert int(out.split()[1], 16) == 0


@pytest.mark.usefixtures("own_runtime")
def test_exec_writes_to_no_fake_of_proc(bundle: Bundle) -> None:
    """CVE-2019-16884, CVE-2025-52881: the container has put a tmpfs with files of the right names over /proc."""
    for key in ("bounding", "permitted", "effective"):
        bundle.process["capabilities"][key] += ["CAP_SYS_ADMIN"]
    bundle.start_running()
    folders = "self/attr/apparmor self/fd sys/kernel thread-self/attr 1"
    files = (
        "self/attr/exec self/attr/apparmor/exec self/attr/keycreate self/attr/current self/oom_score_adj self/fd/3"
        " self/setgroups self/uid_map thread-self/attr/exec sys/kernel/x"
    )
    script = f"mount -t tmpfs t /proc; cd /proc; mkdir -p {folders}; for f in {files}; do echo untouched > $f; done"
    assert bundle.exec(bundle.id, "sh", "-c", script).code == 0
    for words in (("true",), ("--no-new-privs", "true"), ("--cap", "CAP_KILL", "true"), ("--user", "5:5", "true")):
        bundle.exec(*words[:-1], bundle.id, words[-1])
    out = bundle.exec(bundle.id, "sh", "-c", "cd /proc; cat */*/* */attr/*/* */* 2>/dev/null | sort -u; ls self/fd").out
    assert out.split() == ["untouched", "3"]


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize(
    "fake",
    FAKES,
)
def test_exec_takes_no_planted_terminal(bundle: Bundle, fake: str) -> None:
    """CVE-2025-52565: the container has put something else where terminals come from."""
    for key in ("bounding", "permitted", "effective"):
        bundle.process["capabilities"][key] += ["CAP_SYS_ADMIN"]
    bundle.start_running()
    plant = f"echo host > /tmp/file; {fake}; [ -e /dev/pts/ptmx ] || echo fake > /dev/pts/ptmx"
    assert bundle.exec(bundle.id, "sh", "-c", plant).code == 0
    result = bundle.exec("--tty", bundle.id, "true")
    assert result.code != 0
    assert "terminal" in result.err
    assert "Traceback" not in result.err


def test_a_mount_on_a_symlink_stays_inside(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2019-18837: the target of a mount is a link that is absolute, or climbs."""
    (tmp_path / "source").write_text("shown")
    for name, target in (("absolute", "/etc/inside"), ("climbing", "../../../../../etc/inside2")):
        (bundle.rootfs / name).symlink_to(target)
        bundle.mount(f"/{name}", "bind", str(tmp_path / "source"), "bind", "ro")
    before = sorted(os.listdir("/etc"))
    assert bundle.sh("cat /etc/inside /etc/inside2") == "shownshown"
    assert sorted(os.listdir("/etc")) == before


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize("planted", ["file", "fifo", "directory", "zero"])
def test_a_null_that_is_another_thing_hides_all_the_same(bundle: Bundle, planted: str) -> None:
    """CVE-2025-31133: what masks is the host's null device, whatever the root has at /dev/null."""
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    null = bundle.rootfs / "dev/null"
    if planted == "file":
        null.write_text("attacker")
    elif planted == "fifo":
        os.mkfifo(null)
    elif planted == "directory":
        null.mkdir()
    else:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    bundle.linux["maskedPaths"] = ["/proc/keys", "/proc/timer_list"]
    result = bundle.run("sh", "-c", "head -c 10 /proc/keys; head -c 10 /proc/timer_list")
    assert result.out == ""


def test_no_abstract_socket_is_opened(bundle: Bundle) -> None:
    """CVE-2020-15257: what listens without a file is reached by every container on the host's network."""
    bundle.without_namespace("network")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/sys"]
    bundle.process["terminal"] = False
    before = {line.split()[7] for line in Path("/proc/net/unix").read_text().splitlines() if "@" in line}
    out = bundle.sh("cat /proc/net/unix")
    names = {line.split()[7] for line in out.splitlines() if len(line.split()) > 7 and "@" in line}
    assert [name for name in names - before if "pydock" in name or "runc" in name or bundle.id in name] == []


@pytest.mark.usefixtures("own_runtime")
def test_groups_that_deny_stay_where_nobody_is_privileged(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2014-8989: setgroups is forbidden before an unprivileged user maps a group."""
    python = "/usr/bin/python3"
    if not os.path.exists(python):
        pytest.skip("needs an interpreter that every user may run")
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from runtime import idmap; from runtime.kernel import calls\n"
        "r, w = os.pipe(); r2, w2 = os.pipe()\n"
        "pid = os.fork()\n"
        "if not pid:\n calls.unshare(0x10000000); os.write(w, b'x'); os.read(r2, 1); os._exit(0)\n"
        "os.read(r, 1)\n"
        "one = lambda own: [{'containerID': 0, 'hostID': own, 'size': 1}]\n"
        "idmap.write_maps(pid, one(os.getuid()), one(os.getgid()))\n"
        "print(open(f'/proc/{pid}/setgroups').read(), open(f'/proc/{pid}/gid_map').read())\n"
        "os.write(w2, b'x')\n"
    )
    words = [python, "-IS", "-c", code, str(Path(__file__).resolve().parents[3])]
    done = subprocess.run(words, user=65534, group=65534, extra_groups=[], capture_output=True, text=True, check=False)
    if "Permission" in done.stderr or "not permitted" in done.stderr or "No module" in done.stderr:
        pytest.skip("this host gives unprivileged users no user namespaces, or not this checkout")
    assert done.stdout.split() == ["deny", "0", "65534", "1"], done
