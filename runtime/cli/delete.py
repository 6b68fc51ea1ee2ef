"""`delete [--force] ID`; with --force it is no error when there is no such container."""

from __future__ import annotations

from ..container import Container
from ..errors import ContainerNotFound
from .options import SWITCH, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

OPTIONS = {"force": SWITCH}
ALIASES = {"f": "force"}
USAGE = "ID"


def run(options: Options, context: Context) -> int:
    force = options.switch("force")
    try:
        container = Container.load(context.root, options.one_argument())
    except ContainerNotFound:
        if force:
            return 0
        raise
    container.delete(force=force)
    for warning in container.warnings:
        context.reporter.warning(warning)
    return 0
