"""config.md, "Process": what the container's program is given and what it is not."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from .bundle import CAPABILITIES

if TYPE_CHECKING:
    from .bundle import Bundle

pytestmark = pytest.mark.root


def test_environment_is_the_configs_alone(bundle: Bundle) -> None:
    bundle.process["env"] = ["PATH=/bin", "ONLY=this", "WITH=equals=inside"]
    lines = set(bundle.run("env").out.splitlines())
    assert {"ONLY=this", "WITH=equals=inside", "PATH=/bin"} <= lines
    assert lines - {"ONLY=this", "WITH=equals=inside", "PATH=/bin"} <= {"HOME=/root", "SHLVL=1", "PWD=/"}


def test_arguments_are_passed_as_they_are(bundle: Bundle) -> None:
    assert bundle.run("printf", "%s|", "two words", "", "ünï", "$HOME", "*").out == "two words||ünï|$HOME|*|"


def test_cwd(bundle: Bundle) -> None:
    bundle.process["cwd"] = "/tmp"
    assert bundle.run("pwd").out == "/tmp\n"


def test_a_missing_cwd_is_made(bundle: Bundle) -> None:
    bundle.process["cwd"] = "/new/dir"
    assert bundle.run("pwd").out == "/new/dir\n"


def test_user_and_groups(bundle: Bundle) -> None:
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6]}
    out = bundle.run("id").out
    assert "uid=1000" in out
    assert "gid=1001" in out
    assert out.split("groups=")[1].strip().replace("(user)", "") in ("5,6", "1001,5,6")


def test_umask(bundle: Bundle) -> None:
    bundle.process["user"]["umask"] = 0o077
    assert bundle.sh("umask").strip() == "0077"


def test_capabilities_are_those_of_the_config(bundle: Bundle) -> None:
    bundle.process["capabilities"] = {
        "bounding": ["CAP_KILL", "CAP_CHOWN"],
        "permitted": ["CAP_KILL", "CAP_CHOWN"],
        "effective": ["CAP_KILL"],
    }
    status = dict(line.split(":\t") for line in bundle.sh("grep Cap /proc/self/status").splitlines())
    # Root's execve gains all that is permitted and bounded.
    assert int(status["CapBnd"], 16) == (1 << 5) | 1
    assert int(status["CapPrm"], 16) == (1 << 5) | 1
    assert int(status["CapInh"], 16) == 0
    assert int(status["CapAmb"], 16) == 0


def test_no_capabilities_means_none(bundle: Bundle) -> None:
    del bundle.process["capabilities"]
    status = dict(line.split(":\t") for line in bundle.sh("grep Cap /proc/self/status").splitlines())
    assert {int(value, 16) for value in status.values()} == {0}


def test_ambient_capabilities_reach_a_user(bundle: Bundle) -> None:
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {
        key: ["CAP_NET_BIND_SERVICE"] for key in ("bounding", "permitted", "effective", "inheritable", "ambient")
    }
    status = dict(line.split(":\t") for line in bundle.sh("grep Cap /proc/self/status").splitlines())
    assert int(status["CapEff"], 16) == 1 << 10
    assert int(status["CapAmb"], 16) == 1 << 10


def test_a_user_without_ambient_has_no_capabilities(bundle: Bundle) -> None:
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert "CapEff:\t0000000000000000" in bundle.sh("grep CapEff /proc/self/status")
    assert len(CAPABILITIES) == 14


@pytest.mark.parametrize("wanted", [True, False])
def test_no_new_privileges(bundle: Bundle, wanted: bool) -> None:
    bundle.process["noNewPrivileges"] = wanted
    assert bundle.sh("grep NoNewPrivs /proc/self/status").split()[1] == str(int(wanted))


def test_rlimits(bundle: Bundle) -> None:
    bundle.process["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 123, "hard": 234},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]
    out = bundle.sh("grep -E 'open files|core file' /proc/self/limits")
    assert out.split("Max open files")[1].split()[:2] == ["123", "234"]


def test_oom_score(bundle: Bundle) -> None:
    bundle.process["oomScoreAdj"] = 321
    assert bundle.sh("cat /proc/self/oom_score_adj") == "321\n"


def test_signals_have_their_defaults(bundle: Bundle) -> None:
    """What the caller, or Python, ignores or blocks must not be ignored or blocked in the container."""
    bundle.process["args"] = ["grep", "Sig[IB]", "/proc/self/status"]
    bundle.write_config()

    def ignore() -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        ignored = ctypes.create_string_buffer(struct.pack("@PLPQ", 1, 0, 0, 0))
        ctypes.CDLL(None).syscall(13 if os.uname().machine == "x86_64" else 134, 32, ignored, None, 8)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    out = bundle.call("run", "--bundle", str(bundle.path), bundle.id, preexec_fn=ignore).out
    assert [line.split()[1] for line in out.splitlines()] == ["0" * 16] * 2


def test_only_standard_descriptors_are_open(bundle: Bundle) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        bundle.process["args"] = ["ls", "/proc/self/fd"]
        bundle.write_config()
        done = subprocess.run(
            bundle.command("run", "--bundle", str(bundle.path), bundle.id),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            pass_fds=(writer,),
            check=True,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
    finally:
        os.close(reader)
        os.close(writer)
    # 3 is ls's own, the directory it lists.
    assert done.stdout.split() == ["0", "1", "2", "3"]


def test_preserved_descriptors_are_open(bundle: Bundle, tmp_path: os.PathLike[str]) -> None:
    bundle.process["args"] = ["sh", "-c", "cat <&3; cat <&4"]
    bundle.write_config()
    for name in ("one", "two"):
        with open(os.path.join(tmp_path, name), "w") as file:
            file.write(name)
    command = " ".join(bundle.command("run", "--preserve-fds", "2", "--bundle", str(bundle.path), bundle.id))
    done = subprocess.run(
        ["sh", "-c", f"exec 3<{tmp_path}/one 4<{tmp_path}/two; exec {command}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.stdout == "onetwo", done.stderr


def test_init_is_process_one_in_its_own_session(bundle: Bundle) -> None:
    fields = bundle.sh("cat /proc/1/stat").split()
    assert fields[0] == "1"
    assert fields[4:6] == ["1", "1"]


def test_a_program_is_found_in_the_containers_path(bundle: Bundle) -> None:
    (bundle.rootfs / "opt").mkdir()
    (bundle.rootfs / "opt/tool").symlink_to("/bin/busybox")
    (bundle.rootfs / "opt/hello").write_text("#!/bin/sh\necho hello\n")
    (bundle.rootfs / "opt/hello").chmod(0o755)
    bundle.process["env"] = ["PATH=/nowhere:/opt"]
    assert bundle.run("hello").out == "hello\n"


@pytest.mark.parametrize("program", ["/nosuch", "nosuch", "/etc/passwd", "/bin"])
def test_what_cannot_be_executed_is_an_error(bundle: Bundle, program: str) -> None:
    result = bundle.run(program)
    assert result.code != 0
    assert program in result.err
    assert "Traceback" not in result.err
    assert bundle.call("state", bundle.id).code != 0


def test_a_scheduler_and_io_priority(bundle: Bundle) -> None:
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    fields = bundle.run("cat", "/proc/self/stat")
    if fields.code != 0 or fields.out.split()[40] != "3":
        pytest.skip("this runtime does not know process.scheduler")
    assert fields.out.split()[18] == "5"


def test_personality_is_32_bit(bundle: Bundle) -> None:
    bundle.linux["personality"] = {"domain": "LINUX32"}
    # PER_LINUX32
    assert bundle.sh("cat /proc/self/personality").strip() == "00000008"


def test_a_null_device_among_the_streams_is_the_containers(bundle: Bundle) -> None:
    """Not the host's, which lies on a mount that the container does not have."""
    script = "stat -L -c %d /proc/self/fd/0 /dev/null >&2"
    bundle.process["args"] = ["sh", "-c", script]
    bundle.write_config()
    words = bundle.command("run", "--bundle", str(bundle.path), bundle.id)
    null = subprocess.DEVNULL
    done = subprocess.run(words, stdin=null, stdout=null, stderr=subprocess.PIPE, text=True, check=True, timeout=60)
    assert len(set(done.stderr.split())) == 1
    bundle.start_running()
    words = bundle.command("exec", bundle.id, "sh", "-c", script)
    done = subprocess.run(words, stdin=null, stdout=null, stderr=subprocess.PIPE, text=True, check=True, timeout=60)
    assert len(set(done.stderr.split())) == 1
