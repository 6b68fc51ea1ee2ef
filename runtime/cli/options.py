"""Command line options, parsed as runc's callers write them.

`-name` and `--name` are the same, values follow as the next word or after `=`, and switches may be given `=true` or
`=false`. Options may stand behind the container's id too, except where a foreign program's words follow it. argparse
would cost every start of the runtime 11 ms.
"""

from __future__ import annotations

SWITCH = "switch"
VALUE = "value"
NUMBER = "number"
LIST = "list"

_TRUE = ("true", "1", "t", "yes")
_FALSE = ("false", "0", "f", "no")


class UsageError(Exception):
    """The command line is wrong; the text says how, in one line."""


class Options:
    """Parsed options by name (without dashes) and the positional arguments that follow them."""

    def __init__(self) -> None:
        self.values: dict[str, str | bool | int | list[str]] = {}
        self.arguments: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else default

    def switch(self, name: str) -> bool:
        return self.values.get(name) is True

    def number(self, name: str, default: int = 0) -> int:
        value = self.values.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def list(self, name: str) -> list[str]:
        value = self.values.get(name)
        return value if isinstance(value, list) else []

    def given(self, name: str) -> bool:
        return name in self.values

    def no_argument(self) -> None:
        """Refuse positional arguments."""
        if self.arguments:
            raise UsageError(f'takes no arguments, not "{self.arguments[0]}"')

    def one_argument(self, what: str = "container id") -> str:
        """The only positional argument."""
        if len(self.arguments) != 1:
            wrong = "missing" if not self.arguments else f"too many arguments after {self.arguments[0]}"
            raise UsageError(f"{what} {wrong}" if not self.arguments else wrong)
        return self.arguments[0]


def parse(
    words: list[str], known: dict[str, str], aliases: dict[str, str] | None = None, *, mixed: bool = False
) -> Options:
    """Parse until the first positional argument, or with `mixed` all options wherever they stand. `known`: option
    name → kind. Raises UsageError."""
    options = Options()
    rest = list(words)
    while rest:
        word = rest[0]
        if word == "--":
            rest.pop(0)
            break
        if not word.startswith("-") or word == "-":
            if not mixed:
                break
            options.arguments.append(rest.pop(0))
            continue
        rest.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        name = (aliases or {}).get(name, name)
        kind = known.get(name)
        if kind is None:
            raise UsageError(f"unknown option {word}")
        if kind == SWITCH:
            options.values[name] = _switch(word, value) if equals else True
            continue
        if not equals:
            if not rest:
                raise UsageError(f"option {word} needs a value")
            value = rest.pop(0)
        _store(options, name, kind, value)
    options.arguments += rest
    return options


def _store(options: Options, name: str, kind: str, value: str) -> None:
    if kind == LIST:
        options.values.setdefault(name, [])
        options.list(name).append(value)
    elif kind == NUMBER:
        options.values[name] = whole_number(value, f"--{name}")
    else:
        options.values[name] = value


def whole_number(text: str, what: str) -> int:
    """A decimal integer and nothing else: no sign, space, prefix or underscore that int() would take."""
    digits = text[1:] if text.startswith("-") else text
    if not digits.isascii() or not digits.isdecimal():
        raise UsageError(f'{what}: "{text}" is not a number')
    return int(text)


def _switch(word: str, value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise UsageError(f"option {word} is true or false")
