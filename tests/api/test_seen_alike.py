"""The containers of one state directory, seen by the command line, the dashboard, the API and the runtime's list."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from app.model import Model, take_snapshot
from engine.engine import Engine
from engine.models import CreateRequest, HealthCheck
from tests.api.client import Api
from tests.support.engine import REPOSITORY, wait_until

pytestmark = pytest.mark.root

RUNC = (sys.executable, "-c", "from runtime.cli.main import main; main()")


class Seen(NamedTuple):
    name: str
    state: str


def _by_ps(api: Api) -> dict[str, Seen]:
    lines = api.root.ok("ps", "-a", "--no-trunc", "--format", "json").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["ID"]: Seen(row["Names"], row["State"]) for row in rows}


def _by_api(api: Api) -> dict[str, Seen]:
    rows = api("GET", "/containers/json?all=1").json
    return {row["Id"]: Seen(row["Names"][0].removeprefix("/"), row["State"]) for row in rows}


def _by_dashboard(engine: Engine) -> dict[str, Seen]:
    model = Model(take_snapshot(engine))
    return {key: Seen(row.name, row.state) for key, row in model.containers.items()}


def _by_runtime(engine: Engine) -> dict[str, tuple[str, int]]:
    done = subprocess.run(
        [*RUNC, "--root", engine.paths.runtime, "list", "--format", "json"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return {row["id"]: (row["status"], row["pid"]) for row in json.loads(done.stdout) or ()}


def _same_in_all(api: Api, engine: Engine) -> dict[str, Seen]:
    """What `ps` sees, after the others have been compared with it."""
    seen = _by_ps(api)
    assert _by_api(api) == seen
    assert _by_dashboard(engine) == seen
    alive = {key: row.state for key, row in seen.items() if row.state in ("running", "paused")}
    wait_until("the runtime to have let go of the others", lambda: set(_by_runtime(engine)) == set(alive))
    for key, (status, pid) in _by_runtime(engine).items():
        assert status == alive[key]
        assert pid == engine.containers.get(key).pid == api("GET", f"/containers/{key}/json").json["State"]["Pid"]
        assert os.path.exists(f"/proc/{pid}")
    return seen


def test_all_see_the_same_containers_in_the_same_states(api: Api, engine: Engine, image: str) -> None:
    often = HealthCheck(test=("CMD", "true"), interval_ns=100_000_000)
    for name, script in (("runs", "exec sleep 1000"), ("held", "exec sleep 1000"), ("failed", "exit 3"), ("new", "")):
        request = CreateRequest(
            image=image, name=name, command=("sh", "-c", script), health=often if name == "runs" else None
        )
        made = engine.containers.create(request)
        if name != "new":
            engine.containers.start(made.id)
    engine.containers.pause("held")
    engine.containers.wait("failed")
    wait_until("health", lambda: engine.containers.get("runs").health == "healthy", 60)
    seen = _same_in_all(api, engine)
    assert sorted(seen.values()) == [
        Seen("failed", "exited"),
        Seen("held", "paused"),
        Seen("new", "created"),
        Seen("runs", "running"),
    ]
    statuses = {row["Names"][0]: row["Status"] for row in api("GET", "/containers/json?all=1").json}
    assert statuses["/runs"].endswith("(healthy)")
    assert statuses["/held"].endswith("(Paused)")
    assert statuses["/failed"].startswith("Exited (3)")
    by_ps = dict(
        line.split("\t") for line in api.root.ok("ps", "-a", "--format", "{{.Names}}\t{{.Status}}").splitlines()
    )
    assert {name: text.split()[0] for name, text in by_ps.items()} == {
        name.removeprefix("/"): text.split()[0] for name, text in statuses.items()
    }


def test_all_see_alike_what_a_killed_shim_and_a_container_of_the_api_are(api: Api, engine: Engine, image: str) -> None:
    body = {"Image": image, "Cmd": ["sleep", "1000"]}
    made = api("POST", "/containers/create?name=by-api", body).json["Id"]
    assert api("POST", f"/containers/{made}/start").status == 204
    api.root.ok("run", "-d", "--name", "by-cli", "toolbox", "sleep", "1000")
    assert {row.state for row in _same_in_all(api, engine).values()} == {"running"}
    pid = engine.containers.get("by-cli").pid
    stat = Path(f"/proc/{pid}/stat").read_text()
    os.kill(int(stat[stat.rindex(")") :].split()[2]), signal.SIGKILL)
    wait_until("its container to be gone", lambda: not os.path.exists(f"/proc/{pid}"))
    assert sorted(_same_in_all(api, engine).values()) == [Seen("by-api", "running"), Seen("by-cli", "exited")]
