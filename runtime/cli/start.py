"""`start ID`"""

from __future__ import annotations

from ..container import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context
    from .options import Options

OPTIONS: dict[str, str] = {}
USAGE = "ID"


def run(options: Options, context: Context) -> int:
    Container.load(context.root, options.one_argument()).start()
    return 0
