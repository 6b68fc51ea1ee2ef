"""Options of every command: declared once, parsed here, and shown on the help page that is made from them.

The rules are those of docker's parser (pflag): `--name value`, `--name=value`, `-n value`, `-nvalue`, clusters of
flags (`-it`), negatable flags (`--tty=false`), `--` ends the options. A command whose last argument is somebody
else's command line (run, exec) stops at the first argument. argparse would cost 11 ms in every command and does
not follow them.
"""

from __future__ import annotations

from .errors import UsageError
from .suggest import closest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from .context import Context

    Kind = Literal["flag", "text", "number", "many"]
    Value = bool | int | str | tuple[str, ...]

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


class Option:
    """One option. `names` has the long name last; `default` is what the parser answers when it is not given."""

    __slots__ = ("default", "help", "kind", "metavar", "name", "names")

    def __init__(self, names: str, kind: Kind, help: str, metavar: str, default: Value | None) -> None:
        self.names = tuple(names.split(", "))
        self.name = self.names[-1].lstrip("-")
        self.kind = kind
        self.help = help
        self.metavar = metavar
        self.default = default

    def __str__(self) -> str:
        return ", ".join(self.names)


def flag(names: str, help: str, *, default: bool = False) -> Option:
    """An option without a value; `--name=false` turns it off."""
    return Option(names, "flag", help, "", default)


def text(names: str, metavar: str, help: str, *, default: str = "") -> Option:
    """An option with one value; the last one given counts."""
    return Option(names, "text", help, metavar, default)


def number(names: str, metavar: str, help: str, *, default: int | None = None) -> Option:
    """An option with a whole number."""
    return Option(names, "number", help, metavar, default)


def many(names: str, metavar: str, help: str) -> Option:
    """An option that may be repeated; its values come in order."""
    return Option(names, "many", help, metavar, ())


_JSON = flag("--json", "The same as --format json")


class Command:
    """A command: what `pydock help` says of it, its options, and the function that does it."""

    __slots__ = (
        "aliases",
        "arguments",
        "description",
        "docker_codes",
        "handler",
        "interspersed",
        "maximum",
        "minimum",
        "name",
        "options",
        "summary",
    )

    def __init__(
        self,
        name: str,
        arguments: str,
        summary: str,
        handler: Callable[[Context, Parsed], int],
        options: Sequence[Option] = (),
        *,
        minimum: int = 0,
        maximum: int | None = None,
        interspersed: bool = True,
        description: str = "",
        aliases: Sequence[str] = (),
        docker_codes: bool = False,
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.summary = summary
        self.handler = handler
        names = {option.name for option in options}
        self.options = (*options, _JSON) if "format" in names and "json" not in names else tuple(options)
        self.minimum = minimum
        self.maximum = maximum
        self.interspersed = interspersed
        self.description = description
        self.aliases = tuple(aliases)
        self.docker_codes = docker_codes  # errors keep 125, 126, 127; without it they are all 1


class Parsed:
    """The options of one command line by long name, and the arguments that remain."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.arguments: list[str] = []
        self.help = False
        self._values: dict[str, Value | None] = {option.name: option.default for option in command.options}
        self._given: set[str] = set()

    def given(self, name: str) -> bool:
        """Whether the option was on the command line."""
        return name in self._given

    def flag(self, name: str) -> bool:
        return bool(self._values[name])

    def text(self, name: str) -> str:
        return str(self._values[name])

    def number(self, name: str) -> int | None:
        value = self._values[name]
        return value if isinstance(value, int) else None

    def many(self, name: str) -> tuple[str, ...]:
        value = self._values[name]
        return value if isinstance(value, tuple) else ()

    def set(self, option: Option, text: str) -> None:
        """Take one value as it was typed; raises `UsageError` when it does not fit the option's kind."""
        self._given.add(option.name)
        if option.kind == "many":
            self._values[option.name] = (*self.many(option.name), text)
        elif option.kind == "text":
            self._values[option.name] = text
        elif option.kind == "number":
            try:
                self._values[option.name] = int(text, 10)
            except ValueError:
                raise _bad_value(self.command.name, option, text, "not a whole number") from None
        elif text in _TRUE:
            self._values[option.name] = True
            if option is _JSON:
                self._values["format"] = "json"
        elif text in _FALSE:
            self._values[option.name] = False
        else:
            raise _bad_value(self.command.name, option, text, "neither true nor false")


def parse(command: Command, words: Sequence[str]) -> Parsed:
    """Read a command's options and arguments; raises `UsageError` with docker's words."""
    parsed = Parsed(command)
    by_name = {name: option for option in command.options for name in option.names}
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            parsed.arguments.extend(words[index:])
            break
        if word == "-" or not word.startswith("-"):
            parsed.arguments.append(word)
            if not command.interspersed:
                parsed.arguments.extend(words[index:])
                break
        elif word.startswith("--"):
            index += _take_long(parsed, by_name, word, words[index:])
        else:
            index += _take_short(parsed, by_name, word, words[index:])
        if parsed.help:
            return parsed
    _check_count(command, parsed.arguments)
    return parsed


def _take_long(parsed: Parsed, by_name: dict[str, Option], word: str, rest: Sequence[str]) -> int:
    name, equals, value = word.partition("=")
    if name == "--help" and not equals:
        parsed.help = True
        return 0
    option = by_name.get(name)
    if option is None:
        raise UsageError(f"unknown flag: {name}", parsed.command.name, suggestion=closest(name, by_name))
    if equals:
        parsed.set(option, value)
        return 0
    if option.kind == "flag":
        parsed.set(option, "true")
        return 0
    if not rest:
        raise UsageError(f"flag needs an argument: {name}", parsed.command.name)
    parsed.set(option, rest[0])
    return 1


def _take_short(parsed: Parsed, by_name: dict[str, Option], word: str, rest: Sequence[str]) -> int:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        option = by_name.get(f"-{letter}")
        if option is None:
            if letter == "h":
                parsed.help = True
                return 0
            long = f"--{word.lstrip('-')}"
            raise UsageError(
                f"unknown shorthand flag: {letter!r} in {word}",
                parsed.command.name,
                suggestion=long if long in by_name else "",
            )
        if option.kind == "flag" and not letters.startswith("="):
            parsed.set(option, "true")
            continue
        if letters:
            parsed.set(option, letters[1:] if letters.startswith("=") else letters)
            return 0
        if not rest:
            raise UsageError(f"flag needs an argument: {letter!r} in {word}", parsed.command.name)
        parsed.set(option, rest[0])
        return 1
    return 0


def _bad_value(command: str, option: Option, text: str, why: str) -> UsageError:
    return UsageError(f'invalid argument "{text}" for "{option}" flag: {why}', command)


def _check_count(command: Command, arguments: Sequence[str]) -> None:
    count = len(arguments)
    if count >= command.minimum and (command.maximum is None or count <= command.maximum):
        return
    if command.maximum == 0:
        wanted = "accepts no arguments"
    elif command.maximum == command.minimum:
        wanted = f"requires {command.minimum} argument{'s' if command.minimum != 1 else ''}"
    elif count < command.minimum:
        wanted = f"requires at least {command.minimum} argument{'s' if command.minimum != 1 else ''}"
    else:
        wanted = f"accepts at most {command.maximum} argument{'s' if command.maximum != 1 else ''}"
    raise UsageError(f"'pydock {command.name}' {wanted}", command.name, exit_code=1)
