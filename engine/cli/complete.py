"""What could come next on a command line: `pydock __complete SHELL WORDS…`, asked by the shells' completion scripts.

Answers one candidate a line, a tab and its description after it where there is one. A first line ":files" lets the
shell complete file names, ":nospace" keeps it from ending the word. Whatever goes wrong, there is nothing to complete:
a key press is no place for an error.
"""

from __future__ import annotations

import os
import signal
import sys

from .commands import GROUPS, PLAIN, SECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .context import Context
    from .main import Before
    from .options import Command, Option

    Candidates = Iterable[tuple[str, str]]

PATIENCE_S = 3
FILES, NO_SPACE = ":files", ":nospace"

LIVE = ("running", "paused", "restarting")
# of these commands only containers in some states make sense; of all others every container does
STATES: dict[str, tuple[str, ...]] = {
    "attach": ("running",),
    "exec": ("running",),
    "kill": LIVE,
    "pause": ("running",),
    "port": LIVE,
    "start": ("created", "exited"),
    "stats": LIVE,
    "stop": LIVE,
    "top": ("running", "paused"),
    "unpause": ("paused",),
}
GLOBALS = (
    ("--host", "another engine by its address"),
    ("--context", "another engine by its name"),
    ("--root", "where images and containers are kept"),
    ("--run-root", "where sockets and locks are kept"),
    ("--tlsverify", "check who the engine is"),
    ("--debug", "show tracebacks"),
    ("--version", "print the version"),
    ("--help", "print all commands"),
)
WORDS: dict[str, tuple[str, ...]] = {
    "--attach": ("stdin", "stdout", "stderr"),
    "--cgroupns": ("host", "private"),
    "--driver": ("bridge", "macvlan", "ipvlan"),
    "--format": ("json", "table"),
    "--ipc": ("host", "private", "shareable", "none"),
    "--log-driver": ("json-file", "local", "none"),
    "--pid": ("host",),
    "--pull": ("always", "missing", "never"),
    "--restart": ("no", "on-failure", "always", "unless-stopped"),
    "--signal": ("HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"),
    "--stop-signal": ("HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"),
    "--type": ("container", "image", "network", "volume"),
    "--uts": ("host",),
}
FILE_OPTIONS = (
    *("--cidfile", "--env-file", "--label-file", "--input", "--output", "--device", "--root", "--run-root"),
    *("--tlscacert", "--tlscert", "--tlskey"),
)


def complete(words: Sequence[str], before_of: Callable[[list[str]], tuple[Before, list[str]]]) -> list[str]:
    """The lines for the words after "pydock", the last of which is being typed. `before_of` reads global options."""
    typed = words[-1] if words else ""
    done = list(words[:-1])
    if done and done[-1] in ("--host", "-H", "--log-level", "-l"):
        return []
    if done and done[-1] in ("--root", "--run-root", "--tlscacert", "--tlscert", "--tlskey"):
        return [FILES]
    if done and done[-1] in ("--context", "-c") and all(word.startswith("-") for word in done[:-1]):
        return _lines(_contexts(), typed)
    before, rest = before_of(done)
    if not rest:
        return _lines(GLOBALS if typed.startswith("-") else _top_level(), typed)
    name, rest = rest[0], rest[1:]
    if name == "help":
        return _lines(_top_level(), typed) if not rest else []
    if name in GROUPS:
        if not rest:
            return _lines(_group(name), typed)
        if rest[0] not in GROUPS[name]:
            return []
        command, rest = _load(*GROUPS[name][rest[0]]), rest[1:]
    elif name in PLAIN:
        command = _load(PLAIN[name], name)
    else:
        return []
    context = before.context()
    try:
        return _of_command(context, command, rest, typed)
    finally:
        context.close()


def _of_command(context: Context, command: Command, words: list[str], typed: str) -> list[str]:
    by_name = {name: option for option in command.options for name in option.names}
    arguments: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            arguments += words[position:]
            break
        option = by_name.get(word.partition("=")[0]) or _shorthand(by_name, word)
        if option is None or word == "-":
            if word.startswith("-") and word != "-":
                continue
            arguments.append(word)
            if not command.interspersed:
                arguments += words[position:]
                break
        elif option.kind != "flag" and "=" not in word and _takes_next(by_name, word):
            if position == len(words):
                return _values(context, option, typed)
            position += 1
    joined = not command.interspersed and arguments
    if typed.startswith("-") and not joined and "--" not in words:
        name, equals, value = typed.partition("=")
        if equals and name in by_name:
            return [_prefixed(line, f"{name}=") for line in _values(context, by_name[name], value)]
        return _lines(_options(command), typed)
    return _arguments(context, command, arguments, typed)


def _arguments(context: Context, command: Command, given: list[str], typed: str) -> list[str]:
    """What the command's usage says of the argument at this place."""
    wanted = command.arguments.replace("[", "").replace("]", "").replace("...", "").split()
    if not wanted:
        return []
    place = wanted[min(len(given), len(wanted) - 1)]
    if len(given) >= len(wanted) and "..." not in command.arguments:
        return []
    if command.name in ("completion",):
        return _lines(((shell, "") for shell in ("bash", "zsh", "fish")), typed)
    if command.name == "cp":
        if typed.startswith(("/", ".", "~", "-")) or ":" in typed:
            return [FILES]
        named = _lines(((f"{name}:", text) for name, text in _containers(context, ())), typed)
        return [NO_SPACE, *named] if named else [FILES]
    kind = place.partition("[")[0].partition("|")[0].partition(":")[0]
    if (
        place.startswith(("PATH", "FILE", "CONTAINER:", "SRC", "DEST", "SOURCE_PATH", "file", "LOCAL"))
        and "IMAGE" not in place
    ):
        return [FILES]
    known = {name for name in given if command.maximum is None}
    found: list[tuple[str, str]] = []
    if (kind in ("CONTAINER", "NAME") and kind != "NAME") or command.name == "inspect":
        found += _containers(context, STATES.get(command.name.rpartition(" ")[2], ()))
    if "IMAGE" in kind or command.name in ("pull", "push", "inspect"):
        found += _images(context, typed)
    if (kind == "NETWORK" and command.name != "network create") or command.name == "inspect":
        found += _networks(context)
    if (kind == "VOLUME" and command.name != "volume create") or command.name == "inspect":
        found += _volumes(context)
    if kind in ("CONTEXT", "NAME") and command.name.startswith("context "):
        found += _contexts()
    return _lines(((name, text) for name, text in found if name not in known), typed)


