"""Sizes, times, states, tables, suggestions and detach keys."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli import units
from engine.cli.detach_keys import DetachMatcher, parse_detach_keys
from engine.cli.errors import UsageError
from engine.cli.status_text import command_text, ports_text, status_text
from engine.cli.suggest import closest, edit_distance
from engine.cli.table import printable, table
from engine.models import Container, Endpoint, PortMapping

SECOND = 10**9


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (999, "999B"), (1000, "1kB"), (8_312_345, "8.31MB"), (1_230_000_000, "1.23GB")]
)
def test_decimal_sizes(size: int, text: str) -> None:
    assert units.decimal_size(size) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0B"), (5_726_208, "5.461MiB"), (64 << 20, "64MiB"), (1 << 30, "1GiB")])
def test_binary_sizes(size: int, text: str) -> None:
    assert units.binary_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (3599, "59 minutes"),
        (3600, "About an hour"),
        (7200, "2 hours"),
        (3 * 86400, "3 days"),
        (20 * 86400, "2 weeks"),
        (90 * 86400, "3 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_durations_in_words(seconds: int, text: str) -> None:
    assert units.human_duration(seconds * SECOND) == text


def test_times_are_read_in_every_form_docker_takes() -> None:
    assert units.parse_time("", "--since") == 0
    assert units.parse_time("1700000000.5", "--since") == 1_700_000_000_500_000_000
    assert units.parse_time("2023-11-14T22:13:20Z", "--since") == 1_700_000_000 * SECOND
    assert units.parse_time("2023-11-14T23:13:20.25+01:00", "--since") == 1_700_000_000 * SECOND + 250_000_000
    assert abs(units.parse_time("10m", "--since") - (time.time_ns() - 600 * SECOND)) < SECOND
    with pytest.raises(UsageError, match="--since"):
        units.parse_time("yesterday", "--since")


@given(st.integers(min_value=1, max_value=2**62))
def test_written_times_are_read_back(time_ns: int) -> None:
    assert units.parse_time(units.rfc3339(time_ns), "--since") == time_ns


def container(**changes: object) -> Container:
    base = Container(id="a" * 64, name="web", image="toolbox", image_id="sha256:b", command=("sh",), created_ns=SECOND)
    return base.replace(**changes)


def test_states_in_docker_words() -> None:
    now = 1000 * SECOND
    started = now - 5 * SECOND
    assert status_text(container(), now) == "Created"
    assert status_text(container(state="running", started_ns=started), now) == "Up 5 seconds"
    assert status_text(container(state="paused", started_ns=started), now) == "Up 5 seconds (Paused)"
    ended = container(state="exited", exit_code=7, finished_ns=started)
    assert status_text(ended, now) == "Exited (7) 5 seconds ago"
    oom = ended.replace(exit_code=137, oom_killed=True)
    assert status_text(oom, now) == "Exited (137) 5 seconds ago (OOM killed)"


def test_ports_are_joined_to_ranges() -> None:
    ports = tuple(PortMapping(container_port=80 + i, host_port=8080 + i) for i in range(3))
    row = container(
        state="running",
        endpoints=(Endpoint(network="bridge", ports=ports),),
        exposed_ports=("80/tcp", "53/udp"),
    )
    assert ports_text(row) == "0.0.0.0:8080-8082->80-82/tcp, 53/udp"


def test_commands_are_quoted() -> None:
    assert command_text(("sh", "-c", 'echo "hi"\n')) == '"sh -c echo \\"hi\\"\\n"'


def test_tables_are_aligned_and_safe() -> None:
    text = table(("A", "LONGER", "C"), [("long value", "x", "1"), ("y", "evil\x1b[2J", "2")])
    assert text.splitlines() == [
        "A            LONGER        C",
        "long value   x             1",
        "y            evil\\x1b[2J   2",
    ]
    assert printable("ok ü") == "ok ü"


def test_suggestions() -> None:
    assert closest("imges", ("images", "image", "ps")) in ("images", "image")
    assert closest("xyzzy", ("images", "ps")) == ""
    assert closest("sp", ("ps", "run")) == "ps"


@given(st.text(max_size=8), st.text(max_size=8))
def test_distance_is_symmetric_and_zero_only_for_equals(left: str, right: str) -> None:
    assert edit_distance(left, right) == edit_distance(right, left)
    assert (edit_distance(left, right) == 0) == (left == right)


def test_detach_keys_are_read() -> None:
    assert parse_detach_keys("") == b"\x10\x11"
    assert parse_detach_keys("ctrl-a,d") == b"\x01d"
    assert parse_detach_keys("ctrl-@,ctrl-[,ctrl-_") == b"\x00\x1b\x1f"
    for wrong in ("ctrl-", "ctrl-pp", "ab", "a,,b", "ctrl-1"):
        with pytest.raises(UsageError, match="invalid detach keys"):
            parse_detach_keys(wrong)


def test_the_sequence_leaves_and_what_was_typed_before_goes_through() -> None:
    matcher = DetachMatcher(b"\x10\x11")
    assert matcher.feed(b"ls\n\x10") == (b"ls\n", False)
    assert matcher.holding
    assert matcher.feed(b"\x11rest") == (b"", True)


def test_a_started_sequence_goes_through_when_it_ends_differently() -> None:
    matcher = DetachMatcher(b"\x10\x11")
    assert matcher.feed(b"\x10x") == (b"\x10x", False)
    assert matcher.feed(b"\x10\x10\x11") == (b"\x10", True)
    matcher.feed(b"\x10")
    assert matcher.release() == b"\x10"
    assert not matcher.holding


@given(st.lists(st.binary(max_size=5), max_size=20), st.binary(min_size=1, max_size=4))
def test_no_key_is_lost_however_input_is_cut(pieces: list[bytes], sequence: bytes) -> None:
    """What goes through plus what leaves is what was typed, up to the end of the sequence."""
    matcher = DetachMatcher(sequence)
    through, typed, left = b"", b"", False
    for piece in pieces:
        typed += piece
        passed, left = matcher.feed(piece)
        through += passed
        if left:
            break
    whole = b"".join(pieces)
    assert left == (sequence in whole)
    if left:
        assert through == whole[: whole.index(sequence)]
    else:
        assert through + matcher.release() == typed
