"""Passes on what comes to a published port that the kernel cannot turn to the container by itself: connections to ::1,
and those of the family that the container has no address of. Bounded in connections and in bytes; nothing waits here.

The container sees the host as the other end, as it does with every published port reached from the host itself.
"""

from __future__ import annotations

import socket
import time

from .loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..networks.attach import Held
    from .loop import Loop, Timer

MOST_CONNECTIONS = 256
BUFFER_BYTES = 1 << 18
DATAGRAM_IDLE_S = 60.0
_PIECE_BYTES = 1 << 16
_ANCILLARY_BYTES = 128
_IP_PKTINFO = 8
_IN_PKTINFO_BYTES, _IN6_PKTINFO_BYTES, _LINK_LOCAL = 12, 20, 0xFE
_BATCH = 32


class Relay:
    """One listening socket of a published port. `close` ends all that came through it; the socket stays its owner's."""

    def __init__(self, loop: Loop, held: Held) -> None:
        assert held.target is not None
        self._loop = loop
        self._listener = held.socket
        self._target = held.target
        self._pairs: set[_Pair] = set()
        self._peers: dict[tuple[tuple[str, int], bytes], _Peer] = {}
        self._accepting = False
        self._listener.setblocking(False)
        self._stream = held.protocol == "tcp"
        if not self._stream:
            # Whoever asks one of the host's addresses must be answered by that one.
            if self._listener.family == socket.AF_INET6:
                self._listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                self._listener.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self._listen()

    def close(self) -> None:
        if self._accepting or not self._stream:
            self._loop.unwatch(self._listener.fileno())
        for pair in tuple(self._pairs):
            pair.close()
        for peer in tuple(self._peers.values()):
            peer.close()

    def _listen(self) -> None:
        if not self._stream:
            self._loop.watch(self._listener.fileno(), READ, lambda _events: self._receive())
        elif not self._accepting:
            self._accepting = True
            self._loop.watch(self._listener.fileno(), READ, lambda _events: self._accept())

    def _accept(self) -> None:
        try:
            client, _address = self._listener.accept()
        except OSError:
            return
        try:
            server = socket.socket(_family(self._target), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        except OSError:
            client.close()
            return
        self._pairs.add(_Pair(self._loop, client, server, self._target, self))
        if len(self._pairs) >= MOST_CONNECTIONS:  # the rest wait in the kernel's queue
            self._accepting = False
            self._loop.unwatch(self._listener.fileno())

    def forget(self, pair: _Pair) -> None:
        self._pairs.discard(pair)
        if self._listener.fileno() >= 0 and len(self._pairs) < MOST_CONNECTIONS:
            self._listen()

    def _receive(self) -> None:
        for _ in range(_BATCH):
            try:
                data, told, _flags, client = self._listener.recvmsg(_PIECE_BYTES, _ANCILLARY_BYTES)
            except OSError:
                return
            from_here = _from_here(told)
            peer = self._peers.get((client, from_here))
            if peer is None:
                if len(self._peers) >= MOST_CONNECTIONS:
                    min(self._peers.values(), key=lambda one: one.used_s).close()
                try:
                    peer = _Peer(self._loop, self._listener, (client, from_here), self._target, self._peers)
                except OSError:
                    continue
                self._peers[client, from_here] = peer
            peer.send(data)


class _Pair:
    """A connection from outside and the one to the container, each the other's end."""

    def __init__(
        self, loop: Loop, client: socket.socket, server: socket.socket, target: tuple[str, int], relay: Relay
    ) -> None:
        self._loop = loop
        self._relay = relay
        self._closed = False
        self._ways = (_Way(client, server), _Way(server, client))
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connected = False
        try:
            server.connect(target)
        except BlockingIOError:
            pass
        except OSError:
            # Closed from the loop: whoever made this pair does not yet have it.
            self._loop.later(0, self.close)
            return
        self._watch()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for way in self._ways:
            self._loop.unwatch(way.source.fileno())
            way.source.close()
        self._relay.forget(self)

    def _ready(self, way: _Way, back: _Way, events: int) -> None:
        """An end is ready: `way` begins there, `back` leads there."""
        if self._closed:
            return
        try:
            if way is self._ways[1] and not self._connected:
                problem = way.source.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if problem:
                    raise ConnectionRefusedError(problem, "")
                self._connected = True
            if events & ~WRITE:
                way.read()
                if self._connected:
                    way.write()
            if events & WRITE:
                back.write()
        except BlockingIOError:
            pass
        except OSError:
            self._reset()
            return
        if all(one.over for one in self._ways):
            self.close()
            return
        self._watch()

    def _reset(self) -> None:
        """What broke on one side breaks on the other: no half of a message passes for all of it."""
        for way in self._ways:
            try:
                way.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            except OSError:
                continue
        self.close()

    def _watch(self) -> None:
        for way, back in (self._ways, self._ways[::-1]):
            mask = READ if way.wants_data else 0
            if back.waiting or (way is self._ways[1] and not self._connected):
                mask |= WRITE
            fd = way.source.fileno()
            if mask:
                self._loop.watch(fd, mask, lambda events, way=way, back=back: self._ready(way, back, events))  # type: ignore[misc]
            else:
                self._loop.unwatch(fd)  # a hang-up would be told for ever


class _Way:
    """What goes from one end to the other."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self._sink = sink
        self._held = bytearray()
        self._ended = False
        self.over = False

    @property
    def wants_data(self) -> bool:
        return not self._ended and len(self._held) < BUFFER_BYTES

    @property
    def waiting(self) -> bool:
        return bool(self._held) or (self._ended and not self.over)

    def read(self) -> None:
        if not self.wants_data:
            return
        data = self.source.recv(_PIECE_BYTES)
        if data:
            self._held += data
        else:
            self._ended = True

    def write(self) -> None:
        if self._held:
            del self._held[: self._sink.send(self._held)]
        if self._ended and not self._held and not self.over:
            self.over = True
            self._sink.shutdown(socket.SHUT_WR)


class _Peer:
    """One who sends datagrams, with a socket of his own towards the container. `key`: his address, and ours to which he
    sent, as the kernel says it."""

    def __init__(
        self,
        loop: Loop,
        outside: socket.socket,
        key: tuple[tuple[str, int], bytes],
        target: tuple[str, int],
        peers: dict[tuple[tuple[str, int], bytes], _Peer],
    ) -> None:
        self._loop = loop
        self._outside = outside
        self._key = key
        inet6 = outside.family == socket.AF_INET6
        level, kind = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) if inet6 else (socket.IPPROTO_IP, _IP_PKTINFO)
        self._ancillary = [(level, kind, key[1])] if key[1] else []
        self._peers = peers
        self._inside = socket.socket(_family(target), socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._inside.setblocking(False)
            self._inside.connect(target)
        except OSError:
            self._inside.close()
            raise
        self.used_s = time.monotonic()
        self._timer: Timer = loop.later(DATAGRAM_IDLE_S, self._check)
        loop.watch(self._inside.fileno(), READ, lambda _events: self._receive())

    def send(self, data: bytes) -> None:
        self.used_s = time.monotonic()
        try:
            self._inside.send(data)
        except OSError:  # nobody listens there, or there is no room: datagrams get lost
            pass

    def close(self) -> None:
        self._timer.cancel()
        self._peers.pop(self._key, None)
        self._loop.unwatch(self._inside.fileno())
        self._inside.close()

    def _receive(self) -> None:
        for _ in range(_BATCH):
            try:
                data = self._inside.recv(_PIECE_BYTES)
                self._outside.sendmsg([data], self._ancillary, 0, self._key[0])
            except OSError:
                return
            self.used_s = time.monotonic()

    def _check(self) -> None:
        left_s = self.used_s + DATAGRAM_IDLE_S - time.monotonic()
        if left_s <= 0:
            self.close()
        else:
            self._timer = self._loop.later(left_s, self._check)


_RESET = b"\1\0\0\0\0\0\0\0"
"""struct linger: on, for no time: the other end is told by a reset."""


def _from_here(told: list[tuple[int, int, bytes]]) -> bytes:
    """The kernel's word for the address that a datagram came to, as it is given back with the answer: without the
    interface, which the way back need not be, unless the address means nothing without it."""
    for _level, _kind, value in told:
        if len(value) == _IN6_PKTINFO_BYTES:
            return value if value[0] == _LINK_LOCAL else value[:16] + bytes(4)
        if len(value) == _IN_PKTINFO_BYTES:
            return bytes(4) + value[4:8] + bytes(4)
    return b""


def _family(target: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in target[0] else socket.AF_INET
