"""The name service of one container: 127.0.0.11 inside its network namespace, answered by its shim.

Names of containers on its networks are answered from the table of endpoints; all else is passed on: to the
resolvers that the container was made with, asked from its own network, or else to those of the host, if one of its
networks leads outside. Nothing waits here, and what a container can make its shim hold is bounded.
"""

from __future__ import annotations

import socket

from ..networks.namespace import InNetwork
from ..networks.redirect import NAME_SERVER, redirect_names
from . import dns_message as message
from .dns_forward import Exchange, HostResolvers
from .dns_message import MalformedError, Query
from .dns_names import Names
from .dns_stream import Streams
from .loop import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..paths import Paths
    from .loop import Loop

    Reply = Callable[[bytes], None]

MOST_UNDER_WAY = 128
_BATCH = 64
"""Questions taken before the loop looks after the shim's other work again."""
_QUESTION_BYTES = 4096
_NUMBER_BYTES = 2
_MOST_KNOWN = 512
"""Answers kept while nothing changes, by their questions without the number: asking again costs half."""


class NameService:
    """Begins with `start`, ends with `close`: while it has sockets the network namespace cannot go."""

    def __init__(self, loop: Loop, paths: Paths, container_id: str, servers: tuple[str, ...]) -> None:
        """`servers`: the container's own resolvers; none means the host's."""
        self._loop = loop
        self._names = Names(loop, paths, container_id)
        self._servers = [server for server in servers if server != NAME_SERVER]  # not in a circle
        self._host = HostResolvers()
        self._pid = 0
        self._datagrams: socket.socket | None = None
        self._streams: Streams | None = None
        self._under_way: set[Exchange] = set()
        self._known: dict[bytes, bytes] = {}
        self._generation = -1

    @property
    def running(self) -> bool:
        return self._datagrams is not None

    def start(self, pid: int) -> None:
        """Serve the network namespace of `pid`, whose lo is up. Raises OSError, EngineError."""
        with InNetwork(pid):
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                datagrams.bind((NAME_SERVER, 0))
                listener.bind((NAME_SERVER, 0))
                listener.listen(16)
                redirect_names(datagrams.getsockname()[1], listener.getsockname()[1])
            except BaseException:
                datagrams.close()
                listener.close()
                raise
        datagrams.setblocking(False)
        self._pid = pid
        self._datagrams = datagrams
        self._streams = Streams(self._loop, listener, self._answer_stream)
        self._loop.watch(datagrams.fileno(), READ, lambda _events: self._receive())

    def close(self) -> None:
        """Let go of the namespace; quiet when it was not begun."""
        for exchange in tuple(self._under_way):
            exchange.cancel()
        self._under_way.clear()
        if self._streams:
            self._streams.close()
            self._streams = None
        if self._datagrams:
            self._loop.unwatch(self._datagrams.fileno())
            self._datagrams.close()
            self._datagrams = None
        self._names.close()

    def _receive(self) -> None:
        assert self._datagrams is not None
        arrived: list[tuple[bytes, tuple[str, int]]] = []
        try:
            while len(arrived) < _BATCH:
                arrived.append(self._datagrams.recvfrom(_QUESTION_BYTES))
        except OSError:  # nothing more, or an asker that went away
            pass
        self._refresh()  # and no earlier: what changed before a question came is in its answer
        for data, asker in arrived:
            known = self._known.get(data[_NUMBER_BYTES:])
            if known is None:
                self._answer_datagram(data, asker)
                continue
            try:
                self._datagrams.sendto(data[:_NUMBER_BYTES] + known, asker)
            except OSError:
                pass

    def _answer_datagram(self, data: bytes, asker: tuple[str, int]) -> None:
        def reply(answer: bytes) -> None:
            if self._datagrams:
                try:
                    self._datagrams.sendto(answer, asker)
                except OSError:  # its socket is closed or full: it asks again, or never wanted to know
                    pass

        try:
            query = Query(data)
        except MalformedError as error:
            if error.answer:
                reply(error.answer)
            return
        self._answer(query, data, query.room_bytes, reply, stream=False)

    def _refresh(self) -> None:
        self._names.refresh()
        if self._generation != self._names.generation:
            self._generation = self._names.generation
            self._known.clear()

    def _answer_stream(self, data: bytes, room_bytes: int, reply: Reply) -> None:
        self._refresh()
        self._answer(Query(data), data, room_bytes, reply, stream=True)

    def _answer(self, query: Query, data: bytes, room_bytes: int, reply: Reply, *, stream: bool) -> None:
        addresses = self._names.addresses(query.name)
        if addresses is not None:
            records = [
                (kind, packed)
                for packed in addresses
                if query.kind in (kind := message.A if len(packed) == 4 else message.AAAA, message.ANY)
            ]
            answer = query.answer(message.NO_ERROR, records, room_bytes)
            if not stream and not self._names.turns(query.name) and len(self._known) < _MOST_KNOWN:
                self._known[data[_NUMBER_BYTES:]] = answer[_NUMBER_BYTES:]
            reply(answer)
            return
        if query.kind == message.PTR and (address := message.reversed_address(query.name)):
            name = self._names.name_of(address)
            if name is not None:
                self._answer_pointer(query, name, room_bytes, reply)
                return
        self._forward(query, data, room_bytes, reply, stream=stream)

    def _answer_pointer(self, query: Query, name: str, room_bytes: int, reply: Reply) -> None:
        try:
            wire = message.wire_name(name)
        except ValueError:  # nobody has the address, or a name that DNS cannot say
            reply(query.answer(message.NAME_ERROR, [], room_bytes))
            return
        reply(query.answer(message.NO_ERROR, [(message.PTR, wire)], room_bytes))

    def _forward(self, query: Query, data: bytes, room_bytes: int, reply: Reply, *, stream: bool) -> None:
        servers = [*self._servers] or (self._host.servers() if self._names.may_leave else [])
        if not servers or len(self._under_way) >= MOST_UNDER_WAY:
            reply(query.answer(message.SERVER_FAILURE, [], room_bytes))
            return

        def done(answer: bytes | None) -> None:
            self._under_way.discard(exchange)
            reply(answer or query.answer(message.SERVER_FAILURE, [], room_bytes))

        exchange = Exchange(
            self._loop,
            data,
            servers,
            done,
            stream=stream,
            namespace_pid=self._pid if self._servers else 0,
        )
        self._under_way.add(exchange)
        exchange.start()
