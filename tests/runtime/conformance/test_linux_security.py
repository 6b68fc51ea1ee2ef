"""config-linux.md: seccomp, masked and read-only paths, propagation, sysctl, memory policy, personality, RDT."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .spec import cgroups_of, create, must, refused

if TYPE_CHECKING:
    from tests.runtime.bundle import Bundle

pytestmark = pytest.mark.root

EPERM = "Operation not permitted"
MKDIR = ["mkdir", "mkdirat"]


def with_filter(bundle: Bundle, *rules: dict[str, Any], default: str = "SCMP_ACT_ALLOW", **more: Any) -> None:
    bundle.linux["seccomp"] = {"defaultAction": default, "syscalls": list(rules), **more}


@must("config-linux.md#seccomp", "ERRNO makes the call fail, by default with EPERM")
def test_errno(bundle: Bundle) -> None:
    with_filter(bundle, {"names": MKDIR, "action": "SCMP_ACT_ERRNO"})
    assert EPERM in bundle.sh("mkdir /tmp/x 2>&1; true")


@must("config-linux.md#seccomp", "errnoRet is the number that the call fails with")
def test_errno_of_a_rule(bundle: Bundle) -> None:
    with_filter(bundle, {"names": MKDIR, "action": "SCMP_ACT_ERRNO", "errnoRet": 28})
    assert "No space left on device" in bundle.sh("mkdir /tmp/x 2>&1; true")


@must("config-linux.md#seccomp", "defaultErrnoRet is that of the default action")
def test_errno_of_the_default(bundle: Bundle) -> None:
    # what a shell and mkdir need to get so far, and not mkdir itself
    names = """access arch_prctl brk clone clone3 close dup dup2 dup3 execve exit exit_group faccessat faccessat2 fcntl
        fstat futex getcwd getegid geteuid getgid getpgrp getpid getppid getrandom gettid getuid ioctl lseek lstat mmap
        mprotect mremap munmap newfstatat open openat pipe pipe2 poll prctl pread64 prlimit64 read readlink
        restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn set_robust_list set_tid_address setgid setuid stat
        statx sysinfo umask uname vfork wait4 write writev capget capset setresuid setresgid setgroups chdir fchdir
        epoll_wait epoll_pwait epoll_ctl close_range nanosleep tgkill sigaltstack fstatfs getdents64 madvise sched_yield
        prlimit64 getrlimit setrlimit fchown sendmsg recvmsg socket connect"""
    allowed = {"names": names.split(), "action": "SCMP_ACT_ALLOW"}
    with_filter(bundle, allowed, default="SCMP_ACT_ERRNO", defaultErrnoRet=28)
    assert "No space left on device" in bundle.sh("mkdir /tmp/x 2>&1; true")


@must("config-linux.md#seccomp", "an error number for an action that has none is an error")
@pytest.mark.parametrize("where", ["default", "rule"])
def test_errno_for_an_action_without(bundle: Bundle, where: str) -> None:
    if where == "default":
        with_filter(bundle, defaultErrnoRet=28)
    else:
        with_filter(bundle, {"names": MKDIR, "action": "SCMP_ACT_ALLOW", "errnoRet": 28})
    refused(bundle, "linux.seccomp")


@must("config-linux.md#seccomp", "KILL, KILL_THREAD, KILL_PROCESS and TRAP end the program that calls")
@pytest.mark.parametrize("action", ["KILL", "KILL_THREAD", "KILL_PROCESS", "TRAP"])
def test_kill(bundle: Bundle, action: str) -> None:
    with_filter(bundle, {"names": MKDIR, "action": f"SCMP_ACT_{action}"})
    # 128 + SIGSYS, as a shell tells it
    assert bundle.sh("/bin/busybox mkdir /tmp/x; echo $?").split() == ["159"]


@must("config-linux.md#seccomp", "ALLOW, LOG and TRACE (without a tracer: ENOSYS)")
@pytest.mark.parametrize(("action", "works"), [("ALLOW", True), ("LOG", True), ("TRACE", False)])
def test_allow_log_and_trace(bundle: Bundle, action: str, works: bool) -> None:
    with_filter(bundle, {"names": MKDIR, "action": f"SCMP_ACT_{action}"})
    assert (bundle.run("mkdir", "/tmp/x").code == 0) is works


@must("config-linux.md#seccomp", "the operators compare an argument")
@pytest.mark.parametrize(
    ("op", "value", "second", "matches"),
    [
        ("EQ", 0o700, None, True),
        ("EQ", 0o701, None, False),
        ("NE", 0o701, None, True),
        ("NE", 0o700, None, False),
        ("LT", 0o701, None, True),
        ("LT", 0o700, None, False),
        ("LE", 0o700, None, True),
        ("GE", 0o700, None, True),
        ("GE", 0o701, None, False),
        ("GT", 0o677, None, True),
        ("GT", 0o700, None, False),
        ("MASKED_EQ", 0o777, 0o700, True),
        ("MASKED_EQ", 0o777, 0o600, False),
    ],
)
def test_operators(bundle: Bundle, op: str, value: int, second: int | None, matches: bool) -> None:
    condition: dict[str, Any] = {"index": 1, "value": value, "op": f"SCMP_CMP_{op}"}
    if second is not None:
        condition["valueTwo"] = second
    with_filter(bundle, {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "args": [condition]})
    assert (EPERM in bundle.sh("touch /tmp/x; chmod 0700 /tmp/x 2>&1; true")) is matches


@must("config-linux.md#seccomp", "all conditions of a rule must hold")
def test_all_conditions_hold(bundle: Bundle) -> None:
    conditions = [
        {"index": 1, "value": 0o700, "op": "SCMP_CMP_EQ"},
        {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"},
    ]
    with_filter(bundle, {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "args": conditions})
    assert bundle.sh("touch /tmp/x; chmod 0700 /tmp/x 2>&1") == ""


@must("config-linux.md#seccomp", "the flags of the filter")
@pytest.mark.parametrize("flag", ["TSYNC", "LOG", "SPEC_ALLOW"])
def test_flags(bundle: Bundle, flag: str) -> None:
    with_filter(bundle, {"names": MKDIR, "action": "SCMP_ACT_ERRNO"}, flags=[f"SECCOMP_FILTER_FLAG_{flag}"])
    assert EPERM in bundle.sh("mkdir /tmp/x 2>&1; true")


@must("config.md#valid-values", "an unknown action, operator, architecture or flag of seccomp is an error")
@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"defaultAction": "SCMP_ACT_NONE"}, "linux.seccomp.defaultAction"),
        ({"architectures": ["SCMP_ARCH_NONE"]}, "linux.seccomp.architectures[0]"),
        ({"flags": ["SECCOMP_FILTER_FLAG_NONE"]}, "linux.seccomp.flags[0]"),
        ({"syscalls": [{"names": MKDIR, "action": "SCMP_ACT_NONE"}]}, "linux.seccomp.syscalls[0].action"),
        (
            {
                "syscalls": [
                    {
                        "names": MKDIR,
                        "action": "SCMP_ACT_ERRNO",
                        "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_NONE"}],
                    }
                ]
            },
            "linux.seccomp.syscalls[0].args[0].op",
        ),
    ],
    ids=["action", "architecture", "flag", "rule action", "operator"],
)
def test_unknown_names(bundle: Bundle, change: dict[str, Any], place: str) -> None:
    with_filter(bundle, {"names": MKDIR, "action": "SCMP_ACT_ERRNO"})
    bundle.linux["seccomp"].update(change)
    refused(bundle, place)


@must("config-linux.md#seccomp", "a rule names at least one call")
def test_a_rule_without_names(bundle: Bundle) -> None:
    with_filter(bundle, {"names": [], "action": "SCMP_ACT_ERRNO"})
    refused(bundle, "linux.seccomp.syscalls[0].names")


class Agent:
    """Listens as a seccomp agent; `message` and `fds` are what one connection brought, until its end."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen()
        self._socket.settimeout(60)
        self.message: dict[str, Any] = {}
        self.fds: list[int] = []
        self.ended = False
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        connection, _address = self._socket.accept()
        connection.settimeout(60)
        data, self.fds, _flags, _address = socket.recv_fds(connection, 1 << 16, 4)
        while more := connection.recv(1 << 16):
            data += more
        self.ended = True
        self.message = json.loads(data)
        connection.close()

    def finish(self) -> None:
        self._thread.join(60)
        self._socket.close()


