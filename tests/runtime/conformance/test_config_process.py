"""config.md: process, its user, limits, capabilities and scheduling."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .spec import create, must, on_v2, refused, shared_directory, status_of

if TYPE_CHECKING:
    from tests.runtime.bundle import Bundle

pytestmark = pytest.mark.root


@must("config.md#process", "with terminal unset the program has no terminal")
def test_no_terminal(bundle: Bundle) -> None:
    assert bundle.sh("tty || true") == "not a tty\n"


@must("config.md#process", "consoleSize is ignored without a terminal")
def test_console_size_without_a_terminal(bundle: Bundle) -> None:
    bundle.process["consoleSize"] = {"height": 10, "width": 20}
    assert bundle.run("true").code == 0


@must("config.md#process", "cwd is the program's working directory, made where it is missing")
def test_cwd(bundle: Bundle) -> None:
    bundle.process["cwd"] = "/some/where"
    assert bundle.sh("pwd") == "/some/where\n"


@must("config.md#process", "cwd is required and absolute")
@pytest.mark.parametrize("cwd", [None, "tmp", ""])
def test_cwd_is_absolute(bundle: Bundle, cwd: str | None) -> None:
    if cwd is None:
        del bundle.process["cwd"]
    else:
        bundle.process["cwd"] = cwd
    refused(bundle, "process.cwd")


@must("config.md#process", "env is the program's environment")
def test_env(bundle: Bundle) -> None:
    bundle.process["env"] = ["PATH=/bin", "A=1", "EMPTY=", "WITH=a=b c"]
    assert {"A=1", "EMPTY=", "WITH=a=b c"} <= set(bundle.run("env").out.splitlines())


@must("config.md#process", "nothing of the runtime's environment is in the program's")
def test_env_is_not_the_runtimes(bundle: Bundle) -> None:
    os.environ["FROM_THE_CALLER"] = "1"
    try:
        assert "FROM_THE_CALLER" not in bundle.run("env").out
    finally:
        del os.environ["FROM_THE_CALLER"]


@must("config.md#process", "args has at least one entry")
@pytest.mark.parametrize("args", [None, []])
def test_args_are_required(bundle: Bundle, args: list[str] | None) -> None:
    if args is None:
        del bundle.process["args"]
    else:
        bundle.process["args"] = args
    if create(bundle).code == 0:
        assert bundle.call("start", bundle.id).code != 0


@must("config.md#process", "args are the program's own, unchanged")
def test_args(bundle: Bundle) -> None:
    assert bundle.run("printf", "%s|", "a b", "", "*", "é").out == "a b||*|é|"


@must("config.md#process", "the program is searched for as by execvp: along PATH unless there is a slash")
@pytest.mark.parametrize(("program", "found"), [("true", True), ("/bin/true", True), ("sbin/only", False)])
def test_the_program_is_searched_along_path(bundle: Bundle, program: str, found: bool) -> None:
    (bundle.rootfs / "opt/sbin").mkdir(parents=True)
    (bundle.rootfs / "opt/sbin/only").symlink_to("/bin/busybox")
    bundle.process["env"] = ["PATH=/opt:/bin"]
    assert (bundle.run(program).code == 0) is found


@must("config.md#process", "a program that does not exist is an error")
def test_a_missing_program(bundle: Bundle) -> None:
    result = bundle.run("/no/such/program")
    assert result.code != 0
    assert bundle.call("state", bundle.id).code != 0


@must("config.md#posix-process", "getrlimit gives the soft and hard limit of the config")
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("RLIMIT_CORE", "Max core file size"),
        ("RLIMIT_CPU", "Max cpu time"),
        ("RLIMIT_DATA", "Max data size"),
        ("RLIMIT_FSIZE", "Max file size"),
        ("RLIMIT_MSGQUEUE", "Max msgqueue size"),
        ("RLIMIT_NOFILE", "Max open files"),
        ("RLIMIT_STACK", "Max stack size"),
        ("RLIMIT_SIGPENDING", "Max pending signals"),
    ],
)
def test_rlimits(bundle: Bundle, name: str, line: str) -> None:
    soft, hard = (600, 700) if name in ("RLIMIT_NOFILE", "RLIMIT_CPU", "RLIMIT_SIGPENDING") else (400_000, 500_000)
    if name in ("RLIMIT_DATA", "RLIMIT_STACK"):
        soft, hard = 4_000_000, 5_000_000
    bundle.process["rlimits"] = [{"type": name, "soft": soft, "hard": hard}]
    found = [text for text in bundle.sh("cat /proc/self/limits").splitlines() if text.startswith(line)]
    assert found[0].removeprefix(line).split()[:2] == [str(soft), str(hard)]


@must("config.md#posix-process", "a limit that the kernel does not know is an error")
def test_an_unknown_rlimit(bundle: Bundle) -> None:
    bundle.process["rlimits"] = [{"type": "RLIMIT_NONE", "soft": 1, "hard": 1}]
    refused(bundle, "process.rlimits[0].type")


@must("config.md#posix-process", "a limit that is listed twice is an error")
def test_an_rlimit_listed_twice(bundle: Bundle) -> None:
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": size, "hard": size} for size in (64, 128)]
    refused(bundle, "process.rlimits[1].type")


SETS = {
    "bounding": "CapBnd",
    "effective": "CapEff",
    "permitted": "CapPrm",
    "inheritable": "CapInh",
    "ambient": "CapAmb",
}
KILL, CHOWN = 1 << 5, 1 << 0


@must("config.md#linux-process", "each of the five capability sets is that of the config")
@pytest.mark.parametrize("name", [*SETS, "none"])
def test_capability_sets(bundle: Bundle, name: str) -> None:
    wanted: dict[str, list[str]] = {key: [] for key in SETS}
    needed = {"effective": ("permitted",), "ambient": ("permitted", "inheritable")}.get(name, ())
    for key in (name, *needed, "bounding") if name != "none" else ():
        wanted[key] = ["CAP_KILL"]
    bundle.process["capabilities"] = wanted
    # as another user: for root execve fills the sets again
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    status = bundle.run("cat", "/proc/self/status").out
    found = {line.split()[0].rstrip(":"): int(line.split()[1], 16) for line in status.splitlines() if "Cap" in line}
    # what an execve by a user that is not root leaves: ambient alone gives permitted and effective
    ambient = KILL if name == "ambient" else 0
    assert found["CapBnd"] == (KILL if name != "none" else 0)
    assert found["CapInh"] == (KILL if name in ("inheritable", "ambient") else 0)
    assert found["CapAmb"] == found["CapPrm"] == found["CapEff"] == ambient


@must("config.md#linux-process", "root has the sets of the config")
def test_capabilities_of_root(bundle: Bundle) -> None:
    bundle.process["capabilities"] = {key: ["CAP_KILL", "CAP_CHOWN"] for key in ("bounding", "effective", "permitted")}
    status = bundle.run("cat", "/proc/self/status").out
    found = {line.split()[0].rstrip(":"): int(line.split()[1], 16) for line in status.splitlines() if "Cap" in line}
    assert found["CapBnd"] == found["CapEff"] == found["CapPrm"] == KILL | CHOWN
    assert found["CapInh"] == found["CapAmb"] == 0


@must("config.md#linux-process", "a capability that nobody knows is a warning, and the container runs")
def test_an_unknown_capability(bundle: Bundle, tmp_path: Path) -> None:
    bundle.process["capabilities"]["bounding"].append("CAP_OF_NOBODY")
    bundle.write_config()
    log = tmp_path / "log"
    result = bundle.call("--log", str(log), "run", "--bundle", str(bundle.path), bundle.id)
    assert result.code == 0, result
    assert "CAP_OF_NOBODY" in result.err + (log.read_text() if log.exists() else "")


@must("config.md#linux-process", "noNewPrivileges sets no_new_privs, and without it the flag is not set")
@pytest.mark.parametrize("wanted", [True, False])
def test_no_new_privileges(bundle: Bundle, wanted: bool) -> None:
    bundle.process["noNewPrivileges"] = wanted
    assert bundle.sh("grep NoNewPrivs /proc/self/status").split()[1] == str(int(wanted))


@must("config.md#linux-process", "oomScoreAdj is set")
def test_oom_score(bundle: Bundle) -> None:
    bundle.process["oomScoreAdj"] = 321
    assert bundle.run("cat", "/proc/self/oom_score_adj").out == "321\n"


@must("config.md#linux-process", "without oomScoreAdj the score is left as it is")
def test_oom_score_is_left_alone(bundle: Bundle) -> None:
    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    own.write_text("123")
    try:
        assert bundle.run("cat", "/proc/self/oom_score_adj").out == "123\n"
    finally:
        own.write_text(before)


@must("config.md#linux-process", "scheduler: policy, nice and priority")
@pytest.mark.parametrize(
    ("scheduler", "policy", "nice"),
    [
        ({"policy": "SCHED_OTHER", "nice": 7}, "0", "7"),
        ({"policy": "SCHED_BATCH", "nice": 3}, "3", "3"),
        ({"policy": "SCHED_IDLE"}, "5", ""),
    ],
)
def test_scheduler(bundle: Bundle, scheduler: dict[str, Any], policy: str, nice: str) -> None:
    bundle.process["scheduler"] = scheduler
    # /proc/PID/stat, fields 19 and 41
    fields = bundle.run("cat", "/proc/self/stat").out.rpartition(")")[2].split()
    assert fields[41 - 3] == policy
    # the idle policy has no use for it, and the kernel leaves it as it was
    assert nice in ("", fields[19 - 3])


@must("config.md#linux-process", "a scheduling policy or flag that nobody knows is an error")
@pytest.mark.parametrize(
    ("scheduler", "place"),
    [
        ({"policy": "SCHED_NONE"}, "process.scheduler.policy"),
        ({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NONE"]}, "process.scheduler.flags[0]"),
        ({}, "process.scheduler.policy"),
    ],
)
def test_an_unknown_scheduler(bundle: Bundle, scheduler: dict[str, Any], place: str) -> None:
    bundle.process["scheduler"] = scheduler
    refused(bundle, place if scheduler else "")


@must("config.md#linux-process", "ioPriority: class and priority")
@pytest.mark.parametrize(
    ("name", "priority", "shown"),
    [("IOPRIO_CLASS_BE", 6, "best-effort: prio 6"), ("IOPRIO_CLASS_IDLE", 0, "idle")],
)
def test_io_priority(bundle: Bundle, name: str, priority: int, shown: str) -> None:
    bundle.process["ioPriority"] = {"class": name, "priority": priority}
    assert bundle.run("/bin/busybox", "ionice").out.strip().startswith(shown)


@must("config.md#linux-process", "an unknown class of ioPriority is an error")
def test_an_unknown_io_priority(bundle: Bundle) -> None:
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_NOBODY", "priority": 1}
    refused(bundle, "process.ioPriority.class")


def one_cpu() -> str:
    return str(max(os.sched_getaffinity(0)))


@must("config.md#linux-process", "execCPUAffinity does not concern the container's init")
def test_exec_affinity_is_not_for_init(bundle: Bundle) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    bundle.process["execCPUAffinity"] = {"initial": one_cpu(), "final": one_cpu()}
    bundle.start_running()
    assert status_of(bundle.state()["pid"])["Cpus_allowed_list"] == status_of("self")["Cpus_allowed_list"]


@must("config.md#linux-process", "execCPUAffinity.final is where exec runs; with initial alone the kernel decides")
@pytest.mark.parametrize("key", ["final", "initial"])
def test_exec_affinity(bundle: Bundle, tmp_path: Path, key: str) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    bundle.start_running()
    process = {**bundle.process, "args": ["grep", "Cpus_allowed_list", "/proc/self/status"]}
    process["execCPUAffinity"] = {key: one_cpu()}
    (tmp_path / "process.json").write_text(json.dumps(process))
    result = bundle.exec("--process", str(tmp_path / "process.json"), bundle.id)
    assert result.code == 0, result
    # a process born in a cgroup of v2 gets all CPUs of that again from some kernels
    everywhere = {status_of("self")["Cpus_allowed_list"]} if key == "initial" and on_v2() else set()
    assert result.out.split()[1] in {one_cpu()} | everywhere


@must("config.md#linux-process", "an apparmorProfile that this host cannot apply is an error")
def test_apparmor_on_a_host_without_it(bundle: Bundle) -> None:
    if Path("/sys/kernel/security/apparmor").exists():
        pytest.skip("needs a host without AppArmor")
    bundle.process["apparmorProfile"] = "a-profile"
    refused(bundle, "process.apparmorProfile")


@must("config.md#linux-process", "a selinuxLabel that this host cannot apply is an error")
def test_selinux_on_a_host_without_it(bundle: Bundle) -> None:
    if Path("/sys/fs/selinux").exists():
        pytest.skip("needs a host without SELinux")
    bundle.process["selinuxLabel"] = "system_u:system_r:container_t:s0"
    refused(bundle, "process.selinuxLabel")


@must("config.md#posix-platform-user", "uid, gid and additionalGids are those of the program")
def test_user(bundle: Bundle) -> None:
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6]}
    status = bundle.run("cat", "/proc/self/status").out
    lines = {line.split()[0]: line.split()[1:] for line in status.splitlines() if line[:4] in ("Uid:", "Gid:", "Grou")}
    assert lines["Uid:"] == ["1000"] * 4
    assert lines["Gid:"] == ["1001"] * 4
    assert set(lines["Groups:"]) - {"1001"} == {"5", "6"}


@must("config.md#posix-platform-user", "umask is that of the program")
def test_umask(bundle: Bundle, tmp_path: Path) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.process["user"]["umask"] = 0o027
    bundle.sh(f"touch {directory}/file")
    assert (directory / "file").stat().st_mode & 0o777 == 0o640
