"""The command line beside runc's own: the same bundle and the same words must give the same exit code, the same output
for programs to read, and the words of an error that callers look for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from .bundle import OWN, Bundle, Result, environment, fresh_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not OWN, reason="compares our runtime with runc"),
    pytest.mark.skipif(shutil.which("runc", path=f"{os.environ['PATH']}:/usr/sbin") is None, reason="needs runc"),
]
RUNC = shutil.which("runc", path=f"{os.environ['PATH']}:/usr/sbin") or "runc"


class Pair(NamedTuple):
    """The same container under both runtimes."""

    ours: Bundle
    theirs: Bundle

    def both(self, *words: str) -> tuple[Result, Result]:
        """The same command with each; `ID` stands for the container."""
        return call(self.ours, *words), call(self.theirs, *words)


class RuncBundle(Bundle):
    def command(self, *arguments: str) -> list[str]:
        return [RUNC, "--root", str(self.state_root), *arguments]


def call(bundle: Bundle, *words: str) -> Result:
    return bundle.call(*(bundle.id if word == "ID" else word for word in words), cwd=str(bundle.path))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two bundles alike, nothing created."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if shutil.which("busybox") is None:
        pytest.skip("needs a static busybox")
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    theirs = RuncBundle(tmp_path / "theirs")
    theirs.id += "-runc"
    theirs.linux["cgroupsPath"] += "-runc"
    with fresh_bundle(tmp_path / "ours") as ours:
        for made in (ours, theirs):
            made.config["annotations"] = {"org.example": "kept"}
            made.process["args"] = ["sleep", "1000"]
            made.write_config()
        try:
            yield Pair(ours, theirs)
        finally:
            theirs.clean()


@pytest.fixture
def running(pair: Pair) -> Pair:
    for bundle in pair:
        bundle.start_running()
    return pair


def same(pair: Pair, words: str) -> tuple[Result, Result]:
    """Both ended alike; what they said."""
    ours, theirs = pair.both(*words.split())
    assert ours.code == theirs.code, (words, ours, theirs)
    return ours, theirs


def test_of_a_container_that_is_not_there(pair: Pair) -> None:
    for words in ("state ID", "start ID", "delete ID", "kill ID", "pause ID", "resume ID", "exec ID true", "ps ID"):
        ours, theirs = same(pair, words)
        assert "does not exist" in ours.err
        assert "does not exist" in theirs.err
    same(pair, "delete --force ID")


def test_wrong_command_lines(pair: Pair) -> None:
    for words in (
        *("frobnicate", "state", "state ID x", "list x", "list --format xml", "ps --format xml ID", "kill", "exec ID"),
        *("kill ID TERM x", "start", "run", "create --nosuch ID", "--nosuch list", "update --memory much ID"),
        *("create --bundle /no/such ID", "events ID", "spec --bundle /no/such", "exec ID", "pause", "features --x"),
        "create a/b",
    ):
        ours, theirs = same(pair, words)
        assert ours.code != 0, words
        assert theirs.err
        assert len(ours.err.splitlines()) == 1, ours


def test_of_a_running_container(running: Pair) -> None:
    for words, expected in (
        ("start ID", ""),
        ("delete ID", ""),
        ("resume ID", ""),
        ("kill ID NOSUCH", ""),
        ("kill ID 99", ""),
        ("kill ID 0", None),
        ("kill ID 0 --all", None),
        ("create --bundle . ID", "exist"),
        ("exec ID nosuch", "executable file not found in $PATH"),
        ("exec ID /nosuch", "no such file or directory"),
        ("exec ID /etc", "permission denied"),
        ("exec ID /etc/passwd", "permission denied"),
        ("exec --cwd /nosuch ID true", "no such file or directory"),
        ("exec --user 1: ID true", ""),
        ("exec --pid-file /nosuch/file --detach ID sleep 1000", ""),
        ("exec ID false", ""),
        ("update --pids-limit 40 ID", None),
        ("update ID --pids-limit 50", None),
        ("pause ID", None),
        ("pause ID", ""),
        ("exec ID true", "cannot exec in a paused container"),
        ("resume ID", None),
        ("resume ID", ""),
    ):
        ours, theirs = same(running, words)
        if expected is None:
            assert ours.code == 0, words
            continue
        assert ours.code != 0, words
        assert expected in ours.err.lower() or expected in ours.err, (words, ours)
        assert expected in theirs.err.lower() or expected in theirs.err, (words, theirs)
    # the one whose pid file could not be written is not left behind
    assert json.loads(running.ours.ok("ps", "--format", "json", running.ours.id)) == [running.ours.state()["pid"]]


def test_of_a_stopped_container(running: Pair) -> None:
    for bundle in running:
        bundle.ok("kill", bundle.id, "KILL")
        bundle.wait_for("stopped")
    for words in ("kill ID", "start ID", "pause ID", "resume ID", "exec ID true"):
        ours, _theirs = same(running, words)
        assert ours.code != 0, words
    ours, theirs = same(running, "kill ID KILL")
    assert "container not running" in ours.err
    assert "container not running" in theirs.err
    ours, theirs = same(running, "state ID")
    assert json.loads(ours.out)["pid"] == json.loads(theirs.out)["pid"] == 0
    same(running, "delete ID")


def test_state_and_list(running: Pair) -> None:
    ours, theirs = same(running, "state ID")
    mine, its = json.loads(ours.out), json.loads(theirs.out)
    assert list(mine) == list(its)
    assert {key: type(value) for key, value in mine.items()} == {key: type(value) for key, value in its.items()}
    assert (mine["status"], mine["annotations"]) == ("running", its["annotations"])
    assert mine["ociVersion"].startswith("1.0.2")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", mine["created"])
    ours, theirs = same(running, "list --format json")
    assert list(json.loads(ours.out)[0]) == list(json.loads(theirs.out)[0])
    assert json.loads(ours.out)[0]["owner"] == json.loads(theirs.out)[0]["owner"] == "root"
    ours, theirs = same(running, "list")
    assert [line.split()[0] for line in (ours.out.splitlines()[0], theirs.out.splitlines()[0])] == ["ID", "ID"]
    assert ours.out.splitlines()[0].split() == theirs.out.splitlines()[0].split()


def test_an_empty_list(pair: Pair) -> None:
    for words in ("list", "list --quiet", "list --format json"):
        ours, theirs = same(pair, words)
        assert ours.out.strip() == theirs.out.strip()


def test_ps(running: Pair) -> None:
    ours, theirs = same(running, "ps ID")
    assert ours.out.splitlines()[0] == theirs.out.splitlines()[0]
    ours, theirs = same(running, "ps --format json ID")
    assert [len(json.loads(result.out)) for result in (ours, theirs)] == [1, 1]
    ours, theirs = same(running, "ps ID -o pid,comm")
    assert [line.split()[-1] for line in ours.out.splitlines()] == [
        line.split()[-1] for line in theirs.out.splitlines()
    ]


def test_events_stats(running: Pair) -> None:
    ours, theirs = same(running, "events --stats ID")
    mine, its = json.loads(ours.out), json.loads(theirs.out)
    assert (mine["type"], mine["id"]) == ("stats", running.ours.id)
    assert list(its) == list(mine)
    for group, field in (("pids", "current"), ("cpu", "usage"), ("memory", "usage"), ("memory", "raw")):
        assert field in mine["data"][group], group
        assert field in its["data"][group], group
    assert mine["data"]["pids"]["current"] == its["data"]["pids"]["current"] == 1


def test_exec_takes_over_the_last_of_a_variable(running: Pair) -> None:
    words = ("exec", "--env", "X=1", "--env", "PATH=/nosuch:/bin", "--env", "X=2", "ID", "/bin/env")
    ours, theirs = running.both(*words)
    for result in (ours, theirs):
        assert sorted(line for line in result.out.splitlines() if line[:5] in ("X=1", "X=2", "PATH=")) == [
            "PATH=/nosuch:/bin",
            "X=2",
        ]


def test_exec_with_a_user_keeps_the_group(pair: Pair) -> None:
    for bundle in pair:
        bundle.process["user"] = {"uid": 5, "gid": 7}
        bundle.start_running()
    ours, theirs = same(pair, "exec --user 1000 ID id")
    assert "uid=1000" in ours.out
    assert "gid=7" in ours.out
    assert "gid=7" in theirs.out


def test_run_ends_as_its_program(pair: Pair) -> None:
    for program in (
        ["sh", "-c", "exit 3"],
        ["sh", "-c", "kill -9 $$"],
        ["/nosuch"],
        ["nosuch"],
        ["/etc"],
        ["/etc/passwd"],
    ):
        for bundle in pair:
            bundle.process["args"] = program
            bundle.write_config()
        same(pair, "run ID")
        same(pair, "state ID")


def test_run_keeps_what_it_is_told_to(pair: Pair) -> None:
    for bundle in pair:
        bundle.process["args"] = ["true"]
        bundle.write_config()
    same(pair, "run --keep ID")
    ours, theirs = same(pair, "state ID")
    assert json.loads(ours.out)["status"] == json.loads(theirs.out)["status"] == "stopped"
    same(pair, "delete ID")


def test_a_pid_file_that_cannot_be_written_ends_the_container(pair: Pair) -> None:
    for words in ("run --pid-file /no/such ID", "create --pid-file /no/such ID", "run --detach --pid-file /no/such ID"):
        assert same(pair, words)[0].code == 1
        assert same(pair, "state ID")[0].code == 1


def test_version(pair: Pair) -> None:
    ours, theirs = same(pair, "--version")
    for result in (ours, theirs):
        lines = result.out.splitlines()
        assert lines[0].split()[1] == "version"
        assert any(line.startswith("spec: 1.") for line in lines)


def test_the_log_in_json(pair: Pair, tmp_path: Path) -> None:
    records = []
    for bundle, name in zip(pair, ("a.json", "b.json"), strict=True):
        bundle.call("--log", str(tmp_path / name), "--log-format", "json", "start", "absent")
        records.append(json.loads((tmp_path / name).read_text().splitlines()[-1]))
    assert sorted(records[0]) == sorted(records[1]) == ["level", "msg", "time"]
    assert records[0]["level"] == records[1]["level"] == "error"


@pytest.mark.parametrize("for_us", [True, False])
def test_preserved_descriptors_and_socket_activation(pair: Pair, for_us: bool) -> None:
    """LISTEN_FDS descriptors, then those of --preserve-fds, reach the program; LISTEN_PID must name the caller."""
    script = 'exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null; exec env LISTEN_FDS=1 LISTEN_PID=$PID "$@"'
    for bundle in pair:
        bundle.process["args"] = ["sh", "-c", "env; for n in 3 4 5 6; do [ -c /dev/fd/$n ] && echo open $n; done; true"]
        bundle.write_config()
        words = bundle.command("run", "--bundle", str(bundle.path), "--preserve-fds", "2", bundle.id)
        done = subprocess.run(
            ["sh", "-c", script.replace("$PID", "$$" if for_us else "1"), "sh", *words],
            env=environment(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )
        lines = done.stdout.splitlines()
        assert ("LISTEN_FDS=1" in lines) == for_us
        assert [line for line in lines if line.startswith("open")] == [f"open {n}" for n in (3, 4, 5)[: 2 + for_us]]
