"""Tables on terminals: no line longer than the screen, what people copy kept longest, pipes get everything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.router import API_VERSION, text_of
from engine.cli import help as pages
from engine.cli.listing import print_rows
from engine.cli.main import load
from engine.cli.options import Command, parse, text
from engine.cli.table import columns_of, table
from runtime.spec import OCI_VERSION

HEADINGS = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")
ROWS = [
    (
        "ca137b11e1a7",
        "registry.example:5000/team/application:2026.11",
        '"sh -c \\"while :; do…"',
        "About a minute ago",
        "Exited (137) About a minute ago (OOM killed)",
        "0.0.0.0:8080->80/tcp, 0.0.0.0:8443-8445->443-445/tcp",
        "a-rather-long-name-for-a-database",
    ),
    ("0ca369e8eb3f", "toolbox", '"sh"', "2 weeks ago", "Up 2 weeks", "", "web"),
]
DROP = ("CREATED", "COMMAND")


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_list_of_containers_fits(width: int) -> None:
    lines = table(HEADINGS, ROWS, width=width, drop=DROP, firm=("STATUS",)).splitlines()
    assert max(map(len, lines)) <= width
    assert all(
        line.startswith(start) for line, start in zip(lines, ("CONTAINER ID", "ca137b11e1a7", "0ca3"), strict=True)
    )
    assert lines[2].endswith("web")
    assert "Exited (137) About" in lines[1]
    assert ("CREATED" in lines[0]) == (width >= 120)


def test_room_enough_changes_nothing() -> None:
    assert table(HEADINGS, ROWS, width=400, drop=DROP) == table(HEADINGS, ROWS)
    assert "   " in table(HEADINGS, ROWS).splitlines()[0]


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=4, max_size=4), max_size=5),
    st.integers(60, 200),
)
def test_any_text_fits_and_stays_in_its_line(rows: list[list[str]], width: int) -> None:
    """Wide letters count twice; line breaks and escapes cannot move the cursor."""
    lines = table(("ONE", "TWO", "THREE", "FOUR"), rows, width=width, drop=("TWO",)).splitlines()
    assert len(lines) == len(rows) + 1
    assert all(columns_of(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_cut_cell_says_so() -> None:
    lines = table(("NAME", "TEXT", "END"), [("a", "x" * 100, "z")], width=40).splitlines()
    assert "…" in lines[1]
    assert lines[1].endswith("  z")


def test_a_pipe_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"Name": "x" * 300, "ID": "1"}]
    print_rows(rows, (("NAME", "Name"), ("ID", "ID")), {}, drop=("ID",))
    assert "x" * 300 in capsys.readouterr().out


def test_json_is_format_json_wherever_there_is_a_format() -> None:
    command = Command("x", "", "", lambda context, options: 0, (text("--format", "FORMAT", ""),))
    assert parse(command, ["--json"]).text("format") == "json"
    assert parse(command, []).text("format") == ""
    for module, name in (
        ("ps", "ps"),
        ("images", "images"),
        ("inspect", "inspect"),
        ("info", "info"),
        ("disk", "system df"),
    ):
        assert any(option.name == "json" for option in load(module, name).options), name


def test_version_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.cli.main import main

    for name in ("DOCKER_HOST", "PYDOCK_HOST", "PYDOCK_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    assert main(["version", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["Server"]["ApiVersion"] == told["Client"]["ApiVersion"] == text_of(API_VERSION)
    assert told["Client"]["OciRuntimeSpec"] == OCI_VERSION


def test_pages_have_examples_and_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.cli.table.terminal_width", lambda: 80)
    page = pages.command_page(load("exec", "exec"))
    for part in ("Usage:", "Options:", "Examples:", "Exit codes:", "See also:"):
        assert part in page
    assert max(map(len, page.splitlines())) <= 80


def test_manual_entries_are_of_commands_that_exist() -> None:
    from engine.cli import manual
    from engine.cli.commands import GROUPS, PLAIN

    known = set(PLAIN) | {name for words in GROUPS.values() for _, name in words.values()}
    told = {*manual.DETAILS, *manual.EXAMPLES, *manual.EXIT_CODES, *manual.SEE_ALSO}
    assert told <= known
    assert {name for names in manual.SEE_ALSO.values() for name in names} <= known
