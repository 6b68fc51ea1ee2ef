"""config.md, "Mounts", "Root"; config-linux.md, "Default Filesystems", "Devices", "Masked", "Readonly Paths"."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .bundle import Bundle

pytestmark = pytest.mark.root


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A host directory with a file in it."""
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "file").write_text("content\n")
    return directory


@pytest.fixture
def shared_source(source: Path) -> Iterator[Path]:
    """A host directory that is a shared mount with another below it."""
    (source / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "shared", source], check=True)
    subprocess.run(["mount", "--make-shared", source], check=True)
    (source / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "below", source / "below"], check=True)
    yield source
    subprocess.run(["umount", "-R", source], check=True)


def options_of(table: str, point: str) -> list[str]:
    """The options of a mount point in the output of mount(8)."""
    lines = [line for line in table.splitlines() if f" on {point} " in line]
    return lines[-1].rpartition("(")[2].rstrip(")").split(",")


def test_the_default_file_systems_are_mounted(bundle: Bundle) -> None:
    table = bundle.run("mount").out
    for point, kind in (("/proc", "proc"), ("/dev", "tmpfs"), ("/dev/pts", "devpts"), ("/sys", "sysfs")):
        assert f" on {point} type {kind} " in table
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options_of(table, "/sys"))


def test_bind_mount_of_a_directory(bundle: Bundle, source: Path) -> None:
    bundle.mount("/data", "bind", str(source), "bind")
    assert bundle.sh("cat /data/file; echo more > /data/new") == "content\n"
    assert (source / "new").read_text() == "more\n"


def test_bind_mount_of_a_file_onto_nothing(bundle: Bundle, source: Path) -> None:
    bundle.mount("/etc/deep/name", "bind", str(source / "file"), "bind", "ro")
    assert (
        bundle.sh("cat /etc/deep/name; (echo x > /etc/deep/name) 2>/dev/null || echo refused") == "content\nrefused\n"
    )


def test_read_only_bind_mount(bundle: Bundle, source: Path) -> None:
    bundle.mount("/data", "bind", str(source), "rbind", "ro", "nosuid", "noexec")
    table = bundle.sh("mount; touch /data/x 2>/dev/null && echo written || echo refused")
    assert table.endswith("refused\n")
    assert {"ro", "nosuid", "noexec"} <= set(options_of(table, "/data"))


def test_rbind_carries_what_is_mounted_below(bundle: Bundle, shared_source: Path) -> None:
    bundle.mount("/with", "bind", str(shared_source), "rbind")
    bundle.mount("/without", "bind", str(shared_source), "bind")
    table = bundle.run("mount").out
    assert " on /with/below " in table
    assert " on /without/below " not in table


def test_recursive_read_only(bundle: Bundle, shared_source: Path) -> None:
    bundle.mount("/data", "bind", str(shared_source), "rbind", "rro", "rnosuid")
    result = bundle.run("mount")
    if result.code != 0:
        pytest.skip("this runtime does not know rro")
    assert {"ro", "nosuid"} <= set(options_of(result.out, "/data/below"))


def test_plain_ro_leaves_what_is_below_writable(bundle: Bundle, shared_source: Path) -> None:
    bundle.mount("/data", "bind", str(shared_source), "rbind", "ro")
    table = bundle.run("mount").out
    assert "ro" in options_of(table, "/data")
    assert "rw" in options_of(table, "/data/below")


def propagation_fields(bundle: Bundle, point: str) -> str:
    line = next(line for line in bundle.run("cat", "/proc/self/mountinfo").out.splitlines() if f" {point} " in line)
    return line.split(" - ")[0]


@pytest.mark.parametrize(
    ("option", "present", "absent"),
    [("rslave", "master:", "shared:"), ("rprivate", "", "master:"), ("runbindable", "unbindable", "shared:")],
)
def test_propagation(bundle: Bundle, shared_source: Path, option: str, present: str, absent: str) -> None:
    bundle.mount("/data", "bind", str(shared_source), "rbind", option)
    fields = propagation_fields(bundle, "/data")
    assert present in fields
    assert absent not in fields


