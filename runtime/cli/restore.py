"""`restore [--image-path DIR] [--bundle DIR] ID`: run a container from a checkpoint; as `run` afterwards."""

from __future__ import annotations

import os

from ..container import Container
from ..kernel import calls
from ..kernel import constants as k
from .checkpoint import SHARED, images, passed_on
from .foreground import Foreground
from .options import SWITCH, VALUE, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

OPTIONS = {
    **SHARED,
    "bundle": VALUE,
    "detach": SWITCH,
    "lsm-mount-context": VALUE,
    "lsm-profile": VALUE,
    "no-subreaper": SWITCH,
    "pid-file": VALUE,
}
ALIASES = {"b": "bundle", "d": "detach"}
USAGE = "ID"


def run(options: Options, context: Context) -> int:
    container_id = options.one_argument()
    words = passed_on(options)
    for name in ("lsm-mount-context", "lsm-profile"):
        if options.given(name):
            words += [f"--{name}", options.text(name)]
    detach = options.switch("detach")
    foreground = None if detach else Foreground()
    if not detach and not options.switch("no-subreaper"):
        # criu's own process ends, and what it has restored comes to the next one above that wants it.
        calls.prctl(k.PR_SET_CHILD_SUBREAPER, 1)
    container = Container.restore(
        context.root,
        container_id,
        options.text("bundle") or os.getcwd(),
        images(options, context, words),
        systemd_cgroup=context.systemd_cgroup,
        pid_file=options.text("pid-file"),
    )
    if foreground is None:
        return 0
    code = foreground.wait(container.pid)
    container.delete(force=True)
    for warning in container.warnings:
        context.reporter.warning(warning)
    return code
