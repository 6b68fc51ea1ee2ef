"""`run [--bundle DIR] [--detach] ID`: create, start, and unless detached stay until it ends."""

from __future__ import annotations

import os

from ..errors import RuntimeFault
from ..kernel import calls
from ..kernel import constants as k
from . import create
from .foreground import Foreground
from .options import SWITCH, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

OPTIONS = {**create.OPTIONS, "detach": SWITCH, "keep": SWITCH, "no-subreaper": SWITCH}
ALIASES = {**create.ALIASES, "d": "detach"}
USAGE = "ID"


def run(options: Options, context: Context) -> int:
    container_id = options.one_argument()
    detach = options.switch("detach")
    config = create.load(options)
    terminal = bool((config.get("process") or {}).get("terminal"))
    own_terminal = terminal and not options.given("console-socket")
    if own_terminal and detach:
        raise UsageError("--detach with a terminal needs --console-socket")
    if not detach and not options.switch("no-subreaper"):
        calls.prctl(k.PR_SET_CHILD_SUBREAPER, 1)
    foreground = None if detach else Foreground()
    container = create.create(options, context, container_id, config, want_console=own_terminal)
    try:
        container.start()
    except RuntimeFault:
        try:
            os.waitpid(container.pid, 0)
        except ChildProcessError:
            pass
        container.delete(force=True)
        raise
    if foreground is None:
        return 0
    code = foreground.wait(container.pid, container.console_fd)
    if not options.switch("keep"):
        container.delete(force=True)
        for warning in container.warnings:
            context.reporter.warning(warning)
    return code
