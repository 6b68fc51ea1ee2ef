"""`pydock serve`: the Docker Engine API over this engine, for docker's own client and everything that speaks to it."""

from __future__ import annotations

import sys

from .errors import UsageError
from .options import Command, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def serve(context: Context, options: Parsed) -> int:
    path = _socket_path(options.text("host")) or f"{context.paths.run_root}/pydock.sock"
    engine = context.engine
    from ..api import server

    server.serve(engine, path, options.text("group"), _ready)
    return 0


def _socket_path(host: str) -> str:
    if not host:
        return ""
    scheme, separator, path = host.partition("://")
    if not separator or scheme != "unix" or not path.startswith("/"):
        raise UsageError(f'invalid argument "{host}" for "-H, --host" flag: written as unix:///PATH', "serve")
    return path


def _ready(where: str) -> None:
    sys.stderr.write(f"pydock: serving the Docker Engine API on {where}\n")
    sys.stderr.flush()


COMMANDS = {
    "serve": Command(
        "serve",
        "",
        "Serve the Docker Engine API on a unix socket",
        serve,
        (
            text("-H, --host", "unix:///PATH", "Where to listen (default: pydock.sock in the run root)"),
            text("-G, --group", "GROUP", "Who may use the socket besides root; that is as good as being root"),
        ),
        maximum=0,
    )
}