def _values(context: Context, option: Option, typed: str) -> list[str]:
    """For the value of an option."""
    name = f"--{option.name}"
    if name in FILE_OPTIONS:
        return [FILES]
    if name in ("--volume", "--mount"):
        if typed.startswith(("/", ".", "~")):
            return [FILES]
        return [NO_SPACE, *_lines(((f"{volume}:", text) for volume, text in _volumes(context)), typed)]
    if name in ("--network", "--net"):
        return _lines(_networks(context), typed)
    if name == "--volumes-from":
        return _lines(_containers(context, ()), typed)
    if name == "--filter":
        # the option's help lists the keys
        keys = option.help.partition(":")[2].replace(",", " ").split()
        return [NO_SPACE, *_lines(((f"{key.partition('=')[0]}=", "") for key in keys), typed)]
    if name in ("--env",):
        return _lines(((key, "") for key in sorted(os.environ)), typed)
    return _lines(((word, "") for word in WORDS.get(name, ())), typed)


def _lines(candidates: Candidates, typed: str) -> list[str]:
    found: dict[str, str] = {}
    for word, text in candidates:
        if word.startswith(typed):
            found.setdefault(word, text)
    return [f"{word}\t{text}" if text else word for word, text in found.items()]


def _prefixed(line: str, prefix: str) -> str:
    return line if line.startswith(":") else prefix + line


def _top_level() -> Candidates:
    return [(name, text) for _, rows in SECTIONS for name, _, text in rows] + [("help", "Tell more of a command")]


def _group(name: str) -> Candidates:
    return [(word, _load(*place).summary) for word, place in sorted(GROUPS[name].items())]


def _options(command: Command) -> Candidates:
    pairs = [(option.names[-1], option.help) for option in sorted(command.options, key=_name)]
    return [*pairs, ("--help", "Print the command's page")]


def _name(option: Option) -> str:
    return option.name


def _shorthand(by_name: dict[str, Option], word: str) -> Option | None:
    """The last option of a cluster such as -it: the one that may take a value."""
    if word.startswith("--") or len(word) < 2 or not word.startswith("-"):
        return None
    return by_name.get(f"-{word[1]}") if len(word) > 2 and _takes(by_name, word[1]) else by_name.get(f"-{word[-1]}")


def _takes(by_name: dict[str, Option], letter: str) -> bool:
    option = by_name.get(f"-{letter}")
    return option is not None and option.kind != "flag"


def _takes_next(by_name: dict[str, Option], word: str) -> bool:
    """Whether the value is the next word, not the rest of this one (-p80:80)."""
    return word.startswith("--") or len(word) == 2 or not _takes(by_name, word[1])


def _containers(context: Context, states: tuple[str, ...]) -> Candidates:
    for container in context.engine.containers.list(all=True):
        if not states or container.state in states:
            yield container.name, f"{container.image}, {container.state}"


def _images(context: Context, typed: str) -> Candidates:
    from .units import decimal_size

    for image in context.engine.images.list():
        for reference in image.references:
            yield reference.removesuffix(":latest") if ":" not in typed else reference, decimal_size(image.size)


def _networks(context: Context) -> Candidates:
    return [(network.name, network.driver) for network in context.engine.networks.list()]


def _volumes(context: Context) -> Candidates:
    return [(volume.name, "") for volume in context.engine.volumes.list() if not volume.anonymous]


def _contexts() -> Candidates:
    from .context_store import every

    return [(context.name, context.host or "this machine") for context in every()]


def _load(module: str, name: str) -> Command:
    from .main import load

    return load(module, name)


def answer(words: list[str], before_of: Callable[[list[str]], tuple[Before, list[str]]]) -> int:
    """`pydock __complete SHELL [--] WORDS…`, or for bash the whole line and its word breaks."""
    from ..errors import EngineError

    shell, words = (words[0], words[1:]) if words else ("", [])
    trim = 0
    # an engine far away may not answer; a prompt has to
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(PATIENCE_S)
    try:
        if shell == "bash":
            words, trim = _bash_words(*words[:2])
        elif words[:1] == ["--"]:
            words = words[1:]
        lines = complete(words, before_of)
    except (EngineError, OSError, KeyError, ValueError):
        return 0
    if trim:
        lines = [line if line.startswith(":") else line[trim:] for line in lines]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _give_up(_number: int, _frame: object) -> None:
    os._exit(0)


def _bash_words(line: str, breaks: str = ":=") -> tuple[list[str], int]:
    """The words after the program's name, and how much of the last one bash keeps by itself: it replaces only what
    comes after the last of its word breaks."""
    import shlex

    try:
        words = shlex.split(line)
    except ValueError:  # an open quote
        words = line.split()
    if not line or line[-1].isspace():
        words.append("")
    current = words[-1]
    cut = max((current.rfind(mark) for mark in breaks if mark in ":="), default=-1)
    return words[1:], cut + 1
