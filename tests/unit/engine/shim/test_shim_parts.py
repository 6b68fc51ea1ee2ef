"""Frames, the replayed screen, restart rules, and the streams between a process and its watchers."""

from __future__ import annotations

import os
import pty
import socket
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.session import Session
from engine.models import Container, RestartPolicy
from engine.shim import frames
from engine.shim.client import BACKLOG_BYTES, Client
from engine.shim.loop import Loop
from engine.shim.replay import Replay
from engine.shim.restart import Restarts, wanted_at_boot
from engine.shim.stdio import Stdio
from engine.shim.streams import near_and_far

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@given(st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=300))), st.integers(1, 97))
def test_frames_arrive_whole_in_any_pieces(sent: list[tuple[int, bytes]], step: int) -> None:
    data = b"".join(frames.frame(kind, payload) for kind, payload in sent)
    decoder = frames.Decoder()
    received = [frame for start in range(0, len(data), step) for frame in decoder.feed(data[start : start + step])]
    assert received == sent


def test_a_frame_of_four_gigabytes_is_refused() -> None:
    with pytest.raises(frames.ProtocolError, match="too large"):
        frames.Decoder().feed(b"\x01\xff\xff\xff\xff")


def test_replay_keeps_the_end_and_the_modes_set_before_it() -> None:
    replay = Replay(kept_bytes=1000)
    replay.feed(b"\x1b[?1049h\x1b[?1;2004h")
    for number in range(1000):
        replay.feed(b"line %d\r\n" % number)
    kept = replay.bytes()
    assert kept.startswith(b"\x1b[?1049h\x1b[?1h\x1b[?2004h")
    assert kept.endswith(b"line 999\r\n")
    assert len(kept) < 2200


def test_replay_forgets_a_mode_that_was_reset() -> None:
    replay = Replay(kept_bytes=100)
    replay.feed(b"\x1b[?1049h" + b"full screen\r\n" * 20 + b"\x1b[?1049l" + b"shell again\r\n" * 100)
    assert b"\x1b[?1049l" in replay.bytes()
    assert b"\x1b[?1049h" not in replay.bytes()


@pytest.mark.parametrize(
    ("policy", "code", "restarts", "expected"),
    [
        ("no", 1, 0, False),
        ("always", 0, 99, True),
        ("unless-stopped", 0, 0, True),
        ("on-failure", 0, 0, False),
        ("on-failure", 1, 0, True),
        ("on-failure", 1, 3, False),
    ],
)
def test_restart_rules(policy: str, code: int, restarts: int, expected: bool) -> None:
    rule = RestartPolicy(name=policy, maximum_retries=3)
    again = Restarts()
    again.count = restarts
    assert again.next_delay_s(rule, code, ran_s=0, stop_requested=True) is None
    assert (again.next_delay_s(rule, code, ran_s=0, stop_requested=False) is not None) is expected
    assert again.count == restarts + expected


def test_back_off_doubles_to_a_minute_and_begins_anew_after_ten_seconds() -> None:
    again, rule = Restarts(), RestartPolicy(name="always")

    def delays(number: int, ran_s: float) -> list[float | None]:
        return [again.next_delay_s(rule, 0, ran_s=ran_s, stop_requested=False) for _ in range(number)]

    assert delays(11, 9.9) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0]
    assert delays(2, 0) == [60.0, 60.0]
    assert delays(2, 10) == [0.1, 0.1]
    assert delays(1, 0) == [0.2]
    assert again.count == 16, "the count goes on"


def test_on_failure_gives_up_after_its_number_and_begins_with_nothing_counted() -> None:
    again, rule = Restarts(), RestartPolicy(name="on-failure", maximum_retries=2)
    assert [again.next_delay_s(rule, 1, ran_s=0, stop_requested=False) for _ in range(4)] == [0.1, 0.2, None, None]


@pytest.mark.parametrize(
    ("policy", "code", "stopped", "expected"),
    [
        ("no", 255, False, False),
        ("always", 0, False, True),
        ("always", 137, True, True),
        ("unless-stopped", 255, False, True),
        ("unless-stopped", 255, True, False),
        ("on-failure", 255, False, True),
        ("on-failure", 0, False, False),
        ("on-failure", 137, True, False),
    ],
)
def test_what_is_started_at_boot(policy: str, code: int, stopped: bool, expected: bool) -> None:
    row = Container(
        id="0" * 64, name="n", image="i", image_id="", command=(), created_ns=1, started_ns=2, finished_ns=3,
        state="exited", exit_code=code, stop_requested=stopped, restart=RestartPolicy(name=policy),
    )  # fmt: skip
    assert wanted_at_boot(row) is expected
    assert wanted_at_boot(row.replace(started_ns=0, state="created")) is False
    assert wanted_at_boot(row.replace(state="running")) is False


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def _client(loop: Loop) -> tuple[Client, Session]:
    ours, theirs = socket.socketpair()
    return Client(loop, ours), Session(theirs)


