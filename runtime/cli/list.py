"""`list [--quiet] [--format table|json]`"""

from __future__ import annotations

from ..container import Container
from ..jsontext import dumps
from .options import SWITCH, VALUE, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

OPTIONS = {"format": VALUE, "quiet": SWITCH}
ALIASES = {"f": "format", "q": "quiet"}
USAGE = ""
_COLUMNS = (("ID", "id"), ("PID", "pid"), ("STATUS", "status"), ("BUNDLE", "bundle"), ("CREATED", "created"))
# as runc's table is laid out
_GAP = 3
_NARROWEST = 12


def run(options: Options, context: Context) -> int:
    options.no_argument()
    output = options.text("format", "table")
    if output not in ("table", "json"):
        raise UsageError(f'--format: "{output}" is not table or json')
    containers = Container.all(context.root)
    if options.switch("quiet"):
        for container in containers:
            print(container.id)
        return 0
    states = [{**container.state(), "owner": owner(container.owner_uid)} for container in containers]
    if output == "json":
        print(dumps(states) if states else "null")
        return 0
    rows = [[title for title, _key in _COLUMNS] + ["OWNER"]]
    rows += [[str(state[key]) for _title, key in _COLUMNS] + [state["owner"]] for state in states]
    widths = [max(_NARROWEST, *(len(row[column]) + _GAP for row in rows)) for column in range(len(rows[0]))]
    for row in rows:
        print("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def owner(uid: int) -> str:
    """The name of a host user, or the number with a # where there is none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
