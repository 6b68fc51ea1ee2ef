"""Ways in that real runtimes once had, tried for real: what counts is what the attacker gets."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..bundle import Bundle

pytestmark = pytest.mark.root


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def with_capabilities(bundle: Bundle, *names: str) -> None:
    for key in ("bounding", "permitted", "effective"):
        bundle.process["capabilities"][key] += names


@pytest.mark.usefixtures("own_runtime")
def test_proc_self_exe_as_program_gives_no_way_to_the_hosts_python(bundle: Bundle) -> None:
    """CVE-2019-5736: the program is /proc/self/exe; whoever runs from it must not be writable."""
    interpreter = os.path.realpath(sys.executable)
    before = digest(interpreter)
    with_capabilities(bundle, "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH")
    code = (
        "import os\nfd=os.open('/proc/self/exe',os.O_RDONLY)\n"
        "try:\n open(f'/proc/self/fd/{fd}','wb'); print('WRITABLE')\nexcept OSError as e: print('refused', e.errno)\n"
    )
    bundle.process["env"] += [f"PYTHONHOME={sys.base_prefix}"]
    bundle.mount(sys.base_prefix, "bind", sys.base_prefix, "rbind", "ro")
    for name in ("/lib", "/lib64", "/usr/lib"):
        if os.path.exists(name):
            bundle.mount(name, "bind", name, "rbind", "ro")
    result = bundle.run("/proc/self/exe", "-c", code)
    assert "WRITABLE" not in result.out
    assert digest(interpreter) == before


@pytest.mark.usefixtures("own_runtime")
def test_a_script_run_by_proc_self_exe_is_no_way_either(bundle: Bundle) -> None:
    before = digest(os.path.realpath(sys.executable))
    (bundle.rootfs / "bin/evil").write_text("#!/proc/self/exe\n")
    (bundle.rootfs / "bin/evil").chmod(0o755)
    bundle.run("/bin/evil")
    bundle.start_running()
    bundle.exec(bundle.id, "/bin/evil")
    assert digest(os.path.realpath(sys.executable)) == before


@pytest.mark.usefixtures("own_runtime")
def test_the_executable_of_an_exec_cannot_be_taken_hold_of(bundle: Bundle) -> None:
    """CVE-2016-9962, CVE-2019-5736: a container that watches /proc while exec joins it."""
    watch = (
        "while :; do for p in /proc/[0-9]*; do case $p in /proc/1) continue;; esac; "
        "e=$(readlink $p/exe 2>/dev/null); case $e in *python*) echo $e >> /tmp/seen; "
        "(: > $p/exe) 2>/dev/null && echo written >> /tmp/seen;; esac; "
        "ls $p/fd >/dev/null 2>&1 && for f in $p/fd/*; do case $(readlink $f 2>/dev/null) in "
        "*state*|*exec.fifo*) echo $f >> /tmp/seen;; esac; done; done; done"
    )
    bundle.start_running("sh", "-c", watch)
    for _ in range(15):
        assert bundle.exec(bundle.id, "true").code == 0
    assert not (bundle.rootfs / "tmp/seen").exists()


@pytest.mark.parametrize("number", range(3, 12))
def test_a_descriptor_is_no_working_directory(bundle: Bundle, number: int) -> None:
    """CVE-2024-21626: cwd through a descriptor that the runtime forgot to close."""
    bundle.process["cwd"] = f"/proc/self/fd/{number}"
    result = bundle.run("sh", "-c", "pwd; ls; cat ../../../etc/hostname")
    assert result.code != 0 or not result.out.strip().startswith("(unreachable)")
    hostname = Path("/etc/hostname")
    if hostname.exists():
        assert hostname.read_text() not in result.out


@pytest.mark.parametrize("number", [3, 5, 7, 8, 9, 10])
def test_a_descriptor_is_no_working_directory_of_exec(bundle: Bundle, number: int) -> None:
    bundle.start_running()
    result = bundle.exec("--cwd", f"/proc/self/fd/{number}", bundle.id, "pwd")
    assert result.code != 0
    assert "unreachable" not in result.out


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_proc_and_sys_may_not_be_symlinks(bundle: Bundle, name: str) -> None:
    """CVE-2019-19921: a root whose /proc leads elsewhere, so that the runtime writes to a fake one."""
    (bundle.rootfs / name).rmdir()
    (bundle.rootfs / "elsewhere").mkdir()
    (bundle.rootfs / name).symlink_to("elsewhere")
    assert bundle.run("true").code != 0


@pytest.mark.usefixtures("own_runtime")
def test_nothing_but_procfs_on_proc(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2019-16884, CVE-2023-27561."""
    bundle.config["mounts"][0] = {"destination": "/proc", "type": "tmpfs", "source": "tmpfs"}
    assert "mounts[0].type" in bundle.run("true").err
    fake = tmp_path / "fake"
    fake.mkdir()
    bundle.config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": str(fake), "options": ["bind"]}
    assert "mounts[0]" in bundle.run("true").err