def _run(loop: Loop, seconds: float, until: Callable[[], object]) -> None:
    """Serve until something holds, asked every few milliseconds."""
    deadline = time.monotonic() + seconds

    def tick() -> None:
        loop.later(0.002, tick)

    tick()
    loop.run(lambda: bool(until()) or time.monotonic() > deadline)


def test_a_terminal_replays_to_a_late_client_and_types_for_it(loop: Loop) -> None:
    master, slave = pty.openpty()
    stdio = Stdio(loop, master_fd=master, kill=lambda _number: None)
    os.write(slave, b"before\n")
    _run(loop, 5, lambda: b"before" in stdio._replay.bytes())  # type: ignore[union-attr]
    client, session = _client(loop)
    stdio.attach(client)
    frame = session.read_available()[0]
    assert (frame.kind, frame.data) == ("replay", b"before\r\n")
    session.send(b"typed\n")
    got: list[bytes] = []
    os.set_blocking(slave, False)

    def read() -> bool:
        try:
            got.append(os.read(slave, 100))
        except BlockingIOError:
            return False
        return True

    _run(loop, 5, read)
    assert got == [b"typed\n"]
    session.resize(7, 33)
    _run(loop, 5, lambda: os.get_terminal_size(slave) == (33, 7))
    assert os.get_terminal_size(slave) == (33, 7)
    os.close(slave)
    stdio.finish(0)
    session.close()


def test_a_slow_watcher_does_not_hold_the_process_up_and_is_told(loop: Loop) -> None:
    ours, theirs = near_and_far(tty=False, open_stdin=False)
    assert theirs
    stdio = Stdio(loop, stdout_fd=ours[1], stderr_fd=ours[2], kill=lambda _number: None)
    client, session = _client(loop)
    stdio.attach(client)
    os.set_blocking(theirs[1], False)
    written = 0

    def write() -> bool:
        nonlocal written
        try:
            written += os.write(theirs[1], b"x" * 65536)
        except BlockingIOError:
            pass
        return written > 8 * BACKLOG_BYTES

    _run(loop, 20, write)
    assert written > 8 * BACKLOG_BYTES
    received = []

    def told() -> bool:
        received.extend(session.read_available())
        return any(frame.kind == "stderr" for frame in received)

    _run(loop, 20, told)
    assert b"only in the log" in next(frame.data for frame in received if frame.kind == "stderr")
    for fd in theirs:
        os.close(fd)
    stdio.finish(0)
    session.close()


def test_the_foreground_client_loses_nothing_however_slow(loop: Loop) -> None:
    ours, theirs = near_and_far(tty=False, open_stdin=False)
    assert theirs
    stdio = Stdio(loop, stdout_fd=ours[1], stderr_fd=ours[2], kill=lambda _number: None)
    client, session = _client(loop)
    stdio.attach(client, foreground=True)
    os.set_blocking(theirs[1], False)
    total = 4 * BACKLOG_BYTES
    written = 0
    received = 0

    def step() -> bool:
        nonlocal written, received
        try:
            written += os.write(theirs[1], b"x" * min(65536, total - written))
        except BlockingIOError:
            received += sum(len(frame.data) for frame in session.read_available())
        if written == total:
            received += sum(len(frame.data) for frame in session.read_available())
        return received == total

    _run(loop, 30, step)
    assert received == total
    for fd in theirs:
        os.close(fd)
    stdio.finish(3)
    _run(loop, 5, lambda: session.wait_readable(0))
    assert [frame.code for frame in session.frames() if frame.kind == "exit"] == [3]


def test_end_of_standard_input_reaches_the_process_after_all_of_it(loop: Loop) -> None:
    ours, theirs = near_and_far(tty=False, open_stdin=True)
    assert theirs
    stdio = Stdio(loop, stdin_fd=ours[0], stdout_fd=ours[1], stderr_fd=ours[2], kill=lambda _number: None)
    client, session = _client(loop)
    stdio.attach(client)
    session.send(b"y" * 50_000)
    session.close_stdin()
    os.set_blocking(theirs[0], False)
    got = bytearray()
    ended = False

    def read() -> bool:
        nonlocal ended
        try:
            data = os.read(theirs[0], 65536)
        except BlockingIOError:
            return False
        got.extend(data)
        ended = not data
        return ended

    _run(loop, 10, read)
    assert ended
    assert len(got) == 50_000
    for fd in theirs:
        os.close(fd)
    stdio.finish(0)
    session.close()
