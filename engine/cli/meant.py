"""What a person meant who named an object that is not there: the nearest name among those that are."""

from __future__ import annotations

import re

from ..errors import ContainerNotFound, EngineError, ImageNotFound, NetworkNotFound, NotFound, VolumeNotFound
from .suggest import closest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .context import Context

_NAMED = re.compile(r"(?:no such [a-z]+: |name or id \"|network |get )\"?([^\s\",]+)", re.IGNORECASE)


def hint(context: Context, error: NotFound) -> str:
    """ "did you mean web?", or "" when nothing is near. An engine that cannot be asked has nothing near."""
    match = _NAMED.search(error.message)
    if match is None:
        return ""
    try:
        near = nearest(context, type(error), match[1])
    except (EngineError, OSError):
        return ""
    return f"did you mean {near}?" if near else ""


def nearest(context: Context, kind: type[EngineError], name: str) -> str:
    """The name of an existing object of this kind (`NotFound`: of any) that differs by a slip of the finger."""
    return closest(name, _names(context, kind, name))


def _names(context: Context, kind: type[EngineError], name: str) -> Iterable[str]:
    engine = context.engine
    if kind in (ContainerNotFound, NotFound):
        yield from (container.name for container in engine.containers.list(all=True))
    if kind in (ImageNotFound, NotFound):
        tagged = ":" in name.rpartition("/")[2]
        for image in engine.images.list():
            for reference in image.references:
                yield reference if tagged else reference.rpartition(":")[0]
    if kind in (NetworkNotFound, NotFound):
        yield from (network.name for network in engine.networks.list())
    if kind in (VolumeNotFound, NotFound):
        yield from (volume.name for volume in engine.volumes.list())
