"""`create [--bundle DIR] ID`"""

from __future__ import annotations

import os

from ..container import Container
from ..spec import load_config
from .options import NUMBER, SWITCH, VALUE, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .main import Context

OPTIONS = {
    "bundle": VALUE,
    "config": VALUE,
    "console-socket": VALUE,
    "no-new-keyring": SWITCH,
    "no-pivot": SWITCH,
    "pid-file": VALUE,
    "pidfd-socket": VALUE,
    "preserve-fds": NUMBER,
}
ALIASES = {"b": "bundle", "f": "config"}
USAGE = "ID"


def run(options: Options, context: Context) -> int:
    container_id = options.one_argument()
    config = load(options)
    container = create(options, context, container_id, config)
    container.close()
    return 0


def load(options: Options) -> dict[str, Any]:
    """The bundle's config, with what the caller's environment adds for socket activation."""
    bundle = options.text("bundle") or os.getcwd()
    config = load_config(bundle, options.text("config", "config.json"))
    listening = os.environ.get("LISTEN_FDS", "")
    # Meant for another process when the pid is another's (sd_listen_fds(3)).
    ours = os.environ.get("LISTEN_PID", "") in ("", str(os.getpid()))
    if ours and listening.isdecimal() and int(listening) and config.get("process"):
        process = config["process"]
        process["env"] = [*(process.get("env") or []), f"LISTEN_FDS={listening}", "LISTEN_PID=1"]
        options.values["preserve-fds"] = options.number("preserve-fds") + int(listening)
    return config


def create(
    options: Options,
    context: Context,
    container_id: str,
    config: dict[str, Any],
    *,
    want_console: bool = False,
) -> Container:
    """Create the container as the options say, and tell the warnings."""
    container = Container.create(
        context.root,
        container_id,
        options.text("bundle") or os.getcwd(),
        spec=config,
        console_socket=options.text("console-socket"),
        want_console=want_console,
        pid_file=options.text("pid-file"),
        preserve_fds=preserved(options),
        no_pivot=options.switch("no-pivot"),
        no_new_keyring=options.switch("no-new-keyring"),
        systemd_cgroup=context.systemd_cgroup,
        use_cgroup=context.use_cgroup,
        rootless=context.rootless,
        check_program=True,
        on_phase=context.reporter.phase if context.reporter.debug_enabled else None,
    )
    for warning in container.warnings:
        context.reporter.warning(warning)
    if options.given("pidfd-socket"):
        try:
            send_pidfd(options.text("pidfd-socket"), container.pid)
        except OSError:
            container.delete(force=True)
            raise
    return container


def preserved(options: Options) -> int:
    """How many descriptors from 3 on stay open in the program; all of them must be."""
    count = options.number("preserve-fds")
    if count < 0:
        raise UsageError("--preserve-fds: is negative")
    for fd in range(3, 3 + count):
        try:
            os.fstat(fd)
        except OSError:
            raise UsageError(f"--preserve-fds: file descriptor {fd} is not open") from None
    return count


def send_pidfd(path: str, pid: int) -> None:
    """Give a descriptor of the process to whoever listens on the socket."""
    from ..kernel import sockets

    socket_fd = sockets.connect_stream(path)
    pidfd = os.pidfd_open(pid)
    try:
        sockets.send_descriptor(socket_fd, b"pidfd", pidfd)
    finally:
        os.close(pidfd)
        os.close(socket_fd)
