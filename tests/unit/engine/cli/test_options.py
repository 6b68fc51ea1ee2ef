"""Command lines are read as docker reads them."""

from __future__ import annotations

import pytest

from engine.cli.errors import UsageError
from engine.cli.help import command_page
from engine.cli.main import load
from engine.cli.options import Command, Parsed, flag, many, number, parse, text


def _nothing(_context: object, _options: Parsed) -> int:
    return 0


RUN = Command(
    "run",
    "IMAGE [COMMAND] [ARG...]",
    "Run",
    _nothing,
    (
        flag("-i, --interactive", "Keep open"),
        flag("-t, --tty", "Terminal"),
        flag("--sig-proxy", "Proxy", default=True),
        many("-e, --env", "KEY=VALUE", "Environment"),
        many("-p, --publish", "PORT", "Ports"),
        text("--name", "NAME", "Name"),
        number("-n, --last", "N", "Number", default=-1),
    ),
    minimum=1,
    interspersed=False,
)
PS = Command("ps", "", "List", _nothing, (flag("-a, --all", "All"),), maximum=0)
RENAME = Command("rename", "A B", "Rename", _nothing, minimum=2, maximum=2)


def test_clusters_of_flags() -> None:
    options = parse(RUN, ["-it", "image"])
    assert options.flag("interactive")
    assert options.flag("tty")
    assert options.arguments == ["image"]


@pytest.mark.parametrize("words", [["-eA=1"], ["-e", "A=1"], ["-e=A=1"], ["--env", "A=1"], ["--env=A=1"], ["-iteA=1"]])
def test_every_way_to_give_a_value(words: list[str]) -> None:
    assert parse(RUN, [*words, "image"]).many("env") == ("A=1",)


def test_repeated_options_keep_their_order() -> None:
    assert parse(RUN, ["-p", "1:1", "--publish=2:2", "image"]).many("publish") == ("1:1", "2:2")


def test_everything_after_the_image_belongs_to_the_command() -> None:
    options = parse(RUN, ["--name", "x", "image", "ls", "-l", "--name", "y"])
    assert options.text("name") == "x"
    assert options.arguments == ["image", "ls", "-l", "--name", "y"]


def test_options_may_follow_arguments_elsewhere() -> None:
    command = Command("rm", "NAME", "Remove", _nothing, (flag("-f, --force", "Force"),), minimum=1)
    options = parse(command, ["web", "-f"])
    assert options.flag("force")
    assert options.arguments == ["web"]


def test_two_dashes_end_the_options() -> None:
    assert parse(RUN, ["--", "-i"]).arguments == ["-i"]


def test_flags_can_be_turned_off() -> None:
    assert not parse(RUN, ["--sig-proxy=false", "image"]).flag("sig-proxy")
    assert not parse(RUN, ["-t=false", "image"]).flag("tty")
    assert parse(RUN, ["image"]).flag("sig-proxy")


def test_a_negative_number_is_a_value() -> None:
    assert parse(RUN, ["-n", "-1", "image"]).number("last") == -1


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--nmae", "x"], "unknown flag: --nmae", "did you mean --name?"),
        (["-x"], "unknown shorthand flag: 'x' in -x", ""),
        (["-itx"], "unknown shorthand flag: 'x' in -itx", ""),
        (["--name"], "flag needs an argument: --name", ""),
        (["-e"], "flag needs an argument: 'e' in -e", ""),
        (["--tty=maybe", "i"], 'invalid argument "maybe" for "-t, --tty" flag: neither true nor false', ""),
        (["-n", "x", "i"], 'invalid argument "x" for "-n, --last" flag: not a whole number', ""),
        ([], "'pydock run' requires at least 1 argument", ""),
    ],
)
def test_mistakes_are_named(words: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(RUN, words)
    assert caught.value.message == message
    assert caught.value.hint == hint


def test_counts_of_arguments() -> None:
    with pytest.raises(UsageError, match="accepts no arguments"):
        parse(PS, ["x"])
    with pytest.raises(UsageError, match="requires 2 arguments"):
        parse(RENAME, ["x"])


def test_help_wins_over_missing_arguments() -> None:
    assert parse(RUN, ["--help"]).help
    assert parse(PS, ["-h"]).help


def test_every_command_has_a_page_with_all_its_options() -> None:
    from engine.cli.commands import GROUPS, PLAIN

    places = {(module, name) for name, module in PLAIN.items()}
    places |= {place for group in GROUPS.values() for place in group.values()}
    for module, name in sorted(places):
        command = load(module, name)
        page = command_page(command)
        assert page.startswith(f"Usage:  pydock {name}")
        for option in command.options:
            assert option.names[-1] in page
            assert option.help.split()[0] in page
        assert max(len(line) for line in page.splitlines()) <= 110


def test_no_command_declares_an_option_twice() -> None:
    from engine.cli.commands import PLAIN

    for name, module in PLAIN.items():
        names = [spelled for option in load(module, name).options for spelled in option.names]
        assert len(names) == len(set(names)), name
