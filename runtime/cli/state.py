"""`state ID`"""

from __future__ import annotations

from ..container import Container
from ..jsontext import pretty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context
    from .options import Options

OPTIONS: dict[str, str] = {}
USAGE = "ID"


def run(options: Options, context: Context) -> int:
    print(pretty(Container.load(context.root, options.one_argument()).state()))
    return 0
