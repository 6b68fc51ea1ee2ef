"""Logs of real containers: drivers, rotation, and followers who miss nothing."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.containers.log_options import JOURNAL_SOCKET
from engine.errors import EngineError
from engine.models import CreateRequest, RestartPolicy
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from engine.engine import Engine
    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root


def _folder(pydock: EngineRoot, name: str) -> Path:
    return pydock.root / "containers" / pydock.ok("inspect", "-f", "{{.Id}}", name)


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_output_comes_back_stream_by_stream(pydock: EngineRoot, driver: str) -> None:
    script = "printf 'one\\n\\303\\244\\tb\\n'; echo two >&2; printf three"
    pydock.ok("run", "--name", "both", "--log-driver", driver, "toolbox", "sh", "-c", script)
    done = pydock.pydock("logs", "both")
    assert (done.stdout, done.stderr) == ("one\nä\tb\nthree", "two\n")
    (stamp, text), *_ = [line.split(" ", 1) for line in pydock.ok("logs", "-t", "-n", "1", "both").splitlines()]
    assert stamp.endswith("Z")
    assert text == "three"


def test_local_keeps_bytes_that_are_no_text(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "bytes", "--log-driver", "local", "toolbox", "printf", r"\377\001\n\200")
    pydock.ok("wait", "bytes")
    output, _ = pydock.popen("logs", "bytes").communicate(timeout=60)
    assert output == b"\xff\x01\n\x80"


def test_none_keeps_nothing_and_says_so(pydock: EngineRoot) -> None:
    assert pydock.ok("run", "--name", "mute", "--log-driver", "none", "toolbox", "echo", "seen") == "seen"
    done = pydock.pydock("logs", "mute")
    assert done.returncode == 1
    assert "does not support reading" in done.stderr
    assert not (_folder(pydock, "mute") / "log.json").exists()


@pytest.mark.skipif(os.path.exists(JOURNAL_SOCKET), reason="needs a host without a journal")
def test_a_journal_that_is_not_there_is_refused_at_once(pydock: EngineRoot) -> None:
    done = pydock.pydock("create", "--log-driver", "journald", "toolbox")
    assert done.returncode != 0
    assert "no journal on this host" in done.stderr


def test_details_show_what_the_options_pick(pydock: EngineRoot) -> None:
    pydock.ok(
        *("run", "--name", "told", "--label", "team=a b", "--label", "other=1", "-e", "STAGE=test"),
        *("--log-opt", "labels=team", "--log-opt", "env-regex=^STA", "--log-opt", "tag={{.Name}}"),
        *("toolbox", "echo", "hello"),
    )
    assert pydock.ok("logs", "--details", "told") == "STAGE=test,tag=told,team=a%20b hello"
    assert pydock.ok("logs", "told") == "hello"


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_rotation_is_exact_and_a_follower_sees_every_line(pydock: EngineRoot, driver: str) -> None:
    """Enough for some hundred files; what is kept is the end, without a gap, and no file is above its size."""
    lines = 60_000
    options = ("--log-driver", driver, "--log-opt", "max-size=40k", "--log-opt", "max-file=400")
    script = f"while ! test -e /go; do sleep 0.05; done; seq 1 {lines}"
    pydock.ok("run", "-d", "--name", "flood", *options, "toolbox", "sh", "-c", script)
    follower = pydock.popen("logs", "-f", "flood")
    pydock.ok("exec", "flood", "touch", "/go")
    output, _ = follower.communicate(timeout=120)
    assert output == b"".join(b"%d\n" % number for number in range(1, lines + 1))
    sizes = [path.stat().st_size for path in _folder(pydock, "flood").glob("log.json*") if path.suffix != ".gz"]
    assert max(sizes) <= 40 << 10
    assert pydock.ok("logs", "flood").split() == [str(number) for number in range(1, lines + 1)]


def test_only_so_many_files_are_kept(pydock: EngineRoot) -> None:
    options = ("--log-opt", "max-size=10k", "--log-opt", "max-file=3", "--log-opt", "compress=true")
    pydock.ok("run", "--name", "few", *options, "toolbox", "seq", "1", "20000")
    names = {
        path.name.removesuffix(".gz") for path in _folder(pydock, "few").glob("log.json*") if path.suffix != ".new"
    }
    assert names == {"log.json", "log.json.1", "log.json.2"}
    kept = [int(line) for line in pydock.ok("logs", "few").split()]
    assert kept == list(range(kept[0], 20_001))
    assert pydock.ok("logs", "-n", "250", "few").split() == [str(number) for number in range(19_751, 20_001)]


def test_a_follower_goes_on_through_restarts_by_policy_and_by_hand(engine: Engine, image: str) -> None:
    script = "echo begin; while ! test -e /again; do sleep 0.05; done; rm /again; echo end; exit 1"
    container = engine.containers.create(
        CreateRequest(
            image=image,
            command=("sh", "-c", script),
            network="none",
            restart=RestartPolicy(name="on-failure", maximum_retries=1),
        )
    )
    engine.containers.start(container.id)
    seen: list[str] = []
    reader = threading.Thread(
        target=lambda: seen.extend(line.text for line in engine.containers.logs(container.id, follow=True))
    )
    reader.start()
    try:
        first = engine.containers.get(container.id).pid
        Path(f"/proc/{first}/root/again").touch()
        wait_until("restarted by its policy", lambda: engine.containers.get(container.id).restart_count == 1)
        wait_until("told to begin again", lambda: seen.count("begin\n") == 2)
        engine.containers.restart(container.id, 0)
        wait_until("told to begin a third time", lambda: seen.count("begin\n") == 3)
        assert reader.is_alive()
    finally:
        engine.containers.remove(container.id, force=True)
    reader.join(30)
    assert not reader.is_alive()
    assert seen == ["begin\n", "end\n", "begin\n", "begin\n"]


def test_since_and_until_cut_out_a_time(engine: Engine, image: str) -> None:
    script = "for n in 1 2 3; do echo $n; while ! test -e /go$n; do sleep 0.05; done; done"
    container = engine.containers.create(CreateRequest(image=image, command=("sh", "-c", script), network="none"))
    engine.containers.start(container.id)
    follow = engine.containers.logs(container.id, follow=True)
    times = []
    for number in (1, 2, 3):
        line = next(follow)
        times.append(line.time_ns)
        Path(f"/proc/{engine.containers.get(container.id).pid}/root/go{number}").touch()
    engine.containers.wait(container.id)

    def texts(**limits: int) -> list[str]:
        return [line.text for line in engine.containers.logs(container.id, **limits)]  # type: ignore[arg-type]

    assert texts(since_ns=times[1]) == ["2\n", "3\n"]
    assert texts(until_ns=times[1]) == ["1\n", "2\n"]
    assert texts(since_ns=times[1], until_ns=times[2] - 1) == ["2\n"]
    assert texts(tail=2, until_ns=times[1]) == ["2\n"]
    assert texts(since_ns=time.time_ns()) == []


def test_the_shim_stays_small_under_a_flood(engine: Engine, image: str) -> None:
    """Tens of megabytes in lines, and as much without a single newline."""
    script = "head -c 30000000 /dev/zero | tr '\\0' y; seq 1 3000000; sleep 1000"
    container = engine.containers.create(
        CreateRequest(image=image, command=("sh", "-c", script), network="none", log_driver="local")
    )
    engine.containers.start(container.id)
    row = engine.containers.get(container.id)
    shim = int(Path(f"/proc/{row.pid}/stat").read_text().rpartition(")")[2].split()[1])
    path = Path(engine.paths.log(container.id))
    wait_until("all of it is written", lambda: _ends_with(path, b" 3000000\n"), timeout_s=60)
    status = Path(f"/proc/{shim}/status").read_text()
    peak_kb = int(status.partition("VmHWM:")[2].split()[0])
    assert peak_kb < 60_000
    engine.containers.kill(container.id, signal.SIGKILL)


def _ends_with(path: Path, end: bytes) -> bool:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - len(end)))
        return file.read() == end


def test_logs_over_a_library_call_of_none_raise_at_once(engine: Engine, image: str) -> None:
    container = engine.containers.create(CreateRequest(image=image, command=("true",), log_driver="none"))
    with pytest.raises(EngineError, match="does not support reading"):
        engine.containers.logs(container.id)


def test_the_file_is_dockers_json(pydock: EngineRoot) -> None:
    pydock.ok("run", "--name", "form", "--label", "a=1", "--log-opt", "labels=a", "toolbox", "echo", 'q"uote')
    (line,) = (_folder(pydock, "form") / "log.json").read_text().splitlines()
    record = json.loads(line)
    assert (record["log"], record["stream"], record["attrs"]) == ('q"uote\n', "stdout", {"a": "1"})
