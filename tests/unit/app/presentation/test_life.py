"""The states of a container over time, and JSON as rows."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.presentation.jsonrows import all_folds, at_path, default_folds, json_rows, path_text
from app.presentation.life import stretches
from engine.models import Event

SECOND = 1_000_000_000


def event(number: int, second: int, action: str) -> Event:
    return Event(id=number, time_ns=second * SECOND, type="container", action=action, actor="x")


def test_states_follow_the_events() -> None:
    events = [event(1, 0, "create"), event(2, 1, "start"), event(3, 5, "pause"), event(4, 8, "unpause"),
              event(5, 9, "exec_create"), event(6, 12, "die")]  # fmt: skip
    parts = stretches(events, state="exited", created_ns=0, started_ns=0, finished_ns=0, now_ns=20 * SECOND)
    assert [(part.word, (part.end_ns - part.start_ns) // SECOND) for part in parts] == [
        ("created", 1), ("running", 4), ("paused", 3), ("running", 4), ("stopped", 8)
    ]  # fmt: skip


def test_without_events_the_record_tells() -> None:
    parts = stretches([], state="paused", created_ns=1, started_ns=SECOND, finished_ns=0, now_ns=3 * SECOND)
    assert [part.word for part in parts] == ["created", "paused"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(categories=["L", "N", "P"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_unfolded_rows_are_the_document(document: Any) -> None:
    rows = json_rows(document, frozenset())
    text = "".join((f"{row.key}: " if row.key else "") + row.text + ("," if row.comma else "") for row in rows)
    assert json.loads(text) == document


@given(json_values)
def test_folding_all_leaves_one_level(document: Any) -> None:
    assert all(row.depth <= 1 for row in json_rows(document, all_folds(document)))


def test_folds_paths_and_counts() -> None:
    document = {"Config": {"Env": [str(number) for number in range(20)]}, "Name": "/web"}
    assert default_folds(document) == {("Config", "Env")}
    rows = json_rows(document, {("Config", "Env")})
    assert [row.text for row in rows if row.kind == "folded"] == ["[ 20 items ]"]
    assert at_path(document, ("Config", "Env", 3)) == "3"
    assert path_text(("Config", "Env", 3)) == "Config.Env[3]"
