"""The real docker client against this server."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest

from tests.api.client import Api
from tests.support.pty_program import PtyProgram

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker client"),
]


def test_run_gives_output_streams_and_the_exit_code(api: Api) -> None:
    done = api.docker("run", "--rm", "toolbox", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
    assert api.docker_ok("ps", "-aq") == ""


def test_run_with_input_that_ends(api: Api) -> None:
    assert api.docker_ok("run", "--rm", "-i", "toolbox", "wc", "-c", input="x" * 300_000).strip() == "300000"


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/etc", 126)])
def test_run_of_no_program_has_dockers_exit_codes(api: Api, program: str, code: int) -> None:
    assert api.docker("run", "--rm", "toolbox", program).returncode == code
    assert api.docker_ok("ps", "-aq") == ""


def test_all_output_of_a_fast_program_arrives(api: Api) -> None:
    lines = api.docker_ok("run", "--rm", "toolbox", "seq", "1", "50000").splitlines()
    assert (len(lines), lines[-1]) == (50_000, "50000")


def test_a_terminal_through_a_pty_detach_attach_exec(api: Api) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{api.path}", "DOCKER_CONFIG": "/nonexistent", "TERM": "xterm"}

    def terminal(*words: str) -> PtyProgram:
        return PtyProgram(["docker", *words], environment, rows=33, columns=99)

    with terminal("run", "-it", "--name", "tty", "toolbox", "sh") as run:
        run.type("stty size\n")
        run.expect("33 99")
        run.type("\x10\x11")
        assert run.wait() == 0
    assert api.docker_ok("inspect", "-f", "{{.State.Status}}", "tty") == "running"
    with terminal("exec", "-it", "tty", "sh") as shell:
        shell.type("echo $((6*7)); exit 9\n")
        shell.expect("42")
        assert shell.wait() == 9
    with terminal("attach", "tty") as attached:
        attached.type("echo $((7*7)); exit 4\n")
        attached.expect("49")
        assert attached.wait() == 4


def test_a_container_from_birth_to_removal(api: Api) -> None:
    identifier = api.docker_ok(
        *("run", "-d", "--name", "web", "-p", "127.0.0.1::80", "-v", "cli-data:/data", "-e", "A=b", "--label", "x=y"),
        *("-m", "64m", "--cpus", "0.5", "--restart", "on-failure:2"),
        *("toolbox", "sh", "-c", "while :; do echo tick; sleep 0.2; done"),
    )
    assert api.docker_ok("ps", "-q", "--no-trunc") == identifier
    assert api.docker_ok("port", "web").startswith("80/tcp -> 127.0.0.1:")
    assert (
        api.docker_ok("inspect", "-f", '{{.HostConfig.Memory}} {{index .Config.Labels "x"}}', "web") == f"{64 << 20} y"
    )
    assert api.docker_ok("exec", "web", "sh", "-c", "echo $A") == "b"
    assert api.docker_ok("exec", "-i", "web", "cat", input="typed") == "typed"
    assert api.docker("exec", "web", "no-such-program").returncode == 127
    assert api.docker("exec", "web", "sh", "-c", "exit 5").returncode == 5
    assert "while :" in api.docker_ok("top", "web")
    assert "web" in api.docker_ok("stats", "--no-stream")
    api.docker_ok("pause", "web")
    assert "(Paused)" in api.docker_ok("ps")
    api.docker_ok("unpause", "web")
    api.docker_ok("rename", "web", "web2")
    api.docker_ok("restart", "-t", "0", "web2")
    api.docker_ok("stop", "-t", "0", "web2")
    assert api.docker_ok("wait", "web2") == "137"
    assert "tick" in api.docker_ok("logs", "--tail", "2", "web2")
    api.docker_ok("start", "web2")
    refused = api.docker("rm", "web2")
    assert refused.returncode == 1
    api.docker_ok("rm", "-f", "web2")
    assert "No such container: web2" in api.docker("inspect", "--type", "container", "web2").stderr
    api.docker_ok("volume", "rm", "cli-data")


def test_start_attached_and_logs_followed_to_the_end(api: Api) -> None:
    api.docker_ok("create", "--name", "later", "toolbox", "sh", "-c", "echo begin; sleep 0.5; echo end; exit 3")
    done = api.docker("start", "-a", "later")
    assert (done.stdout, done.returncode) == ("begin\nend\n", 3)
    api.docker_ok("start", "later")
    assert api.docker_ok("logs", "-f", "later").splitlines() == ["begin", "end"] * 2


def test_images(api: Api) -> None:
    assert "toolbox" in api.docker_ok("images")
    api.docker_ok("tag", "toolbox", "mine:1")
    assert api.docker_ok("images", "--format", "{{.Repository}}:{{.Tag}}", "mine") == "mine:1"
    assert api.docker_ok("image", "inspect", "-f", "{{.Os}}", "mine:1") == "linux"
    assert "toolbox" in api.docker_ok("history", "mine:1")
    assert api.docker_ok("rmi", "mine:1") == "Untagged: mine:1"
    assert "No such image" in api.docker("rmi", "mine:1").stderr
    assert api.docker_ok("image", "prune", "-f").endswith("0B")


def test_networks_and_volumes(api: Api) -> None:
    api.docker_ok("network", "create", "--label", "a=b", "cli-net")
    api.docker_ok(
        "run", "-d", "--name", "here", "--network", "cli-net", "--network-alias", "www", "toolbox", "sleep", "100"
    )
    api.docker_ok("run", "-d", "--name", "there", "toolbox", "sleep", "100")
    api.docker_ok("network", "connect", "cli-net", "there")
    assert api.docker_ok("exec", "there", "getent", "hosts", "www").split()[1].startswith("www")
    names = api.docker_ok("network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{end}}", "cli-net").split()
    assert sorted(names) == ["here", "there"]
    assert "has active endpoints" in api.docker("network", "rm", "cli-net").stderr
    api.docker_ok("network", "disconnect", "cli-net", "there")
    api.docker_ok("rm", "-f", "here", "there")
    assert api.docker_ok("network", "ls", "-q", "--filter", "label=a=b")
    api.docker_ok("network", "rm", "cli-net")
    assert api.docker_ok("volume", "create", "--label", "k=v", "cli-vol") == "cli-vol"
    assert api.docker_ok("volume", "ls", "-q", "--filter", "label=k=v") == "cli-vol"
    assert api.docker_ok("volume", "inspect", "-f", "{{.Driver}}", "cli-vol") == "local"
    api.docker_ok("volume", "rm", "cli-vol")
    assert "no such volume" in api.docker("volume", "inspect", "cli-vol").stderr.lower()


def test_events_info_version_and_disk_usage(api: Api) -> None:
    assert api.docker("run", "--name", "seen", "toolbox", "sh", "-c", "exit 6").returncode == 6
    told = api.docker_ok(
        *("events", "--since", "1m", "--until", f"{time.time():.9f}", "--filter", "container=seen"),
        *("--format", "{{.Action}} {{.Actor.Attributes.exitCode}}"),
    ).splitlines()
    assert [line.split()[0] for line in told] == ["create", "attach", "start", "die"]
    assert told[-1] == "die 6"
    assert api.docker_ok("version", "-f", "{{.Server.APIVersion}}") == "1.47"
    assert api.docker_ok("info", "-f", "{{.Containers}} {{.Driver}}") == "1 overlay"
    assert "Local Volumes" in api.docker_ok("system", "df")


def test_what_is_not_there_is_refused_in_words(api: Api) -> None:
    assert "not a swarm manager" in api.docker("node", "ls").stderr
    assert "building images is not implemented" in api.docker("build", "-", input="FROM toolbox\n").stderr
    assert "not implemented" in api.docker("search", "x").stderr


def test_many_clients_at_once(api: Api) -> None:
    environment = {**api.root.environment, "DOCKER_HOST": f"unix://{api.path}"}
    command = ["docker", "run", "--rm", "--network", "none", "toolbox", "echo"]
    running = [
        subprocess.Popen([*command, str(number)], env=environment, stdout=subprocess.PIPE, text=True)
        for number in range(8)
    ]
    answers = [process.communicate(timeout=60)[0] for process in running]
    assert answers == [f"{number}\n" for number in range(8)]
