"""The commands on existing containers and images, with docker's output, streams and exit codes."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.engine.test_cli_run import one_line
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root

LOOP = "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done"


@pytest.fixture
def loop(pydock: EngineRoot) -> EngineRoot:
    """A running container "loop" that prints a line twenty times a second and ends on TERM."""
    pydock.ok("run", "-d", "--name", "loop", "-l", "role=test", "toolbox", "sh", "-c", LOOP)
    return pydock


def test_ps_columns(loop: EngineRoot) -> None:
    heading, row = loop.ok("ps").splitlines()
    assert re.split(r"\s{3,}", heading) == ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert re.match(r'[0-9a-f]{12}   toolbox   "sh -c .+…"   .+ ago   Up .+   loop$', row)


def test_ps_formats_and_filters(loop: EngineRoot) -> None:
    loop.ok("create", "--name", "new", "toolbox", "true")
    assert loop.ok("ps", "--format", "{{.Names}}\t{{.State}}") == "loop\trunning"
    assert loop.ok("ps", "-a", "--format", "table {{.Names}}\t{{.Image}}").splitlines()[0].split() == ["NAMES", "IMAGE"]
    assert json.loads(loop.ok("ps", "--format", "json"))["Names"] == "loop"
    for words, names in (
        (["-a"], ["new", "loop"]),
        (["-l"], ["new"]),
        (["-n", "1"], ["new"]),
        (["--filter", "status=created"], ["new"]),
        (["-a", "--filter", "name=lo"], ["loop"]),
        (["-a", "--filter", "label=role=test"], ["loop"]),
        (["-a", "--filter", "ancestor=toolbox"], ["new", "loop"]),
        (["-a", "--filter", "since=loop"], ["new"]),
        (["-a", "--filter", "before=new"], ["loop"]),
    ):
        assert loop.ok("ps", *words, "--format", "{{.Names}}").split() == names, words
    wrong = loop.pydock("ps", "--filter", "nmae=x")
    assert wrong.returncode == 1
    assert "did you mean name?" in wrong.stderr


def test_pause_stops_the_lines_and_unpause_lets_them_go_on(loop: EngineRoot) -> None:
    assert loop.ok("pause", "loop") == "loop"
    assert "(Paused)" in loop.ok("ps")
    before = loop.ok("logs", "loop")
    assert loop.pydock("exec", "loop", "true").returncode == 1
    assert loop.ok("logs", "loop") == before
    assert loop.ok("unpause", "loop") == "loop"
    wait_until("new lines", lambda: loop.ok("logs", "loop") != before)


def test_stop_start_restart(loop: EngineRoot) -> None:
    assert loop.ok("stop", "loop") == "loop"
    assert "Exited (0)" in loop.ok("ps", "-a")
    assert loop.ok("start", "loop") == "loop"
    first = loop.ok("inspect", "-f", "{{.State.Pid}}", "loop")
    assert loop.ok("restart", "-t", "5", "loop") == "loop"
    assert loop.ok("inspect", "-f", "{{.State.Pid}}", "loop") != first


def test_stop_kills_what_does_not_listen(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "deaf", "toolbox", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    assert pydock.ok("stop", "-t", "1", "deaf") == "deaf"
    assert "Exited (137)" in pydock.ok("ps", "-a")


def test_kill_with_a_signal_and_wait(loop: EngineRoot) -> None:
    waiting = loop.popen("wait", "loop")
    assert loop.ok("kill", "-s", "TERM", "loop") == "loop"
    output, _ = waiting.communicate(timeout=20)
    assert output == b"0\n"
    dead = loop.pydock("kill", "loop")
    assert dead.returncode == 1
    assert "is not running" in one_line(dead.stderr)


def test_rm(loop: EngineRoot) -> None:
    refused = loop.pydock("rm", "loop")
    assert refused.returncode == 1
    assert "loop" in one_line(refused.stderr)
    assert loop.ok("rm", "-f", "loop") == "loop"
    assert loop.ok("ps", "-aq") == ""


def test_several_objects_one_refused(loop: EngineRoot) -> None:
    done = loop.pydock("stop", "nosuch", "loop")
    assert done.returncode == 1
    assert done.stdout == "loop\n"
    assert "No such container: nosuch" in one_line(done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ["stop", "nosuch"],
        ["start", "nosuch"],
        ["exec", "nosuch", "true"],
        ["logs", "nosuch"],
        ["attach", "nosuch"],
        ["rm", "nosuch"],
        ["top", "nosuch"],
        ["port", "nosuch"],
        ["rename", "nosuch", "x"],
        ["wait", "nosuch"],
        ["stats", "--no-stream", "nosuch"],
        ["container", "inspect", "nosuch"],
        ["kill", "nosuch"],
    ],
    ids=lambda words: " ".join(words),
)
def test_no_such_container(pydock: EngineRoot, words: list[str]) -> None:
    done = pydock.pydock(*words)
    assert done.returncode == 1 if words[0] != "exec" else done.returncode != 0
    assert "No such container: nosuch" in done.stderr
    assert "Traceback" not in done.stderr


def test_rename(loop: EngineRoot) -> None:
    assert loop.ok("rename", "loop", "other") == ""
    assert loop.ok("ps", "--format", "{{.Names}}") == "other"


def test_exec(loop: EngineRoot) -> None:
    assert loop.ok("exec", "loop", "echo", "hi") == "hi"
    assert loop.ok("exec", "-i", "loop", "cat", input="text") == "text"
    assert loop.ok("exec", "-e", "A=b", "-w", "/tmp", "-u", "1000", "loop", "sh", "-c", "echo $A $(pwd) $(id -u)") == (
        "b /tmp 1000"
    )
    assert loop.pydock("exec", "loop", "sh", "-c", "exit 9").returncode == 9
    assert loop.pydock("exec", "loop", "/nosuch").returncode == 127
    assert loop.pydock("exec", "loop", "/etc/passwd").returncode == 126
    assert loop.ok("exec", "-d", "loop", "sh", "-c", "echo done >/tmp/done") == ""
    wait_until("the detached command", lambda: loop.pydock("exec", "loop", "cat", "/tmp/done").stdout == "done\n")


def test_interrupted_exec_takes_its_command_with_it(loop: EngineRoot) -> None:
    running = loop.popen("exec", "loop", "sh", "-c", "echo ready; exec sleep 4321")
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 130
    running.communicate()
    wait_until("the end of sleep", lambda: "sleep 4321" not in loop.ok("top", "loop"))


def test_logs(loop: EngineRoot) -> None:
    wait_until("some lines", lambda: len(loop.ok("logs", "loop").splitlines()) > 5)
    assert loop.ok("logs", "loop").splitlines()[0] == "line 1"
    assert len(loop.ok("logs", "--tail", "2", "loop").splitlines()) == 2
    stamped = loop.ok("logs", "-t", "--tail", "1", "loop")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line \d+$", stamped)
    assert loop.ok("logs", "--since", "1h", "loop").startswith("line 1\n")
    assert loop.ok("logs", "--until", "1h", "loop") == ""
    wrong = loop.pydock("logs", "--since", "tomorrow-ish", "loop")
    assert "--since" in one_line(wrong.stderr)


def test_followed_logs_end_with_the_container(loop: EngineRoot) -> None:
    following = loop.popen("logs", "-f", "--tail", "0", "loop")
    assert following.stdout is not None
    assert following.stdout.readline().startswith(b"line ")
    loop.ok("stop", "loop")
    rest = following.stdout.read()
    assert following.wait(20) == 0
    assert rest == b"" or rest.endswith(b"\n")
    assert following.communicate()[1] == b""


def test_followed_logs_end_with_ctrl_c(loop: EngineRoot) -> None:
    following = loop.popen("logs", "-f", "loop")
    assert following.stdout is not None
    following.stdout.readline()
    following.send_signal(signal.SIGINT)
    assert following.wait(20) == 130
    assert following.communicate()[1] == b""


def test_attach_without_a_terminal_shows_output_and_returns_the_code(loop: EngineRoot) -> None:
    attached = loop.popen("attach", "--no-stdin", "--sig-proxy=false", "loop")
    assert attached.stdout is not None
    assert attached.stdout.readline().startswith(b"line ")
    loop.ok("kill", "-s", "KILL", "loop")
    attached.communicate(timeout=20)
    assert attached.returncode == 137


def test_attach_to_what_does_not_run(pydock: EngineRoot) -> None:
    pydock.ok("create", "--name", "idle", "toolbox", "true")
    done = pydock.pydock("attach", "idle")
    assert done.returncode == 1
    assert "stopped container" in one_line(done.stderr)


def test_top_and_stats(loop: EngineRoot) -> None:
    heading, first = loop.ok("top", "loop").splitlines()[:2]
    assert heading.split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert "sh -c" in first
    wait_until("a sample", lambda: "iB / " in loop.ok("stats", "--no-stream"))
    row = json.loads(loop.ok("stats", "--no-stream", "--format", "json"))
    assert row["Name"] == "loop"
    assert int(row["PIDs"]) >= 1
    assert row["CPUPerc"].endswith("%")
    heading = loop.ok("stats", "--no-stream").splitlines()[0]
    assert re.split(r"\s{3,}", heading)[:4] == ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT"]


def test_inspect(loop: EngineRoot) -> None:
    document = json.loads(loop.ok("inspect", "loop"))[0]
    assert document["Name"] == "/loop"
    assert document["State"]["Status"] == "running"
    assert loop.ok("inspect", "-f", '{{.State.Pid}} {{index .Config.Labels "role"}}', "loop") == (
        f"{document['State']['Pid']} test"
    )
    address = loop.ok("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "loop")
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", address)
    assert json.loads(loop.ok("inspect", "toolbox"))[0]["RepoTags"] == ["toolbox:latest"]
    assert json.loads(loop.ok("network", "inspect", "bridge"))[0]["Driver"] == "bridge"
    missing = loop.pydock("inspect", "nosuch")
    assert missing.returncode == 1
    assert missing.stdout.strip() == "[]"
    assert "No such object: nosuch" in missing.stderr


def test_events_tell_the_life(pydock: EngineRoot) -> None:
    assert pydock.pydock("run", "--rm", "--name", "brief", "toolbox", "sh", "-c", "exit 2").returncode == 2
    text = pydock.ok("events", "--since", "1m", "--until", "0s", "--filter", "container=brief", "--format", "json")
    told = [json.loads(line) for line in text.splitlines()]
    actions = [event["Action"] for event in told]
    for action in ("create", "start", "die", "destroy"):
        assert action in actions
    assert actions.index("create") < actions.index("start") < actions.index("die") < actions.index("destroy")
    died = next(event for event in told if event["Action"] == "die")
    assert died["Actor"]["Attributes"]["exitCode"] == "2"


def test_events_arrive_as_they_happen(pydock: EngineRoot) -> None:
    watching = pydock.popen("events", "--filter", "event=start", "--format", "{{.Actor.Attributes.name}}")
    assert watching.stdout is not None
    # the stream tells from its beginning on; start until it has begun to listen
    names = iter(range(100))
    import select

    while not select.select([watching.stdout], [], [], 0.2)[0]:
        pydock.ok("run", "-d", "--name", f"seen{next(names)}", "toolbox", "true")
    assert watching.stdout.readline().startswith(b"seen")
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=20)
    assert watching.returncode == 130


def test_images_and_tags(pydock: EngineRoot) -> None:
    heading, *rows = pydock.ok("images").splitlines()
    assert re.split(r"\s{3,}", heading) == ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
    assert any(row.split()[:2] == ["toolbox", "latest"] for row in rows)
    pydock.ok("tag", "toolbox", "mine:v1")
    assert pydock.ok("images", "-q", "mine") == pydock.ok("images", "-q", "toolbox")
    assert "mine" in pydock.ok("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert pydock.ok("rmi", "mine:v1").splitlines() == ["Untagged: mine:v1"]
    assert pydock.ok("history", "toolbox").splitlines()[0].split()[0] == "IMAGE"
    missing = pydock.pydock("rmi", "nosuch")
    assert missing.returncode == 1
    assert "No such image: nosuch" in one_line(missing.stderr)


def test_an_image_in_use_is_kept(loop: EngineRoot) -> None:
    done = loop.pydock("rmi", "toolbox")
    assert done.returncode == 1
    assert "loop" in one_line(done.stderr)


def test_volumes_networks_info_df(pydock: EngineRoot) -> None:
    assert pydock.ok("volume", "create", "--label", "a=b", "box") == "box"
    assert pydock.ok("volume", "ls", "--filter", "label=a=b", "-q") == "box"
    assert json.loads(pydock.ok("volume", "inspect", "box"))[0]["Labels"] == {"a": "b"}
    assert pydock.ok("volume", "rm", "box") == "box"
    names = {line.split()[1] for line in pydock.ok("network", "ls").splitlines()[1:]}
    assert {"bridge", "host", "none"} <= names
    assert pydock.ok("info")
    assert pydock.ok("system", "df").splitlines()[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]


def test_groups_are_the_plain_commands(loop: EngineRoot) -> None:
    assert loop.ok("container", "ls", "-q") == loop.ok("ps", "-q")
    assert loop.ok("image", "ls", "-q") == loop.ok("images", "-q")
    assert loop.ok("container", "stop", "loop") == "loop"
    assert "Deleted Containers:" in loop.ok("container", "prune", "-f")


def test_unknown_commands_get_a_suggestion(pydock: EngineRoot) -> None:
    done = pydock.pydock("strat", "x")
    assert done.returncode == 1
    assert "did you mean pydock start?" in done.stderr
    assert pydock.pydock("container", "lss").returncode == 1
    assert pydock.pydock("ps", "--nosuch").returncode == 125


def test_check_passes_here(pydock: EngineRoot) -> None:
    done = pydock.pydock("check")
    assert done.returncode == 0
    for name in ("overlay", "cgroups", "nftables", "pidfd", "openat2", "mount namespaces"):
        assert name in done.stdout


def test_an_unexpected_error_is_one_line_with_a_log(pydock: EngineRoot) -> None:
    """The border, tried with a broken database module: the traceback goes to the log, not to the person."""
    import subprocess
    import sys

    code = (
        "import engine.cli.ps as ps, engine.cli.main as main\n"
        "def broken(*_): raise ZeroDivisionError('boom')\n"
        "ps.COMMANDS['ps'].handler = broken\n"
        "raise SystemExit(main.main(['ps']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=pydock.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 125
    assert "unexpected ZeroDivisionError: boom" in one_line(done.stderr)
    log = pydock.base / "state/pydock/pydock.log"
    assert "Traceback" in log.read_text()


def test_a_full_device_is_told(pydock: EngineRoot) -> None:
    with open("/dev/full", "wb") as full:
        running = pydock.popen("images", stdout=full)
        _, errors = running.communicate(timeout=20)
    assert running.returncode == 125
    assert b"no space left" in errors
    assert b"Traceback" not in errors


def test_explain_says_why_it_stopped(pydock: EngineRoot) -> None:
    """A lack of memory, a stop by name, and a program's own failure, each told from its record."""
    pydock.pydock("run", "--name", "hungry", "-m", "24m", "toolbox", "sh", "-c", "a=x; while :; do a=$a$a; done")
    hungry = pydock.ok("explain", "hungry")
    assert "ran out of memory" in hungry
    assert "limit of 24MiB" in hungry
    pydock.ok("run", "-d", "--name", "polite", "toolbox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    pydock.ok("stop", "polite")
    assert re.search(
        r"asked for at .* with SIGTERM, by .*stop polite \(pid \d+, user root\)", pydock.ok("explain", "polite")
    )
    pydock.pydock("run", "--name", "broken", "toolbox", "sh", "-c", "echo no config; exit 3")
    facts = json.loads(pydock.ok("explain", "--json", "broken"))[0]
    assert (facts["ExitCode"], facts["Signal"], facts["Log"]) == (3, "", ["no config\n"])


def test_mistyped_names_are_answered_with_those_that_were_meant(loop: EngineRoot) -> None:
    loop.ok("volume", "create", "database")
    for words, meant in (
        (["logs", "lopo"], "loop"),
        (["rm", "loop1"], "loop"),
        (["image", "inspect", "tolbox"], "toolbox"),
        (["run", "--pull", "never", "tooblox:latest"], "toolbox:latest"),
        (["volume", "inspect", "datbase"], "database"),
        (["network", "inspect", "brigde"], "bridge"),
        (["inspect", "databaes"], "database"),
    ):
        done = loop.pydock(*words)
        assert done.returncode, words
        assert f"did you mean {meant}?" in done.stderr, words
    loop.ok("volume", "rm", "database")


def test_system_prune_takes_what_nothing_uses_and_asks_first(loop: EngineRoot) -> None:
    loop.ok("create", "--name", "old", "-l", "keep=1", "toolbox", "true")
    asked = loop.pydock("system", "prune", input="n\n")
    assert asked.returncode == 1
    assert "- all stopped containers" in asked.stderr
    assert "Deleted" not in loop.ok("system", "prune", "-f", "--filter", "label!=keep")
    gone = loop.ok("system", "prune", "-f", "--filter", "label=keep=1")
    assert "Deleted Containers:" in gone
    assert "Total reclaimed space:" in gone
    assert loop.ok("ps", "-a", "--format", "{{.Names}}") == "loop"


def test_top_with_columns_of_ones_own(loop: EngineRoot) -> None:
    heading, *rows = loop.ok("top", "loop", "-o", "pid,comm").splitlines()
    assert heading.split() == ["PID", "COMMAND"]
    assert any(row.split()[1] == "sh" for row in rows)
    assert "pid" in loop.pydock("top", "loop", "-o", "comm").stderr
    assert any(row["CMD"].startswith("sh -c trap") for row in json.loads(loop.ok("top", "--json", "loop")))


def test_filters_that_only_docker_has_a_use_for(loop: EngineRoot) -> None:
    assert loop.ok("ps", "-q", "--filter", "is-task=true") == ""
    assert loop.ok("ps", "--filter", "is-task=false", "--format", "{{.Names}}") == "loop"
    assert loop.ok("images", "-q", "--filter", "until=1h") != ""
    assert loop.ok("images", "-q", "--filter", "until=2001-01-01") == ""
    told = loop.ok("events", "--since", "1h", "--until", "0s", "--filter", "container=loop", "--filter", "scope=local")
    assert "container start" in told
    assert loop.ok("events", "--since", "1h", "--until", "0s", "--filter", "scope=swarm") == ""
