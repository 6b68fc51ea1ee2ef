"""A real terminal for the real program: tmux, driven by send-keys, read by capture-pane."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

POLL_S = 0.05


class Tmux:
    """One tmux server with one window of a fixed size; `close` ends the server and all that runs in it."""

    def __init__(self, columns: int, rows: int, *, env: Mapping[str, str] | None = None) -> None:
        self._socket = f"pydock-test-{uuid.uuid4().hex[:8]}"
        self._status = Path(tempfile.mkdtemp(prefix="tmux-")) / "status"
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        environment |= dict(env or {})
        # A program that ends leaves its last screen to be read.
        self._tmux("-f", "/dev/null", "start-server", ";", "set", "-g", "remain-on-exit", "on", ";",
                   "set", "-g", "default-terminal", "tmux-256color", ";", "set", "-sg", "escape-time", "0", ";",
                   "new-session", "-d", "-x", str(columns), "-y", str(rows), "sleep", "infinity",
                   env=environment)  # fmt: skip

    def run(self, command: Sequence[str]) -> None:
        """Run a program in the window, in place of what runs there."""
        # tmux now and then loses the status of a program that ended, so a shell around it keeps it in a file.
        self._status.unlink(missing_ok=True)
        script = f'"$@"; echo $? > {shlex.quote(str(self._status))}.new; mv {self._status}.new {self._status}'
        self._tmux("respawn-pane", "-k", shlex.join(["sh", "-c", script, "sh", *command]))

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names (Enter, Escape, C-p, Tab, letters)."""
        for name in names:
            self._tmux("send-keys", name)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def everything(self) -> str:
        """The screen and what scrolled off it."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def resize(self, columns: int, rows: int) -> None:
        """Another size of the window."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def pid(self) -> int:
        """The program's process."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    def ended(self) -> int | None:
        """The program's exit status as a shell tells it (128 and the signal that killed it); None while it runs."""
        try:
            return int(self._status.read_text())
        except FileNotFoundError:
            return None

    def until(self, condition: Callable[[], object], what: str, timeout_s: float = 40) -> None:
        """Wait for a condition; fail with its name and the screen."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout_s:g} s in vain for: {what}\n{self.screen()}")
            time.sleep(POLL_S)

    def until_shown(self, text: str, timeout_s: float = 40) -> None:
        """Wait for text on the screen."""
        self.until(lambda: text in self.screen(), f"{text!r} on the screen", timeout_s)

    def until_gone(self, text: str, timeout_s: float = 40) -> None:
        """Wait until text is off the screen."""
        self.until(lambda: text not in self.screen(), f"{text!r} gone from the screen", timeout_s)

    def close(self) -> None:
        """End the server."""
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], check=False, capture_output=True)
        shutil.rmtree(self._status.parent, ignore_errors=True)

    def _tmux(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, *arguments], check=True, capture_output=True, text=True, env=env, timeout=20
        )
        return done.stdout