@must("config-linux.md#seccomp", "NOTIFY: one state and the descriptor go to listenerPath, and the connection ends")
def test_notify(bundle: Bundle, tmp_path: Path) -> None:
    agent = Agent(tmp_path / "agent")
    bundle.config["annotations"] = {"key": "value"}
    with_filter(
        bundle,
        {"names": MKDIR, "action": "SCMP_ACT_NOTIFY"},
        listenerPath=str(tmp_path / "agent"),
        listenerMetadata="some data",
    )
    bundle.start_running()
    agent.finish()
    assert agent.ended
    message = agent.message
    assert message["fds"] == ["seccompFd"]
    assert len(agent.fds) == 1
    assert "seccomp" in os.readlink(f"/proc/self/fd/{agent.fds[0]}")
    os.close(agent.fds[0])
    assert message["pid"] == bundle.state()["pid"]
    assert message["metadata"] == "some data"
    assert message["ociVersion"].startswith("1.")
    assert message["state"]["id"] == bundle.id
    assert message["state"]["annotations"] == {"key": "value"}


@must("config-linux.md#seccomp", "when nobody listens at listenerPath it is an error")
def test_notify_without_an_agent(bundle: Bundle, tmp_path: Path) -> None:
    with_filter(bundle, {"names": MKDIR, "action": "SCMP_ACT_NOTIFY"}, listenerPath=str(tmp_path / "nobody"))
    refused(bundle, "linux.seccomp.listenerPath")


