"""Writes the pictures of the README: real containers that do something, the dashboard over them at three sizes.

    python screenshots/make.py [FOLDER]

Runs as root with an engine of its own in a temporary folder; everything that it starts is removed at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.app import PydockApp
from app.keymap import Keymap
from app.locations import theme_paths
from app.model import take_snapshot
from app.settings import Remembered, Settings
from app.theming import read_themes
from engine.engine import Engine
from tests.support.engine import EngineRoot
from tests.support.pictures import write_pictures

if TYPE_CHECKING:
    from textual.pilot import Pilot

WARM_UP_S = 60

SPIN = "spin() { local end=$1 i=0; while [ $i -lt $end ]; do i=$((i+1)); done; }; "
GROW = "keep=(); for i in $(seq 1 %d); do keep+=(\"$(head -c 900000 /dev/zero | tr '\\0' x)\"); %s; done; "
WEB = (
    SPIN
    + GROW % (30, "sleep 0.1")
    + "read -r _ _ gateway _ < <(ip route show default); n=0; while :; do n=$((n+1)); s=$((RANDOM %% 40 + 2)); "
    'case $((n %% 9)) in 0) echo "$(date +%%T) WARN slow upstream ${s}2ms" >&2;; '
    '*) echo "$(date +%%T) GET /cart/$n 200 ${s}ms";; esac; '
    "spin $((RANDOM / 3)); "
    "exec 3<>/dev/tcp/$gateway/$UPSTREAM && head -c $((RANDOM * 9)) /dev/zero >&3; "
    "head -c $((RANDOM * 2)) <&3 >/dev/null; exec 3>&-; sleep 0.2; done"
).replace("%%", "%")
WORKER = SPIN + GROW % (12, "spin 9000") + "while :; do spin $((RANDOM * 3)); sleep 0.$((RANDOM % 9)); done"
DATABASE = (
    SPIN
    + GROW % (70, "sleep 0.3")
    + "while :; do dd if=/dev/zero of=/data/wal bs=64k count=$((RANDOM % 60 + 1)) oflag=direct 2>/dev/null; "
    "spin $((RANDOM / 4)); sleep 0.4; done"
)
CACHE = GROW % (44, "sleep 1") + "while :; do sleep 5; done"
HUNGRY = "echo importing; sleep 1; exec tail /dev/zero"
PROJECT = ("--label", "com.docker.compose.project=shop")


class Upstream:
    """What `web` talks to: takes what it is sent and answers as much as is read."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("0.0.0.0", 0), backlog=16)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    @staticmethod
    def _talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(2)
            connection.sendall(bytes(65536))
            while connection.recv(65536):
                pass


def start_containers(roots: EngineRoot, upstream: Upstream) -> None:
    """A small shop: some busy, one paused, one killed by its memory limit, one ended well."""
    run = roots.ok
    run("image", "toolbox", "-q", timeout_s=120)
    run("run", "-d", "--name", "web", *PROJECT, "--memory", "96m", "--cpus", "0.6", "-p", "18080:80",
        "-e", f"UPSTREAM={upstream.port}",
        "toolbox", "bash", "-c", WEB)  # fmt: skip
    run(
        "run",
        "-d",
        "--name",
        "worker",
        *PROJECT,
        "--cpus",
        "0.5",
        "--pids-limit",
        "64",
        "toolbox",
        "bash",
        "-c",
        WORKER,
    )
    run("run", "-d", "--name", "db", *PROJECT, "--memory", "256m", "-v", "shop-data:/data", "toolbox",
        "bash", "-c", DATABASE)  # fmt: skip
    run("run", "-d", "--name", "cache", "--memory", "64m", "toolbox", "bash", "-c", CACHE)
    run("run", "-d", "--name", "import", "--memory", "32m", "toolbox", "sh", "-c", HUNGRY)
    run("run", "-d", "--name", "migrate", "toolbox", "sh", "-c", "echo schema is at version 42")
    run("run", "-dit", "--name", "ctrl", "toolbox", "bash")
    run("run", "-d", "--name", "batch", "toolbox", "sleep", "100000")
    run("pause", "batch")


async def until(pilot: Pilot[None], condition: object, seconds: float = 10) -> None:
    """Let the app work until the condition holds, at most for a while."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await pilot.pause(0.05)


async def picture(
    engine: Engine, path: Path, size: tuple[int, int], *, container: str, tab: str, theme: str = "pydock-dark",
    terminals: bool = False, keys: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """One screen as SVG and PNG."""
    app = PydockApp(
        engine,
        settings=Settings(theme=theme),
        keymap=Keymap(),
        themes=read_themes(theme_paths()),
        snapshot=take_snapshot(engine),
        remembered=Remembered(container=engine.containers.get(container).id, tab=tab, sort="state"),
    )
    async with app.run_test(size=size) as pilot:
        await pilot.pause(2.5)
        if terminals:
            await pilot.press("e")
            await until(pilot, lambda: app.in_live_terminal)
            await pilot.pause(0.5)
            await pilot.press(*"ls --color /", "enter")
            await pilot.pause(0.7)
            await pilot.press(*"ps -eo pid,user,time,comm | head -5", "enter")
            await pilot.pause(0.8)
        await pilot.press(*keys)
        await pilot.pause(1.5)
        write_pictures(app.export_screenshot(title="pydock"), path)
    print(path.with_suffix(".png"))


async def take_all(engine: Engine, folder: Path) -> None:
    """All pictures."""
    await picture(engine, folder / "dashboard-80x24", (80, 24), container="web", tab="logs")
    await picture(engine, folder / "dashboard-120x40", (120, 40), container="web", tab="logs")
    await picture(engine, folder / "dashboard-200x60", (200, 60), container="web", tab="logs", terminals=True)
    await picture(engine, folder / "overview-120x40", (120, 40), container="db", tab="overview")
    await picture(engine, folder / "overview-80x24", (80, 24), container="worker", tab="overview")
    await picture(engine, folder / "terminals-120x40", (120, 40), container="ctrl", tab="terminals", terminals=True)
    await picture(engine, folder / "timeline-120x40", (120, 40), container="web", tab="timeline")
    await picture(engine, folder / "inspect-120x40", (120, 40), container="web", tab="inspect")
    await picture(engine, folder / "light-120x40", (120, 40), container="web", tab="logs", theme="pydock-light")
    await picture(engine, folder / "run-120x40", (120, 40), container="web", tab="logs", keys=("2", "r"))
    await picture(engine, folder / "help-120x40", (120, 40), container="web", tab="logs", keys=("question_mark",))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    roots = EngineRoot()
    try:
        start_containers(roots, Upstream())
        time.sleep(WARM_UP_S)
        with Engine(str(roots.root), str(roots.run_root)) as engine:
            asyncio.run(take_all(engine, folder))
    finally:
        roots.close()


if __name__ == "__main__":
    main()
