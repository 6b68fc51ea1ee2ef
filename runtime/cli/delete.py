"""`delete [--force] ID`; with --force it is no error when there is no such container."""

from __future__ import annotations

from ..container import Container, finish_deletion
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
        if not force:
            raise
        for warning in finish_deletion(context.root, options.arguments[0]):
            context.reporter.warning(warning)
        return 0
    container.delete(force=force)
    for warning in container.warnings:
        context.reporter.warning(warning)
    return 0