@must("config-linux.md#seccomp", "without NOTIFY listenerPath is ignored")
def test_a_listener_without_notify(bundle: Bundle, tmp_path: Path) -> None:
    with_filter(bundle, {"names": MKDIR, "action": "SCMP_ACT_ERRNO"}, listenerPath=str(tmp_path / "nobody"))
    assert bundle.run("true").code == 0


@must("config-linux.md#seccomp", "listenerMetadata without listenerPath is an error")
def test_metadata_without_a_listener(bundle: Bundle) -> None:
    with_filter(bundle, {"names": MKDIR, "action": "SCMP_ACT_ERRNO"}, listenerMetadata="x")
    refused(bundle, "linux.seccomp.listenerMetadata")


@must("config-linux.md#masked-paths", "a masked file reads empty, a masked directory lists empty")
def test_masked_paths(bundle: Bundle) -> None:
    (bundle.rootfs / "opt/inner").mkdir(parents=True)
    (bundle.rootfs / "opt/inner/file").write_text("secret")
    (bundle.rootfs / "opt/file").write_text("secret")
    bundle.linux["maskedPaths"] = ["/opt/inner", "/opt/file", "/proc/version", "/no/such/path"]
    assert bundle.sh("cat /opt/file /proc/version; ls -A /opt/inner") == ""


@must("config-linux.md#masked-paths", "the paths are absolute")
@pytest.mark.parametrize("key", ["maskedPaths", "readonlyPaths"])
def test_relative_masked_paths(bundle: Bundle, key: str) -> None:
    (bundle.rootfs / "opt").mkdir()
    bundle.linux[key] = ["opt"]
    refused(bundle, f"linux.{key}[0]")


@must("config-linux.md#readonly-paths", "nothing can be written below a read-only path")
def test_read_only_paths(bundle: Bundle) -> None:
    (bundle.rootfs / "opt").mkdir()
    (bundle.rootfs / "opt/file").write_text("as it was")
    bundle.linux["readonlyPaths"] = ["/opt", "/proc/sys", "/no/such/path"]
    out = bundle.sh("(echo x > /opt/file) 2>&1; (touch /opt/new) 2>&1; (echo x > /proc/sys/kernel/hostname) 2>&1; true")
    assert out.count("Read-only file system") == 3
    assert (bundle.rootfs / "opt/file").read_text() == "as it was"


@must("config-linux.md#rootfs-mount-propagation", "the propagation of the root is that of the config")
@pytest.mark.parametrize(
    ("propagation", "words"),
    [("shared", {"shared"}), ("private", set()), ("unbindable", {"unbindable"})],
)
def test_rootfs_propagation(bundle: Bundle, propagation: str, words: set[str]) -> None:
    bundle.linux["rootfsPropagation"] = propagation
    for line in bundle.sh("cat /proc/self/mountinfo").splitlines():
        fields = line.partition(" - ")[0].split()
        if fields[4] == "/":
            found = {word.partition(":")[0] for word in fields[6:]}
            assert found & {"shared", "unbindable", "master"} == words


@must("config-linux.md#rootfs-mount-propagation", "slave: what the host mounts appears inside, and not the other way")
def test_rootfs_is_a_slave(bundle: Bundle) -> None:
    subprocess.run(["mount", "--bind", str(bundle.rootfs), str(bundle.rootfs)], check=True)
    try:
        subprocess.run(["mount", "--make-shared", str(bundle.rootfs)], check=True)
        (bundle.rootfs / "opt").mkdir()
        bundle.linux["rootfsPropagation"] = "slave"
        bundle.start_running()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(bundle.rootfs / "opt")], check=True)
        (bundle.rootfs / "opt/mark").write_text("x")
        assert bundle.exec(bundle.id, "cat", "/opt/mark").out == "x"
        bundle.clean()
    finally:
        subprocess.run(["umount", "-R", "-l", str(bundle.rootfs)], check=True)


