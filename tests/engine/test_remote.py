"""`pydock --host`: the same commands against another engine's API: dockerd, podman, and our own `pydock serve`."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.support import other_engines
from tests.support.engine import PYDOCK, EngineRoot, wait_until
from tests.support.pty_program import PtyProgram

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

LOOP = "trap 'exit 3' TERM; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.1; done"
QUIET = ("--network", "none")


class Other:
    """Another engine, driven by `pydock --host`."""

    def __init__(self, name: str, address: str, root: EngineRoot) -> None:
        self.name = name
        self.address = address
        self.root = root

    def pydock(self, *words: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return self.root.pydock("--host", self.address, *words, input=input, timeout_s=90)

    def ok(self, *words: str, input: str = "") -> str:
        done = self.pydock(*words, input=input)
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.rstrip("\n")

    def terminal(self, *words: str, rows: int = 24, columns: int = 80) -> PtyProgram:
        return PtyProgram([*PYDOCK, "--host", self.address, *words], self.root.environment, rows, columns)

    def clear(self) -> None:
        names = self.ok("ps", "-aq").split()
        if names:
            self.pydock("rm", "-f", *names)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("pydock"),
        pytest.param("dockerd", marks=pytest.mark.serial),
        pytest.param("podman", marks=pytest.mark.serial),
    ],
)
def engine_there(request: pytest.FixtureRequest, toolbox_root: EngineRoot) -> Iterator[Other]:
    name: str = request.param
    needed = {"dockerd": ("dockerd", "containerd"), "podman": ("podman",), "pydock": ()}[name]
    for missing in (
        item for item in (*needed, "skopeo", "curl") if name != "pydock" and not other_engines.program(item)
    ):
        pytest.skip(f"needs {missing}")
    opened = {"dockerd": other_engines.dockerd, "podman": other_engines.podman, "pydock": other_engines.served}[name]
    with opened(toolbox_root) as address:
        yield Other(name, address, toolbox_root)


@pytest.fixture
def other(engine_there: Other) -> Iterator[Other]:
    yield engine_there
    engine_there.clear()


def test_run_gives_output_streams_and_exit_code(other: Other) -> None:
    done = other.pydock("run", "--rm", *QUIET, "-e", "A=b c", "toolbox", "sh", "-c", 'echo "$A"; echo err >&2; exit 7')
    assert (done.returncode, done.stdout, done.stderr) == (7, "b c\n", "err\n")
    assert other.ok("ps", "-aq") == ""


def test_run_passes_its_input_and_the_end_of_it(other: Other) -> None:
    text = "".join(f"{number}\n" for number in range(20000))
    assert other.ok("run", "--rm", "-i", *QUIET, "toolbox", "cat", input=text) == text.rstrip("\n")


def test_run_of_what_is_no_program_is_127(other: Other) -> None:
    done = other.pydock("run", "--rm", *QUIET, "toolbox", "nosuchprogram")
    assert done.returncode == 127
    assert "nosuchprogram" in done.stderr


def test_life_of_a_container(other: Other) -> None:
    """Detached run, list, logs, exec, pause, stop, start, kill, rename, remove."""
    identifier = other.ok("run", "-d", "--name", "web", "-l", "role=test", *QUIET, "toolbox", "sh", "-c", LOOP)
    assert re.fullmatch(r"[0-9a-f]{64}", identifier)
    row = json.loads(other.ok("ps", "--json"))
    assert (row["Names"], row["State"], row["ID"]) == ("web", "running", identifier[:12])
    assert "toolbox" in row["Image"]
    assert row["Status"].startswith("Up")
    assert other.ok("ps", "-q", "--filter", "label=role=none") == ""
    wait_until("its first lines", lambda: "line 3\n" in other.pydock("logs", "web").stdout)
    assert other.ok("logs", "--tail", "1", "web").startswith("line ")
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line 1", other.ok("logs", "-t", "web"))
    assert other.pydock("exec", "web", "sh", "-c", "echo in; echo out >&2; exit 5").returncode == 5
    assert other.ok("exec", "-i", "web", "cat", input="typed\n") == "typed"
    assert "sleep" in other.ok("top", "web") or "sh -c" in other.ok("top", "web")
    assert other.ok("inspect", "-f", "{{.State.Running}} {{.Name}}", "web") == "true /web"
    assert other.ok("pause", "web") == "web"
    assert "(Paused)" in other.ok("ps")
    assert other.ok("unpause", "web") == "web"
    other.ok("stop", "-t", "20", "web")
    assert "Exited (3)" in other.ok("ps", "-a")
    other.ok("start", "web")
    other.ok("rename", "web", "web2")
    other.ok("kill", "web2")
    assert other.ok("wait", "web2") == "137"
    assert other.ok("rm", "web2") == "web2"
    assert other.ok("ps", "-aq") == ""


def test_logs_follow_until_the_end(other: Other) -> None:
    other.ok(
        "run", "-d", "--name", "short", *QUIET, "toolbox", "sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.2; done"
    )
    assert other.ok("logs", "-f", "short").split() == ["1", "2", "3", "4", "5"]


def test_a_shell_in_a_terminal(other: Other) -> None:
    """Its size from the start and later, its exit code, and our terminal as it was before."""
    with other.terminal("run", "--rm", "-it", *QUIET, "toolbox", "sh", rows=33, columns=101) as shell:
        shell.type("echo a$((40+2))z\n")
        shell.expect("a42z")
        assert shell.is_raw()
        shell.type("stty size\n")
        shell.expect("33 101")
        shell.resize(20, 50)
        shell.type("sleep 1; stty size\n")
        shell.expect("20 50")
        shell.type("exit 4\n")
        assert shell.wait() == 4
        assert shell.restored()


def test_detach_attach_and_exec_in_a_terminal(other: Other) -> None:
    with other.terminal("run", "-it", "--name", "term", *QUIET, "toolbox", "sh") as shell:
        shell.type("echo first$((1+1))\n")
        shell.expect("first2")
        shell.type("\x10\x11")
        assert shell.wait() == 0
        assert shell.restored()
    assert other.ok("inspect", "-f", "{{.State.Running}}", "term") == "true"
    with other.terminal("exec", "-it", "term", "sh") as shell:
        shell.type("tty; echo second$((1+1))\n")
        shell.expect("second2")
        shell.type("exit 6\n")
        assert shell.wait() == 6
    with other.terminal("attach", "term") as shell:
        shell.type("echo third$((1+1))\n")
        shell.expect("third2")
        shell.type("exit 9\n")
        assert shell.wait() == 9


def test_images_networks_volumes_and_the_engine(other: Other) -> None:
    assert "toolbox:latest" in other.ok("images", "--format", "{{.Repository}}:{{.Tag}}")
    other.ok("tag", "toolbox", "toolbox:two")
    assert "two" in other.ok("images", "--format", "{{.Tag}}").split()
    assert "Untagged:" in other.ok("rmi", "toolbox:two")
    assert other.ok("history", "-q", "toolbox")
    assert "toolbox" in str(json.loads(other.ok("image", "inspect", "toolbox"))[0]["RepoTags"])
    assert other.ok("volume", "create", "remote-volume") == "remote-volume"
    assert "remote-volume" in other.ok("volume", "ls", "-q").split()
    assert "remote-volume" not in other.ok("volume", "prune", "-f")  # it has a name, whatever the other engine thinks
    assert other.ok("volume", "rm", "remote-volume") == "remote-volume"
    assert other.ok("network", "ls", "--format", "{{.Name}}")
    assert f"Engine: {other.address}" in other.ok("info")
    assert other.ok("version", "-f", "{{.Server.ApiVersion}}").startswith("1.")
    assert "Local Volumes" in other.ok("system", "df")


def test_stats_and_events(other: Other) -> None:
    other.ok("run", "-d", "--name", "busy", *QUIET, "toolbox", "sh", "-c", "while :; do :; done")
    row = json.loads(other.ok("stats", "--no-stream", "--json", "busy"))
    assert row["Name"] == "busy"
    assert float(row["CPUPerc"].rstrip("%")) > 1
    events = other.root.popen("--host", other.address, "events", "--json", "--filter", "container=busy")
    assert events.stdout is not None
    try:
        # the stream begins when it begins: pause until it has told one
        while not other.pydock("pause", "busy").returncode and not _readable(events):
            other.ok("unpause", "busy")
        told = json.loads(events.stdout.readline())
        assert told["Type"] == "container"
        assert told["Action"] in ("pause", "unpause")
    finally:
        events.kill()
        events.communicate()


def _readable(process: subprocess.Popen[bytes]) -> bool:
    import select

    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 1)[0])


def test_what_is_not_there_is_said_as_here(other: Other) -> None:
    gone = other.pydock("rm", "nosuch")
    assert gone.returncode == 1
    assert "no such container" in gone.stderr.lower()
    missing = other.pydock("image", "inspect", "nosuchimage")
    assert missing.returncode == 1
    assert "no such image" in missing.stderr.lower() or "not find" in missing.stderr.lower()


def test_files_go_in_and_out_and_images_are_made(other: Other) -> None:
    """Archives of containers, what changed, commit, save and load, as the commands for them call it."""
    from engine.errors import ContainerNotFound, NotFound
    from engine.models import CreateRequest
    from engine.remote.engine import RemoteEngine
    from engine.remote.target import parse_target

    with RemoteEngine(parse_target(other.address)) as engine:
        script = "echo hello > /new; mkdir -m 1777 /folder"
        container = engine.containers.create(
            CreateRequest(image="toolbox", command=("sh", "-c", script), network="none")
        )
        engine.containers.start(container.id)
        assert engine.containers.wait(container.id) == 0
        found = {(change.kind, change.path) for change in engine.containers.changes(container.id)}
        assert {("A", "/new"), ("A", "/folder")} <= found
        folder = engine.containers.path_stat(container.id, "/folder")
        assert folder.is_folder
        assert folder.mode & 0o7777 == 0o1777
        told, stream = engine.containers.read_archive(container.id, "/new")
        with stream:
            archive = b"".join(stream)
        assert (told.name, told.size) == ("new", 6)
        engine.containers.write_archive(container.id, "/folder", io.BytesIO(archive).read)
        assert engine.containers.path_stat(container.id, "/folder/new").size == 6
        with pytest.raises(NotFound, match="could not find the file /nowhere"):
            engine.containers.path_stat(container.id, "/nowhere")
        with pytest.raises(ContainerNotFound):
            engine.containers.path_stat("nosuch", "/new")
        made = engine.containers.commit(container.id, "made:one", changes=["ENV MADE=yes"])
        assert made.references == ("made:one",)
        saved = b"".join(engine.images.save(["made:one"]))
        engine.images.remove("made:one", force=True)
        assert [engine.images.get(image.id).references for image in engine.images.load(io.BytesIO(saved).read)] == [
            ("made:one",)
        ]
        assert other.ok("run", "--rm", *QUIET, "made:one", "sh", "-c", "cat /new; echo $MADE") == "hello\nyes"
        assert engine.images.tags_of("made") == ["made:one"]
        engine.images.remove("made:one", force=True)
