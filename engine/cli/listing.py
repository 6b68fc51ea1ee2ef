"""How a list command prints: its table, only ids, JSON lines, or a person's own template."""

from __future__ import annotations

import json
import sys

from .table import table, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, object]


def print_rows(
    rows: Sequence[Row],
    columns: Sequence[tuple[str, str]],
    headings: Mapping[str, str],
    *,
    format: str = "",
    quiet: str = "",
    drop: Sequence[str] = (),
    firm: Sequence[str] = (),
    whole: bool = False,
    width: int | None = None,
) -> None:
    """Print rows (field -> text).

    columns: (heading, field) of the table without a format. headings: the heading of every field, for
    `--format "table …"`. quiet: the field to print alone, for `-q`. drop: headings that a narrow terminal can do
    without, the least missed first. whole: nothing is cut to the terminal's width,
    which is `width` where that is known already.
    """
    out = sys.stdout.write
    if quiet and not format:
        out("".join(f"{row[quiet]}\n" for row in rows))
    elif format in ("", "table"):
        cells = [[str(row[field]) for _, field in columns] for row in rows]
        out(
            table(
                [title for title, _ in columns],
                cells,
                width=0 if whole else terminal_width() if width is None else width,
                drop=drop,
                firm=firm,
            )
        )
    elif format == "json":
        out("".join(json.dumps(dict(row), separators=(",", ":")) + "\n" for row in rows))
    else:
        out(_formatted(rows, headings, format))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose columns are not known beforehand."""
    sys.stdout.write(table(headings, rows, width=terminal_width()))


def _formatted(rows: Sequence[Row], headings: Mapping[str, str], format: str) -> str:
    from .template import Template

    source = format.removeprefix("table").lstrip() if format.startswith("table") else format
    template = Template(source.replace("\\t", "\t").replace("\\n", "\n"))
    lines = [template.render(row) for row in rows]
    if source is format:
        return "".join(f"{line}\n" for line in lines)
    lines.insert(0, template.render(headings))
    cells = [line.split("\t") for line in lines]
    width = max(len(row) for row in cells)
    padded = [[*row, *[""] * (width - len(row))] for row in cells]
    return table(padded[0], padded[1:])


class LabelsText(str):
    """The text of labels that still knows them: `{{.Label "name"}}` of a template asks for one."""

    labels: Mapping[str, str]


def labels_text(labels: Mapping[str, str]) -> LabelsText:
    """Labels as list commands have them: "a=1,b=2"."""
    text = LabelsText(",".join(f"{name}={value}" for name, value in sorted(labels.items())))
    text.labels = labels
    return text


def shortened(text: str, width: int) -> str:
    """At most `width` characters, the last one an ellipsis when something was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def short_id(identifier: str) -> str:
    """The 12 hex digits by which people know an object."""
    return identifier.removeprefix("sha256:")[:12]
