"""`pause ID` and `resume ID`"""

from __future__ import annotations

from ..container import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context
    from .options import Options

OPTIONS: dict[str, str] = {}
USAGE = "ID"


def run(options: Options, context: Context) -> int:
    container = Container.load(context.root, options.one_argument())
    if context.verb == "pause":
        container.pause()
    else:
        container.resume()
    return 0
