"""Shuts the unpacker in before it reads the first byte of a layer that nobody vouches for.

After it the process sees the layer's directory as `/`, has no descriptors but the ones it was given, the
capabilities that restoring files needs and no others, and can gain none by an exec. Only the one capability
CAP_SYS_ADMIN is more than tar would want: `trusted.overlay.opaque` cannot be written without it.
"""

from __future__ import annotations

import os
import resource

from runtime.kernel import calls, constants
from runtime.security.capabilities import Capabilities

KEPT = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_MKNOD",
    "CAP_SETFCAP",
    "CAP_SYS_ADMIN",
)


def confine(target_fd: int) -> None:
    """Make the directory behind `target_fd` the root for good. The caller has imported all that it needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.fchdir(target_fd)
    os.chroot(".")
    os.chdir("/")
    os.close(target_fd)
    calls.prctl(constants.PR_SET_NO_NEW_PRIVS, 1)
    kept = Capabilities({"effective": KEPT, "permitted": KEPT})
    kept.drop_bounding()
    kept.apply()