@must("config-linux.md#sysctl", "the values are set for the container, and for it alone")
@pytest.mark.parametrize(
    ("key", "value"),
    [("net.ipv4.ip_forward", "1"), ("net.core.somaxconn", "77"), ("kernel.msgmax", "12345"), ("kernel/shmmni", "77")],
)
def test_sysctl(bundle: Bundle, key: str, value: str) -> None:
    path = f"/proc/sys/{key.replace('.', '/')}"
    before = Path(path).read_text()
    bundle.linux["sysctl"] = {key: value}
    assert bundle.run("cat", path).out == f"{value}\n"
    assert Path(path).read_text() == before


@must("config-linux.md#memory-policy", "the policy is that of the program's process")
@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "interleave=static:0"),
        ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"),
        ({"mode": "MPOL_LOCAL"}, "local"),
        ({"mode": "MPOL_DEFAULT"}, "default"),
    ],
    ids=lambda value: value["mode"] if isinstance(value, dict) else "",
)
def test_memory_policy(bundle: Bundle, policy: dict[str, Any], shown: str) -> None:
    if not Path("/proc/self/numa_maps").exists():
        pytest.skip("needs a kernel with memory policies (CONFIG_NUMA)")
    bundle.linux["memoryPolicy"] = policy
    assert bundle.run("cat", "/proc/self/numa_maps").out.split()[1] == shown


@must("config-linux.md#memory-policy", "an unknown mode or flag, and nodes where there may be none, are errors")
@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ({"mode": "MPOL_NONE"}, "linux.memoryPolicy.mode"),
        ({"mode": "MPOL_BIND"}, "linux.memoryPolicy.nodes"),
        ({"mode": "MPOL_LOCAL", "nodes": "0"}, "linux.memoryPolicy.nodes"),
        ({"mode": "MPOL_BIND", "nodes": "0-"}, "linux.memoryPolicy.nodes"),
        ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NONE"]}, "linux.memoryPolicy.flags[0]"),
    ],
)
def test_an_unknown_memory_policy(bundle: Bundle, policy: dict[str, Any], place: str) -> None:
    bundle.linux["memoryPolicy"] = policy
    refused(bundle, place)


@must("config-linux.md#personality", "LINUX32 is seen by uname")
@pytest.mark.parametrize(("domain", "persona"), [("LINUX", "00000000"), ("LINUX32", "00000008")])
def test_personality(bundle: Bundle, domain: str, persona: str) -> None:
    bundle.linux["personality"] = {"domain": domain}
    assert bundle.run("cat", "/proc/self/personality").out.strip() == persona


@must("config-linux.md#personality", "there are no flags")
def test_a_flag_of_personality(bundle: Bundle) -> None:
    bundle.linux["personality"] = {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}
    refused(bundle, "linux.personality.flags[0]")


@must("config-linux.md#mount-label", "a label that this host cannot apply is an error")
def test_a_mount_label_without_selinux(bundle: Bundle) -> None:
    if Path("/sys/fs/selinux").exists():
        pytest.skip("needs a host without SELinux")
    bundle.linux["mountLabel"] = "system_u:object_r:container_file_t:s0"
    refused(bundle, "linux.mountLabel")


@must("config-linux.md#intelrdt", "without a mounted resctrl, intelRdt is an error")
def test_rdt_without_resctrl(bundle: Bundle) -> None:
    if " - resctrl " in Path("/proc/self/mountinfo").read_text():
        pytest.skip("needs a host without resctrl")
    bundle.linux["intelRdt"] = {"closID": "a-class"}
    refused(bundle, "linux.intelRdt")


@must("runtime.md#create", "what cannot be applied leaves no container behind, whichever property it is")
@pytest.mark.parametrize("key", ["mountLabel", "intelRdt", "netDevices", "sysctl"])
def test_nothing_is_left(bundle: Bundle, key: str) -> None:
    values: dict[str, Any] = {
        "mountLabel": "a:b:c:d",
        "intelRdt": {"closID": "x"},
        "netDevices": {"nosuchdev0": {}},
        "sysctl": {"net.no.such.key": "1"},
    }
    bundle.linux[key] = values[key]
    assert create(bundle).code != 0
    assert bundle.call("state", bundle.id).code != 0
    assert cgroups_of(bundle.id) == []
