"""`exec [options] ID PROGRAM [ARGUMENT...]`: a further process in a container.

Without --process the container's own process is the model: its environment, directory, user, capabilities and
limits, changed by the options.
"""

from __future__ import annotations

from ..container import Container
from ..process.joining import end
from ..spec import load_process
from ..validate import validate_process
from .create import preserved, send_pidfd
from .foreground import Foreground
from .options import LIST, NUMBER, SWITCH, VALUE, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .main import Context

OPTIONS = {
    "additional-gids": LIST,
    "apparmor": VALUE,
    "cap": LIST,
    "cgroup": VALUE,
    "console-socket": VALUE,
    "cwd": VALUE,
    "detach": SWITCH,
    "env": LIST,
    "ignore-paused": SWITCH,
    "no-new-privs": SWITCH,
    "pid-file": VALUE,
    "pidfd-socket": VALUE,
    "preserve-fds": NUMBER,
    "process": VALUE,
    "process-label": VALUE,
    "tty": SWITCH,
    "user": VALUE,
}
ALIASES = {
    "c": "cap",
    "d": "detach",
    "e": "env",
    "g": "additional-gids",
    "p": "process",
    "t": "tty",
    "u": "user",
}
USAGE = "ID PROGRAM [ARGUMENT...]"
_LARGEST_ID = 2**32 - 2


def run(options: Options, context: Context) -> int:
    if not options.arguments:
        raise UsageError("container id missing")
    container = Container.load(context.root, options.arguments[0])
    process = build_process(options, container.config.get("process") or {})
    detach = options.switch("detach")
    own_terminal = bool(process.get("terminal")) and not options.given("console-socket")
    if own_terminal and detach:
        raise UsageError("--detach with a terminal needs --console-socket")
    foreground = None if detach else Foreground()
    started = container.exec(
        process,
        want_console=own_terminal,
        console_socket=options.text("console-socket"),
        pid_file=options.text("pid-file"),
        preserve_fds=preserved(options),
        ignore_paused=options.switch("ignore-paused"),
        cgroup_path=options.text("cgroup"),
    )
    if options.given("pidfd-socket"):
        try:
            send_pidfd(options.text("pidfd-socket"), started.pid)
        except OSError:
            end(started.pid, started.console_fd)
            raise
    return 0 if foreground is None else foreground.wait(started.pid, started.console_fd)


def build_process(options: Options, model: dict[str, Any]) -> dict[str, Any]:
    """The process to execute, from a file or from the container's own one and the options."""
    if options.given("process"):
        return load_process(options.text("process"))
    if len(options.arguments) < 2:
        raise UsageError("program missing")
    process = {**model, "args": options.arguments[1:], "terminal": options.switch("tty")}
    process.pop("consoleSize", None)
    process.setdefault("cwd", "/")
    if options.text("cwd"):
        process["cwd"] = options.text("cwd")
    if options.given("env"):
        process["env"] = [*(process.get("env") or []), *options.list("env")]
    if options.given("apparmor"):
        process["apparmorProfile"] = options.text("apparmor")
    if options.given("process-label"):
        process["selinuxLabel"] = options.text("process-label")
    if options.given("no-new-privs"):
        process["noNewPrivileges"] = options.switch("no-new-privs")
    user = dict(process.get("user") or {})
    if options.given("user"):
        user["uid"], gid = parse_user(options.text("user"))
        if gid is not None:
            user["gid"] = gid
    for text in options.list("additional-gids"):
        user["additionalGids"] = [*(user.get("additionalGids") or []), _id(text, "--additional-gids")]
    process["user"] = user
    if options.given("cap"):
        process["capabilities"] = _with_capabilities(process.get("capabilities") or {}, options.list("cap"))
    validate_process(process, "process")
    return process


def parse_user(text: str) -> tuple[int, int | None]:
    """UID or UID:GID in decimal and nothing else (CVE-2026-30892: what looks like a user must not become root)."""
    uid, colon, gid = text.partition(":")
    return _id(uid, "--user"), _id(gid, "--user") if colon else None


def _id(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or int(text) > _LARGEST_ID:
        raise UsageError(f'{what}: "{text}" is not an id from 0 to {_LARGEST_ID}')
    return int(text)


def _with_capabilities(sets: dict[str, Any], added: list[str]) -> dict[str, Any]:
    """Never into the inheritable set (CVE-2022-29162); ambient only where the container's own set is inheritable."""
    names = [name if name.startswith("CAP_") else f"CAP_{name}" for name in (word.upper() for word in added)]
    changed = {key: list(value or []) for key, value in sets.items()}
    for key in ("bounding", "effective", "permitted"):
        changed[key] = [*changed.get(key, []), *(name for name in names if name not in changed.get(key, []))]
    inheritable = changed.get("inheritable", [])
    if inheritable:
        changed["ambient"] = [
            *changed.get("ambient", []),
            *(name for name in names if name in inheritable and name not in changed.get("ambient", [])),
        ]
    return changed
