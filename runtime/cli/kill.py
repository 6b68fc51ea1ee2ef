"""`kill [--all] ID [SIGNAL]`; the signal by number or name, with or without SIG (default SIGTERM)."""

from __future__ import annotations

from ..container import Container
from ..kernel import signals
from .options import SWITCH, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

OPTIONS = {"all": SWITCH}
ALIASES = {"a": "all"}
USAGE = "ID [SIGNAL]"


def run(options: Options, context: Context) -> int:
    if not 1 <= len(options.arguments) <= 2:
        raise UsageError("kill takes a container id and a signal")
    name = options.arguments[1] if len(options.arguments) == 2 else "SIGTERM"
    number = parse_signal(name)
    Container.load(context.root, options.arguments[0]).kill(number, all=options.switch("all"))
    return 0


def parse_signal(text: str) -> int:
    """A signal's number from what a person writes: 9, KILL, SIGKILL, RTMIN+3."""
    if text.isascii() and text.isdecimal():
        number = int(text)
        if number < 65:
            return number
        raise UsageError(f'"{text}" is not a signal')
    name = text.upper().removeprefix("SIG")
    base, plus, offset = name.partition("+")
    if base not in signals.NUMBERS or (plus and not (offset.isascii() and offset.isdecimal())):
        raise UsageError(f'"{text}" is not a signal')
    return signals.NUMBERS[base] + (int(offset) if plus else 0)
