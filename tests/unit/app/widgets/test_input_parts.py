"""Detach keys, matches and the output queue, by themselves."""

import pytest

from app.emulator.emulator import Emulator
from app.emulator.feeder import BACKLOG_HIGH, Feeder
from app.widgets.detach import DetachKeys
from app.widgets.find import Matches


def names(typed: list[tuple[str, str | None]] | None) -> list[str] | None:
    return None if typed is None else [key for key, _ in typed]


def test_the_sequence_is_swallowed_and_anything_else_passes() -> None:
    keys = DetachKeys("ctrl-p,ctrl-q")
    assert names(keys.press("ctrl+p", None)) == []
    assert names(keys.press("ctrl+p", None)) == ["ctrl+p"]
    assert names(keys.press("x", "x")) == ["ctrl+p", "x"]
    assert names(keys.press("ctrl+p", None)) == []
    assert keys.press("ctrl+q", None) is None
    assert keys.flush() == []


def test_one_key_and_none() -> None:
    assert DetachKeys("a").press("a", "a") is None
    assert DetachKeys("ctrl-]").press("ctrl+right_square_bracket", None) is None
    assert names(DetachKeys("").press("ctrl+p", None)) == ["ctrl+p"]


@pytest.mark.parametrize("notation", ["shift-p", "ctrl-pp", "ab"])
def test_what_is_no_key_is_named(notation: str) -> None:
    with pytest.raises(ValueError, match=notation):
        DetachKeys(notation)


def test_matches_start_near_and_go_round() -> None:
    matches = Matches()
    matches.find("o", ["foo", "bar", "oops"])
    matches.first_from(1)
    assert matches.line == 2
    assert matches.label == "/o 3/4"
    matches.step(2)
    assert matches.line == 0
    matches.first_from(9)
    assert matches.line == 2
    matches.find("nothing", [])
    assert (matches.line, matches.label) == (-1, "/nothing 0/0")


class Parser:
    """Takes output, answers each piece that ends in a question mark."""

    def __init__(self) -> None:
        self.taken = b""

    def feed(self, data: bytes) -> None:
        self.taken += data

    def take_replies(self) -> bytes:
        return b"!" if self.taken.endswith(b"?") else b""


def parse(feeder: Feeder, parser: Parser, budget_s: float) -> bytes:
    emulator: Emulator = parser  # type: ignore[assignment]
    return feeder.parse(emulator, budget_s)


def test_a_frame_stops_when_its_time_is_over() -> None:
    feeder, parser = Feeder(), Parser()
    feeder.add(b"x" * (3 * BACKLOG_HIGH))
    parse(feeder, parser, 0)
    assert 0 < len(parser.taken) < BACKLOG_HIGH
    assert feeder.backlog == 3 * BACKLOG_HIGH - len(parser.taken)
    assert not feeder.drained()
    while feeder.backlog:
        parse(feeder, parser, 1)
    assert feeder.drained()
    assert not feeder.drained()


def test_old_questions_stay_unanswered() -> None:
    feeder, parser = Feeder(), Parser()
    feeder.add(b"old?", replay=True)
    feeder.add(b"new?")
    assert parse(feeder, parser, 1) == b"!"
