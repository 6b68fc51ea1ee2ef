"""What stands in the borders of a terminal pane."""

from __future__ import annotations

from textual.content import Content

from ..presentation.state import signal_name
from ..presentation.text import elide_end, plain


def pane_title(title: str, program_title: str, *, live: bool, width: int) -> Content:
    """Name of the pane; while LIVE a filled chip and how to leave, so that typed keys never surprise."""
    shown = plain(program_title)
    name = f"{title} · {shown}" if shown and shown != title else title
    if not live:
        return Content(elide_end(name, max(8, width - 6)))
    way_out = "ctrl+] leaves" if width >= 40 else "ctrl+]"
    room = max(4, width - len(way_out) - 16)
    return Content.assemble(
        (" LIVE ", "bold $background on $accent"), " ", (elide_end(name, room), "bold"), "  ", (way_out, "")
    )


def pane_subtitle(*, live: bool, ended: str, below: int, note: str, matches: str) -> Content:
    """State at the bottom: how far back the view is, matches, the last thing done, the end of the program."""
    parts: list[tuple[str, str]] = []
    if ended:
        parts.append((f"{ended} · q closes", "$text-warning"))
    elif not live:
        parts.append(("enter types", ""))
    if below:
        parts.append((f"{below} line{'s' * (below != 1)} below", "$text-warning"))
    if matches:
        parts.append((matches, "$text-accent"))
    if note:
        parts.append((note, "$text-success"))
    joined: list[str | tuple[str, str]] = []
    for part in parts:
        if joined:
            joined.append((" · ", ""))
        joined.append(part)
    return Content.assemble(*joined)


def end_text(exit_code: int | None) -> str:
    """ "ended · exit 137 (SIGKILL)"; without a code the connection was lost."""
    if exit_code is None:
        return "connection lost"
    name = signal_name(exit_code - 128) if exit_code > 128 else ""
    return f"ended · exit {exit_code}" + (f" ({name})" if name else "")
