"""`pydock`: finds the command, runs it, and turns every error into one line and an exit code.

Only what a command needs is imported: `pydock ps` must not pay for what `pydock pull` uses.
"""

from __future__ import annotations

import gc
import os
import sys

from .commands import ABSENT, GROUPS, PLAIN, SECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import NotFound
    from .context import Context
    from .hosts import Asked
    from .options import Command

VERSION = "0.1.0"
_WITH_VALUE = (
    *("--root", "--run-root", "-H", "--host", "-c", "--context", "-l", "--log-level"),
    *("--tlscacert", "--tlscert", "--tlskey"),
)


def main(words: Sequence[str] | None = None) -> int:
    """The console script. Returns the exit code when given words; without, it leaves the process with it."""
    from .border import guarded

    if words is not None:
        return guarded(_run, list(words))
    # a command's objects live as long as the command: collecting among them costs a tenth of the imports
    gc.set_threshold(50_000)
    code = guarded(_run, sys.argv[1:])
    # everything is flushed; taking the interpreter apart would cost some milliseconds more
    os._exit(code)


def _run(words: list[str]) -> int:
    from .errors import UsageError
    from .suggest import closest

    if words[:1] == ["__complete"]:
        from .complete import answer

        return answer(words[1:], _global_options)
    before, words = _global_options(words)
    if not words:
        sys.stdout.write(_overview())
        return 0
    word, rest = words[0], words[1:]
    if word == "help":
        return _help(rest)
    if word in PLAIN:
        command = load(PLAIN[word], word)
    elif word in GROUPS:
        if not rest or rest[0] in ("--help", "-h", "help"):
            sys.stdout.write(_group_overview(word))
            return 0
        name, rest = rest[0], rest[1:]
        if name not in GROUPS[word]:
            meant = closest(name, GROUPS[word])
            raise UsageError(
                f"unknown command: pydock {word} {name}",
                suggestion=f"pydock {word} {meant}" if meant else "",
                exit_code=1,
            )
        command = load(*GROUPS[word][name])
    else:
        if word in ABSENT:
            raise UsageError(f"pydock has no {word}", cure=ABSENT[word], exit_code=1)
        meant = closest(word, (*PLAIN, *GROUPS))
        raise UsageError(f"unknown command: pydock {word}", suggestion=f"pydock {meant}" if meant else "", exit_code=1)
    return _call(command, rest, before)


def load(module: str, name: str) -> Command:
    """The declaration of one command; imports its module."""
    commands: dict[str, Command] = __import__(module, globals(), None, ["COMMANDS"], 1).COMMANDS
    return commands[name]


def _call(command: Command, words: list[str], before: Before) -> int:
    from ..errors import EngineError
    from .border import complain, suggest_with
    from .errors import UsageError
    from .options import parse

    parsed = parse(command, words)
    if parsed.help:
        from .help import command_page

        sys.stdout.write(command_page(command))
        return 0
    context = before.context()
    suggest_with(lambda error: _meant(context, error))
    try:
        return command.handler(context, parsed)
    except UsageError:
        raise
    except EngineError as error:
        return complain(error, None if command.docker_codes else 1)
    finally:
        suggest_with(None)
        context.close()


def _meant(context: Context, error: NotFound) -> str:
    from .meant import hint

    return hint(context, error)


def _global_options(words: list[str]) -> tuple[Before, list[str]]:
    """Take the options before the command; returns them and what follows."""
    before = Before()
    while words and words[0].startswith("-") and words[0] != "-":
        name, equals, value = words[0].partition("=")
        words = words[1:]
        if not name.startswith("--") and len(name) > 2 and name[:2] in ("-H", "-c", "-l"):
            name, equals, value = name[:2], "=", name[2:] + equals + value
        if name in _WITH_VALUE:
            if not equals:
                if not words:
                    from .errors import UsageError

                    raise UsageError(f"flag needs an argument: {name}")
                value, words = words[0], words[1:]
            before.take(name, value)
        elif name in ("-D", "--debug"):
            os.environ["PYDOCK_DEBUG"] = "1"
        elif name in ("--tls", "--tlsverify"):
            before.take(name, value or "true")
        elif name in ("-v", "--version"):
            return before, ["version", "--short"]
        elif name in ("-h", "--help"):
            return before, ["help", *words]
        else:
            from .errors import UsageError
            from .suggest import closest

            known = (*_WITH_VALUE, "--debug", "--tls", "--tlsverify", "--version", "--help")
            meant = closest(name, known) if name.startswith("--") else ""
            raise UsageError(f"unknown flag: {name}", suggestion=meant)
    return before, words


class Before:
    """The options before the command: the roots of this machine's engine, or which other engine is meant."""

    def __init__(self) -> None:
        self.root: str | None = None
        self.run_root: str | None = None
        self.asked: Asked | None = None

    def take(self, name: str, value: str) -> None:
        if name == "--root":
            self.root = value
        elif name == "--run-root":
            self.run_root = value
        elif name not in ("-l", "--log-level"):
            from .hosts import Asked

            self.asked = self.asked or Asked()
            self.asked.take(name.lstrip("-"), value)

    def context(self) -> Context:
        from .context import Context

        return Context(self.root, self.run_root, self.asked)


def _help(words: list[str]) -> int:
    from .errors import UsageError
    from .help import command_page

    if not words:
        sys.stdout.write(_overview())
    elif words[0] in PLAIN:
        sys.stdout.write(command_page(load(PLAIN[words[0]], words[0])))
    elif words[0] in GROUPS and len(words) > 1 and words[1] in GROUPS[words[0]]:
        sys.stdout.write(command_page(load(*GROUPS[words[0]][words[1]])))
    elif words[0] in GROUPS:
        sys.stdout.write(_group_overview(words[0]))
    else:
        raise UsageError(f"unknown command: pydock {words[0]}", cure=ABSENT.get(words[0], ""), exit_code=1)
    return 0


def _overview() -> str:
    from .help import overview

    return overview([(title, [(name, summary) for name, _, summary in rows]) for title, rows in SECTIONS])


def _group_overview(group: str) -> str:
    from .help import group_page

    summary = next(text for _, rows in SECTIONS for name, _, text in rows if name == group)
    seen: dict[tuple[str, str], str] = {}
    for word, place in GROUPS[group].items():
        seen.setdefault(place, word)
    rows = sorted((word, load(*place).summary) for place, word in seen.items())
    return group_page(group, summary, rows)


if __name__ == "__main__":
    sys.exit(main())
