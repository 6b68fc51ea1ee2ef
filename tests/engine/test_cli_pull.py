"""`pydock pull` from a real registry on loopback: progress, digests, repeats, refusals, ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.engine.test_cli_run import one_line
from tests.support.engine import PYDOCK, EngineRoot
from tests.support.pty_program import PtyProgram
from tests.support.registry import missing, push, run_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.registry]


@pytest.fixture(scope="module")
def image_in_registry(toolbox_root: EngineRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """127.0.0.1:PORT/library/toolbox:latest in Debian's docker-registry, put there by skopeo from our own layout."""
    if missing():
        pytest.skip(f"needs {missing()} (apt install {missing()})")
    with run_registry(tmp_path_factory.mktemp("registry")) as address:
        reference = f"{address}/library/toolbox:latest"
        push(toolbox_root.root / "oci", "docker.io/library/toolbox:latest", reference)
        yield reference


def test_pull_then_run(fresh_root: EngineRoot, image_in_registry: str) -> None:
    lines = fresh_root.ok("pull", image_in_registry).splitlines()
    assert lines[0].startswith("latest: Pulling from ")
    assert any(re.match(r"[0-9a-f]{12}: Pull complete$", line) for line in lines)
    assert re.match(r"Digest: sha256:[0-9a-f]{64}$", lines[-3])
    assert lines[-2] == f"Status: Downloaded newer image for {image_in_registry}"
    assert lines[-1] == image_in_registry
    again = fresh_root.ok("pull", image_in_registry).splitlines()
    assert again[-2] == f"Status: Image is up to date for {image_in_registry}"
    assert fresh_root.ok("pull", "-q", image_in_registry) == image_in_registry
    assert fresh_root.ok("run", "--rm", image_in_registry, "echo", "pulled") == "pulled"
    document = json.loads(fresh_root.ok("image", "inspect", image_in_registry))[0]
    digest = document["RepoDigests"][0].partition("@")[2]
    assert digest == lines[-3].removeprefix("Digest: ")


def test_run_pulls_what_is_missing(fresh_root: EngineRoot, image_in_registry: str) -> None:
    """The output of the program is alone on standard output: progress goes to standard error."""
    done = fresh_root.pydock("run", "--rm", image_in_registry, "echo", "hello")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert f"Unable to find image '{image_in_registry}' locally" in done.stderr
    assert "Pull complete" in done.stderr


def test_pull_by_digest(fresh_root: EngineRoot, image_in_registry: str) -> None:
    digest = next(
        line.removeprefix("Digest: ")
        for line in fresh_root.ok("pull", image_in_registry).splitlines()
        if line.startswith("Digest: ")
    )
    repository = image_in_registry.rpartition(":")[0]
    assert fresh_root.ok("run", "--rm", f"{repository}@{digest}", "echo", "same") == "same"


def test_bars_on_a_terminal(fresh_root: EngineRoot, image_in_registry: str) -> None:
    with PtyProgram([*PYDOCK, "pull", image_in_registry], fresh_root.environment, 24, 100) as pull:
        assert pull.wait() == 0
        assert pull.restored()
        assert "Pull complete" in pull.screen()
        assert "Digest: sha256:" in pull.screen()
        assert "\x1b[?25h" in pull.screen()  # the cursor is back


def test_what_is_not_there(fresh_root: EngineRoot, image_in_registry: str) -> None:
    wrong = image_in_registry.replace("toolbox", "nosuch")
    done = fresh_root.pydock("pull", wrong)
    assert done.returncode == 1
    assert "nosuch" in one_line(done.stderr)
    done = fresh_root.pydock("run", wrong)
    assert done.returncode == 125


@pytest.mark.parametrize("reference", ["", "UPPER", "a:b:c", "x/@sha256:12", "http://x/y", "a b", "-"])
def test_wrong_references(fresh_root: EngineRoot, reference: str) -> None:
    done = fresh_root.pydock("pull", "--", reference)
    assert done.returncode == 1
    assert one_line(done.stderr)


def test_ctrl_c_while_pulling(fresh_root: EngineRoot) -> None:
    """A registry that never answers is left at once, without a traceback."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        reference = f"127.0.0.1:{silent.getsockname()[1]}/x/y:z"
        pulling = fresh_root.popen("pull", reference)
        silent.settimeout(20)
        connection, _ = silent.accept()
        pulling.send_signal(signal.SIGINT)
        output, errors = pulling.communicate(timeout=20)
        connection.close()
    assert pulling.returncode == 130
    assert b"Traceback" not in output + errors


def test_pull_of_all_tags(fresh_root: EngineRoot, image_in_registry: str, toolbox_root: EngineRoot) -> None:
    repository = image_in_registry.replace("library/toolbox:latest", "many/toolbox")
    for tag in ("one", "two"):
        push(toolbox_root.root / "oci", "docker.io/library/toolbox:latest", f"{repository}:{tag}")
    fresh_root.ok("pull", "-a", "-q", repository)
    assert sorted(fresh_root.ok("images", "--format", "{{.Tag}}").split()) == ["one", "two"]
    refused = fresh_root.pydock("pull", "-a", f"{repository}:one")
    assert "tag can't be used with --all-tags" in refused.stderr
