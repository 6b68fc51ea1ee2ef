"""`pydock system boot`, `system halt`, and `system install-unit`, which has systemd call them."""

from __future__ import annotations

import os
import sys

from ..errors import EngineError
from .border import refusal
from .options import Command, flag, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..containers.boot import Done
    from ..models import Container
    from .context import Context
    from .options import Parsed

UNIT = "pydock.service"
UNIT_FOLDER = "/etc/systemd/system"
_UNIT = """\
# Written by pydock system install-unit.
[Unit]
Description=Containers of pydock that should run
Documentation=man:systemd.service(5)
# A firewall that comes up later would wipe out the rules of published ports.
After=local-fs.target network-online.target nftables.service firewalld.service
Wants=network-online.target
RequiresMountsFor={mounts}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={program} system boot
ExecStop={program} system halt
# Containers are not this unit's to kill: `halt` ends them in good order.
KillMode=process
Delegate=yes
SendSIGKILL=no
TimeoutStartSec=infinity
TimeoutStopSec=infinity

[Install]
WantedBy=multi-user.target
"""


def boot(context: Context, _options: Parsed) -> int:
    return _each(context.here.containers.boot)


def halt(context: Context, _options: Parsed) -> int:
    return _each(context.here.containers.halt)


def install_unit(context: Context, options: Parsed) -> int:
    paths = context.paths
    words = [*_program(), "--root", paths.root, "--run-root", paths.run_root]
    unit = _UNIT.format(program=" ".join(_quoted(word) for word in words), mounts=_quoted(paths.root))
    if options.flag("print"):
        sys.stdout.write(unit)
        return 0
    path = f"{options.text('folder') or UNIT_FOLDER}/{UNIT}"
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(unit)
        os.replace(f"{path}.new", path)
    except OSError as error:
        raise EngineError(
            f"cannot write {path}: {error.strerror}", hint="--print shows it; --folder puts it elsewhere."
        ) from error
    print(path)
    commands = [["systemctl", "daemon-reload"], ["systemctl", "enable", UNIT]]
    if options.text("folder") or not os.path.isdir("/run/systemd/system"):
        sys.stderr.write(f"to have it at every boot: {' && '.join(' '.join(command) for command in commands)}\n")
        return 0
    import subprocess

    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return 0


def _each(work: Callable[[Done], None]) -> int:
    failed: list[Container] = []

    def done(container: Container, error: EngineError | None) -> None:
        if error is None:
            print(container.name, flush=True)
        else:
            failed.append(container)
            sys.stderr.write(f"{container.name}: {refusal(error)}\n")

    work(done)
    return 1 if failed else 0


def _program() -> list[str]:
    """How to call this very pydock: its script beside the interpreter, or the module."""
    script = f"{os.path.dirname(sys.executable)}/pydock"
    return [script] if os.access(script, os.X_OK) else [sys.executable, "-m", "engine.cli.main"]


def _quoted(word: str) -> str:
    """As systemd.syntax(7) reads it back."""
    word = word.replace("%", "%%").replace("$", "$$")
    if word and not any(c in word for c in " \t\"'\\;"):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


COMMANDS = {
    "system boot": Command(
        "system boot",
        "",
        "Start the containers that should run",
        boot,
        maximum=0,
        description="For the time after a reboot. Those with --restart always are started, those with unless-stopped "
        "unless somebody stopped them, those with on-failure if they did not end with 0.",
    ),
    "system halt": Command(
        "system halt",
        "",
        "Stop all containers for a shutdown",
        halt,
        maximum=0,
        description="Unlike stop it does not count as somebody's wish: system boot starts them again.",
    ),
    "system install-unit": Command(
        "system install-unit",
        "",
        "Have systemd start containers at boot",
        install_unit,
        (
            text("--folder", "FOLDER", f"Where to write {UNIT} (default: {UNIT_FOLDER}, and it is enabled)"),
            flag("--print", "Print the unit and write nothing"),
        ),
        maximum=0,
    ),
}
