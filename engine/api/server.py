"""The server: listeners, one connection object per client, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import resource
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..errors import InvalidRequest
from .address import Address, Listener, is_activated, open_all
from .connection import Connection
from .service import Service
from .tls import TlsLayer, server_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from ..engine import Engine
    from .tls import TlsFiles

BACKLOG = 512


def serve(
    engine: Engine,
    addresses: Sequence[Address],
    ready: Callable[[str], None],
    *,
    default: Address,
    group: str = "",
    tls: TlsFiles | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told where. Without addresses: the sockets of systemd, else `default`.

    Raises `Conflict` when another server is there.
    """
    if not addresses:
        addresses = [Address("fd://")] if is_activated() else [default]
    context = server_context(tls) if tls else None
    if any(address.is_tcp for address in addresses):
        _check_tls(context)
    _allow_many_files()
    with ExitStack() as stack:
        listeners = open_all(addresses, group, stack)
        if any(listener.needs_tls for listener in listeners):
            _check_tls(context)
        asyncio.run(_run(engine, listeners, context, ready))


async def _run(
    engine: Engine, listeners: Sequence[Listener], context: ssl.SSLContext | None, ready: Callable[[str], None]
) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    service = Service(engine)
    service.begin()
    servers: list[asyncio.Server] = []
    for listener in listeners:
        if listener.needs_tls and context:
            made = await loop.create_server(_behind_tls(service, context), sock=listener.sock, backlog=BACKLOG)
        else:
            made = await loop.create_unix_server(lambda: Connection(service), sock=listener.sock, backlog=BACKLOG)
        servers.append(made)
    ready(", ".join(dict.fromkeys(listener.name for listener in listeners)))
    try:
        await end.wait()
    finally:
        for server in servers:
            server.close()
        service.close()


def _behind_tls(service: Service, context: ssl.SSLContext) -> Callable[[], TlsLayer]:
    return lambda: TlsLayer(context, Connection(service))


def _check_tls(context: ssl.SSLContext | None) -> None:
    if context is None:
        raise InvalidRequest(
            "a TCP address is served to clients with a certificate only",
            hint="Give --tlsverify with --tlscacert, --tlscert and --tlskey.",
        )


def _allow_many_files() -> None:
    """A client with a stream takes a handful of descriptors."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
