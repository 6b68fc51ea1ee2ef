"""Help pages, made from the declared options."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Command, Option

WIDTH = 100
NAMES_WIDTH = 34
GLOBAL_OPTIONS = (
    ("    --root PATH", "Where images and containers are kept (PYDOCK_ROOT; /var/lib/pydock)"),
    ("    --run-root PATH", "Where sockets and locks are kept (PYDOCK_RUN_ROOT; /run/pydock)"),
    ("-H, --host ADDRESS", "Another engine: unix:///PATH, tcp://HOST:PORT (PYDOCK_HOST, DOCKER_HOST)"),
    ("-c, --context NAME", "Another engine by its name: pydock context ls (PYDOCK_CONTEXT)"),
    ("    --tlsverify", "Talk TLS to it and check who it is; --tls: do not check (DOCKER_TLS_VERIFY)"),
    ("    --tlscacert, --tlscert, --tlskey FILE", "Its authority; our certificate and key (DOCKER_CERT_PATH)"),
    ("-D, --debug", "Show the traceback of an unexpected error (PYDOCK_DEBUG=1)"),
    ("-v, --version", "Print the version and leave"),
    ("    --help", "Print this page"),
)


def command_page(command: Command) -> str:
    """The page of `pydock COMMAND --help`."""
    from . import manual

    about, separator, told = command.description.strip().partition("Examples:\n")
    about = "\n\n".join(text for text in (manual.DETAILS.get(command.name, ""), about.strip()) if text)
    parts = [f"Usage:  {usage(command)}", "", command.summary]
    if about:
        parts += ["", _flowed(about)]
    if command.aliases:
        aliases = wrap(", ".join(f"pydock {alias}" for alias in command.aliases), _width() - 2)
        parts += ["", "Aliases:", *(f"  {line}" for line in aliases)]
    if command.options:
        rows = [(_spelling(option), _help(option)) for option in sorted(command.options, key=_order)]
        parts += ["", "Options:", *_columns(rows)]
    examples = _examples(manual.EXAMPLES.get(command.name, ()))
    if told or examples:
        parts += ["", "Examples:", *([told.rstrip("\n")] if separator else []), *examples]
    codes = manual.EXIT_CODES.get(command.name)
    if codes:
        parts += ["", "Exit codes:", *_columns(list(codes))]
    also = manual.SEE_ALSO.get(command.name)
    if also:
        parts += ["", *wrap("See also: " + ", ".join(f"pydock {name}" for name in also), _width())]
    return "\n".join(parts) + "\n"


def _examples(lines: tuple[tuple[str, str], ...]) -> list[str]:
    """Command lines, with what they do behind them where there is room, else above."""
    longest = max((len(line) for line, _ in lines), default=0)
    told = []
    for line, text in lines:
        if not text:
            told.append(f"  {line}")
        elif longest + 4 + max(len(text) for _, text in lines) <= _width():
            told.append(f"  {line:<{longest}}  {text}")
        else:
            told += [f"  # {text}", f"  {line}"]
    return told


def usage(command: Command) -> str:
    """The one line that shows how the command is typed."""
    options = " [OPTIONS]" if command.options else ""
    arguments = f" {command.arguments}" if command.arguments else ""
    return f"pydock {command.name}{options}{arguments}"


def overview(sections: list[tuple[str, list[tuple[str, str]]]]) -> str:
    """The page of `pydock help`: sections of (command, summary), then the global options."""
    parts = [
        "Usage:  pydock [OPTIONS] COMMAND",
        "",
        "Containers on this machine, with docker's commands and without a daemon.",
    ]
    width = max(len(name) for _, rows in sections for name, _ in rows)
    for title, rows in sections:
        parts += ["", f"{title}:"]
        parts += _summaries(rows, width)
    parts += ["", "Global options:", *_columns(list(GLOBAL_OPTIONS))]
    parts += [
        "",
        *wrap("'pydock COMMAND --help' tells more of a command. 'pydock-tui' opens the workstation.", _width()),
    ]
    return "\n".join(parts) + "\n"


def group_page(group: str, summary: str, rows: list[tuple[str, str]]) -> str:
    """The page of `pydock GROUP`."""
    width = max(len(name) for name, _ in rows)
    lines = _summaries(rows, width)
    more = f"'pydock {group} COMMAND --help' tells more of a command."
    return "\n".join([f"Usage:  pydock {group} COMMAND", "", summary, "", "Commands:", *lines, "", more]) + "\n"


def _summaries(rows: list[tuple[str, str]], width: int) -> list[str]:
    lines = []
    for name, text in rows:
        first, *rest = wrap(text, _width() - width - 4)
        lines += [f"  {name:<{width}}  {first}", *(f"  {'':<{width}}  {line}" for line in rest)]
    return lines


def _flowed(text: str) -> str:
    """Paragraphs wrapped; lines that begin with a space (examples) as they are."""
    lines: list[str] = []
    paragraph: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line and not line.startswith(" "):
            paragraph.append(line)
            continue
        if paragraph:
            lines += wrap(" ".join(paragraph), _width())
            paragraph = []
        lines.append(line)
    return "\n".join(lines).rstrip("\n")


def _order(option: Option) -> str:
    return option.name


def _spelling(option: Option) -> str:
    names = ", ".join(option.names)
    if len(option.names) == 1:
        names = f"    {names}"
    return f"{names} {option.metavar}".rstrip()


def _help(option: Option) -> str:
    if option.kind in ("text", "number") and option.default not in (None, "", 0):
        return f"{option.help} (default {option.default})"
    if option.kind == "flag" and option.default:
        return f"{option.help} (default true)"
    return option.help


def _width() -> int:
    """Lines are no longer than the terminal, and not longer than is good to read."""
    from .table import terminal_width

    return min(WIDTH, terminal_width() or WIDTH)


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    whole = _width()
    width = min(NAMES_WIDTH if whole == WIDTH else 24, max(len(left) for left, _ in rows))
    lines = []
    for left, right in rows:
        first, *rest = wrap(right, whole - width - 4)
        if len(left) > width:
            lines.append(f"  {left}")
            left = ""
        lines.append(f"  {left:<{width}}  {first}")
        lines += [f"  {'':<{width}}  {line}" for line in rest]
    return lines


def wrap(text: str, width: int) -> list[str]:
    """Words in lines no wider than that; [""] for none."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