def test_shared_propagation_needs_a_shared_root(bundle: Bundle, shared_source: Path) -> None:
    """What the container mounts below a shared volume shows on the host."""
    bundle.linux["rootfsPropagation"] = "rshared"
    bundle.mount("/data", "bind", str(shared_source), "rbind", "rshared")
    for key in ("bounding", "permitted", "effective"):
        bundle.process["capabilities"][key].append("CAP_SYS_ADMIN")
    bundle.start_running("sh", "-c", "mkdir /data/seen && mount -t tmpfs seen /data/seen && sleep 1000")
    for _ in range(250):
        with open("/proc/self/mountinfo") as file:
            if f" {shared_source}/seen " in file.read():
                return
        subprocess.run(["sleep", "0.02"], check=True)
    pytest.fail("the mount did not propagate to the host")


def test_the_hosts_mounts_are_not_seen(bundle: Bundle) -> None:
    points = {line.split(" on ")[1].split(" ")[0] for line in bundle.run("mount").out.splitlines()}
    assert points <= {"/", "/proc", "/dev", "/dev/pts", "/sys", "/dev/console"}


def test_tmpfs_with_options(bundle: Bundle) -> None:
    bundle.mount("/scratch", "tmpfs", "tmpfs", "size=64k", "mode=1700", "noexec", "nosuid", "nodev")
    out = bundle.sh("stat -c %a /scratch; mount; dd if=/dev/zero of=/scratch/big bs=1k count=100 2>&1 | tail -1")
    assert out.startswith("1700\n")
    assert {"noexec", "nosuid", "nodev", "size=64k"} <= set(options_of(out, "/scratch"))


def test_tmpfs_takes_the_mode_of_what_it_covers(bundle: Bundle) -> None:
    (bundle.rootfs / "covered").mkdir()
    (bundle.rootfs / "covered").chmod(0o1770)
    bundle.mount("/covered", "tmpfs", "tmpfs")
    assert bundle.sh("stat -c %a /covered") == "1770\n"


def test_tmpcopyup(bundle: Bundle) -> None:
    (bundle.rootfs / "data/sub").mkdir(parents=True)
    (bundle.rootfs / "data/sub/file").write_text("original\n")
    (bundle.rootfs / "data/sub/file").chmod(0o640)
    (bundle.rootfs / "data/link").symlink_to("sub/file")
    bundle.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    result = bundle.run("sh", "-c", "cat /data/link; stat -c %a /data/sub/file; echo new > /data/sub/file")
    if result.code != 0 and "tmpcopyup" in result.err:
        pytest.skip("this runtime does not know tmpcopyup")
    assert result.out == "original\n640\n", result
    assert (bundle.rootfs / "data/sub/file").read_text() == "original\n"


def test_mqueue(bundle: Bundle) -> None:
    bundle.mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev")
    assert " on /dev/mqueue type mqueue " in bundle.run("mount").out


def test_cgroup_mount_shows_the_container_alone(bundle: Bundle) -> None:
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro")
    out = bundle.sh("cat /proc/self/cgroup; find /sys/fs/cgroup -name cgroup.procs | wc -l || true; ls /sys/fs/cgroup")
    assert all(line.endswith(":/") for line in out.splitlines() if line[:1].isdecimal() and line.count(":") == 2)
    inside = bundle.sh("cat /sys/fs/cgroup/pids/cgroup.procs /sys/fs/cgroup/cgroup.procs 2>/dev/null; true").split()
    assert "1" in inside


def test_cgroup_mount_is_read_only(bundle: Bundle) -> None:
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")
    script = "for d in /sys/fs/cgroup/*/ /sys/fs/cgroup; do mkdir $d/x 2>/dev/null && echo $d; done; true"
    assert bundle.sh(script) == ""


def test_mounts_are_made_in_order(bundle: Bundle, source: Path) -> None:
    bundle.mount("/a", "tmpfs", "tmpfs")
    bundle.mount("/a/b", "bind", str(source), "bind")
    assert bundle.sh("cat /a/b/file") == "content\n"


def test_a_relative_source_counts_from_the_bundle(bundle: Bundle) -> None:
    (bundle.path / "beside").write_text("beside\n")
    bundle.mount("/beside", "bind", "beside", "bind")
    assert bundle.sh("cat /beside") == "beside\n"


def test_a_read_only_root(bundle: Bundle) -> None:
    bundle.config["root"]["readonly"] = True
    assert (
        bundle.sh("touch /x 2>/dev/null && echo written || echo refused; touch /dev/x && echo dev") == "refused\ndev\n"
    )


