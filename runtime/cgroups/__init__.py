"""Control groups of a container: v1, hybrid and v2 behind one `Cgroup`.

Nothing is imported until a name is asked for (PEP 562), because everything that imports `runtime` would
pay for it otherwise.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Cgroup as Cgroup
    from .fault import CgroupFault as CgroupFault
    from .open import cgroup_from_paths as cgroup_from_paths
    from .open import open_cgroup as open_cgroup

__all__ = ["Cgroup", "CgroupFault", "cgroup_from_paths", "open_cgroup"]


def __getattr__(name: str) -> object:
    if name in ("open_cgroup", "cgroup_from_paths"):
        from . import open as module
    elif name == "Cgroup":
        from . import base as module  # type: ignore[no-redef]
    elif name == "CgroupFault":
        from . import fault as module  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(module, name)
    globals()[name] = value
    return value