@pytest.mark.parametrize("destination", ["/proc/self/attr", "/proc/sys", "/proc/1/../self/attr"])
def test_nothing_inside_proc(bundle: Bundle, tmp_path: Path, destination: str) -> None:
    """CVE-2025-52881: what the runtime writes to later must not be covered."""
    (tmp_path / "d").mkdir()
    bundle.mount(destination, "bind", str(tmp_path / "d"), "bind")
    assert bundle.run("true").code != 0


def test_nothing_inside_proc_by_a_symlink(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.rootfs / "innocent").symlink_to("/proc/sys")
    (tmp_path / "d").mkdir()
    bundle.mount("/innocent/kernel", "bind", str(tmp_path / "d"), "bind")
    result = bundle.run("sh", "-c", "mount | grep /proc/sys")
    assert result.code != 0


def test_lxcfs_may_cover_its_files(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "uptime").write_text("1.00 1.00\n")
    bundle.mount("/proc/uptime", "bind", str(tmp_path / "uptime"), "bind")
    assert bundle.sh("cat /proc/uptime") == "1.00 1.00\n"


def test_mount_targets_stay_inside_the_root(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2018-15664 and relatives: links in the root that point to the host."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (bundle.rootfs / "link").symlink_to(outside)
    (bundle.rootfs / "up").symlink_to("../../../../../../../.." + str(outside))
    for destination in ("/link/a", "/up/b", f"/link/../../..{outside}/c", "/link"):
        bundle.mount(destination, "tmpfs", "tmpfs")
    bundle.run("true")
    assert list(outside.iterdir()) == []


def test_files_are_made_inside_the_root(bundle: Bundle, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "file").write_text("x")
    (bundle.rootfs / "etc/hosts").symlink_to(outside / "planted")
    bundle.mount("/etc/hosts", "bind", str(tmp_path / "file"), "bind")
    bundle.run("true")
    assert list(outside.iterdir()) == []


@pytest.mark.usefixtures("own_runtime")
def test_a_race_of_directory_and_symlink_leads_nowhere(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2021-30465: another container exchanges a directory of a shared volume for a link while we mount there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "real").mkdir()
    (volume / "link").symlink_to(outside)
    bundle.mount("/volume", "bind", str(volume), "bind")
    bundle.mount("/volume/real/a/b", "tmpfs", "tmpfs")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for source, target in (("real", "hidden"), ("link", "real"), ("real", "link"), ("hidden", "real")):
                try:
                    os.rename(volume / source, volume / target)
                except OSError:
                    continue

    racer = threading.Thread(target=exchange)
    racer.start()
    try:
        for _ in range(40):
            bundle.run("true")
            assert list(outside.iterdir()) == []
    finally:
        stop.set()
        racer.join()


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize("name", ["null", "zero"])
def test_a_planted_device_is_not_used(bundle: Bundle, tmp_path: Path, name: str) -> None:
    """CVE-2025-31133: masking with a /dev/null that is the attacker's file, or a link to a file of the host."""
    victim = tmp_path / "victim"
    victim.write_text("host")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.rootfs / "dev" / name).symlink_to(victim)
    bundle.linux["maskedPaths"] = ["/proc/keys"]
    result = bundle.run("sh", "-c", "cat /proc/keys")
    assert result.code != 0 or result.out == ""
    assert victim.read_text() == "host"


@pytest.mark.usefixtures("own_runtime")
def test_dev_may_not_be_a_symlink(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2026-41579: device nodes made through the root's /dev land where that points."""
    outside = tmp_path / "outside"
    outside.mkdir()
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.rootfs / "dev").rmdir()
    (bundle.rootfs / "dev").symlink_to(outside)
    assert bundle.run("true").code != 0
    assert list(outside.iterdir()) == []


@pytest.mark.usefixtures("own_runtime")
def test_a_planted_console_is_not_followed(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2025-52565: the terminal bound over what a link at /dev/console points to."""
    from ..test_terminal import ConsoleSocket

    victim = bundle.rootfs / "victim"
    victim.write_text("untouched")
    (bundle.rootfs / "dev/pts").mkdir()
    (bundle.rootfs / "dev/console").symlink_to("/victim")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev"]
    bundle.process.update(terminal=True, args=["cat", "/victim"])
    bundle.write_config()
    console = ConsoleSocket(tmp_path / "console")
    result = bundle.call("create", "--bundle", str(bundle.path), "--console-socket", str(console.path), bundle.id)
    assert result.code != 0
    assert victim.read_text() == "untouched"


def test_the_release_agent_cannot_be_written(bundle: Bundle) -> None:
    """CVE-2022-0492."""
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")
    files = "/sys/fs/cgroup/release_agent /sys/fs/cgroup/*/release_agent"
    script = f"for f in {files}; do echo x 2>/dev/null > $f && echo $f; done; true"
    assert bundle.sh(script) == ""


def test_no_secret_of_the_caller_is_in_the_container(bundle: Bundle) -> None:
    os.environ["CALLERS_SECRET"] = "hidden-value"
    try:
        out = bundle.sh("tr '\\0' '\\n' < /proc/1/environ; tr '\\0' ' ' < /proc/1/cmdline")
    finally:
        del os.environ["CALLERS_SECRET"]
    assert "hidden-value" not in out
