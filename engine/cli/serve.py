"""`pydock serve`: the Docker Engine API over this engine, for docker's own client and everything that speaks to it."""

from __future__ import annotations

import sys

from .errors import UsageError
from .options import Command, flag, many, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..api.address import Address
    from ..api.tls import TlsFiles
    from .context import Context
    from .options import Parsed

TLS_FOLDER = "/etc/pydock/tls"


def serve(context: Context, options: Parsed) -> int:
    from ..api.address import Address

    addresses = [_address(host) for host in options.many("host")]
    tls = _tls(options)
    default = Address(f"unix://{context.paths.run_root}/pydock.sock")
    engine = context.here  # DOCKER_HOST may well name the very socket that is to be served
    from ..api import server

    server.serve(engine, addresses, _ready, default=default, group=options.text("group"), tls=tls)
    return 0


def _address(host: str) -> Address:
    from ..api.address import Address

    try:
        return Address(host)
    except ValueError as error:
        raise UsageError(f'invalid argument "{host}" for "-H, --host" flag: {error}', "serve") from None


def _tls(options: Parsed) -> TlsFiles | None:
    if options.flag("tls") and not options.flag("tlsverify"):
        raise UsageError(
            "--tls alone would let in anyone: give --tlsverify, which asks clients for a certificate", "serve"
        )
    if not options.flag("tlsverify"):
        return None
    from ..api.tls import TlsFiles

    return TlsFiles(options.text("tlscacert"), options.text("tlscert"), options.text("tlskey"))


def _ready(where: str) -> None:
    sys.stderr.write(f"pydock: serving the Docker Engine API on {where}\n")
    sys.stderr.flush()


COMMANDS = {
    "serve": Command(
        "serve",
        "",
        "Serve the Docker Engine API",
        serve,
        (
            many(
                "-H, --host",
                "ADDRESS",
                "Where to listen: unix:///PATH, tcp://ADDRESS[:PORT] (with --tlsverify) or fd:// for the sockets of "
                "systemd; may be repeated (default: pydock.sock in the run root)",
            ),
            text("-G, --group", "GROUP", "Who may use the socket besides root; that is as good as being root"),
            flag("--tls", "Speak TLS on TCP addresses; needs --tlsverify"),
            flag("--tlsverify", "Speak TLS on TCP addresses, to clients whose certificate the CA has signed"),
            text("--tlscacert", "FILE", "The CA of the clients, PEM", default=f"{TLS_FOLDER}/ca.pem"),
            text("--tlscert", "FILE", "The server's certificate, PEM", default=f"{TLS_FOLDER}/cert.pem"),
            text("--tlskey", "FILE", "The server's key, PEM", default=f"{TLS_FOLDER}/key.pem"),
        ),
        maximum=0,
    )
}