def test_default_devices_and_links(bundle: Bundle) -> None:
    out = bundle.sh(
        "cd /dev; stat -c '%n %t:%T %a' null zero full random urandom tty;"
        "readlink fd stdin stdout stderr ptmx; for l in fd stdin stdout stderr ptmx; do readlink $l; done"
    )
    for line in ("null 1:3 666", "zero 1:5 666", "full 1:7 666", "random 1:8 666", "urandom 1:9 666", "tty 5:0 666"):
        assert line in out
    for link in ("/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"):
        assert link in out.splitlines()


def test_default_devices_can_be_used(bundle: Bundle) -> None:
    assert bundle.sh("head -c 4 /dev/zero | wc -c; echo x > /dev/null; head -c 3 /dev/urandom | wc -c").split() == [
        "4",
        "3",
    ]


def test_a_device_of_the_config(bundle: Bundle) -> None:
    bundle.linux["devices"] = [
        {"path": "/dev/dir/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/pipe", "type": "p"},
    ]
    bundle.linux["resources"]["devices"] = [{"allow": False, "access": "rwm"}]
    out = bundle.sh("stat -c '%t:%T %a %u %g' /dev/dir/mine; head -c 2 /dev/dir/mine | wc -c; stat -c %F /dev/pipe")
    assert out == "1:5 640 7 8\n2\nfifo\n"


def test_other_devices_are_out_of_reach(bundle: Bundle) -> None:
    """The device cgroup, not the absence of a node, is what protects the host's disks."""
    bundle.linux["resources"]["devices"] = [{"allow": False, "access": "rwm"}]
    for key in ("bounding", "permitted", "effective"):
        bundle.process["capabilities"][key].append("CAP_SYS_RAWIO")
    out = bundle.sh("mknod /tmp/mem c 1 1 && (head -c 1 /tmp/mem >/dev/null 2>&1 && echo read || echo refused)")
    assert out == "refused\n"


def test_masked_paths(bundle: Bundle) -> None:
    (bundle.rootfs / "secret").mkdir()
    (bundle.rootfs / "secret/file").write_text("secret")
    (bundle.rootfs / "token").write_text("secret")
    bundle.linux["maskedPaths"] = ["/secret", "/token", "/proc/keys", "/nosuch"]
    assert bundle.sh("ls /secret; cat /token /proc/keys; touch /secret/x 2>/dev/null || echo refused") == "refused\n"


def test_read_only_paths(bundle: Bundle) -> None:
    (bundle.rootfs / "fixed").mkdir()
    bundle.linux["readonlyPaths"] = ["/fixed", "/proc/sys", "/nosuch"]
    script = "touch /fixed/x 2>/dev/null || echo no; echo x > /proc/sys/kernel/hostname 2>/dev/null || echo no"
    assert bundle.sh(script) == "no\nno\n"


def test_an_id_mapped_mount(bundle: Bundle, source: Path) -> None:
    bundle.mount("/data", "bind", str(source), "bind")
    mapping = [{"containerID": 0, "hostID": 5000, "size": 1000}]
    bundle.config["mounts"][-1].update(uidMappings=mapping, gidMappings=mapping)
    result = bundle.run("stat", "-c", "%u", "/data/file")
    if result.out.strip() == "0" or "dmap" in result.err or "id-mapped" in result.err:
        pytest.skip("this runtime, or this file system, has no id-mapped mounts")
    assert result.out == "5000\n"


def test_a_missing_source_is_an_error(bundle: Bundle) -> None:
    bundle.mount("/data", "bind", "/no/such/source", "bind")
    result = bundle.run("true")
    assert result.code != 0
    assert "/no/such/source" in result.err


def test_an_unknown_file_system_is_an_error(bundle: Bundle) -> None:
    bundle.mount("/data", "nosuchfs", "none")
    result = bundle.run("true")
    assert result.code != 0
    assert "nosuchfs" in result.err or "no such device" in result.err.lower()


def test_the_roots_owner_and_mode_stay(bundle: Bundle) -> None:
    before = os.stat(bundle.rootfs)
    bundle.run("true")
    after = os.stat(bundle.rootfs)
    assert stat.S_IMODE(before.st_mode) == stat.S_IMODE(after.st_mode)
