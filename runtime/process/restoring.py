"""`restore`: a container whose processes come out of a checkpoint's images instead of a program that is executed."""

from __future__ import annotations

import os

from .. import criu
from ..cgroups import open_cgroup
from ..errors import RuntimeFault
from ..spec import load_config, section
from ..state import StateDirectory, start_time
from .creation import identity, kept, now, write_pid_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def restore(
    state_root: str, container_id: str, bundle: str, images: criu.Images, *, systemd_cgroup: bool, pid_file: str
) -> tuple[StateDirectory, dict[str, Any]]:
    """The state of the container that runs again. Raises RuntimeFault; then nothing is left."""
    bundle = os.path.abspath(bundle)
    config = load_config(bundle)
    rootfs = os.path.realpath(os.path.join(bundle, config["root"]["path"]))
    cgroup = open_cgroup(section(config, "linux").get("cgroupsPath") or "", container_id, systemd=systemd_cgroup)
    directory = StateDirectory.make(state_root, container_id)
    pid = 0
    try:
        data: dict[str, Any] = {
            "creator": os.getpid(),
            "interpreter": identity("/proc/self/exe"),
            "bundle": bundle,
            "rootfs": rootfs,
            "created": now(),
            "config": kept(config),
            "cgroup_paths": cgroup.paths(),
        }
        directory.write(data)
        pid = criu.restore(images, config, rootfs, directory.path)
        data.update(pid=pid, start_time=start_time(pid), ready=True)
        directory.write(data)
        if pid_file:
            write_pid_file(pid_file, pid)
    except BaseException:
        if pid:
            os.kill(pid, 9)
        try:
            cgroup.kill()
            cgroup.remove()
        except RuntimeFault:
            pass
        directory.remove()
        directory.close()
        raise
    return directory, data
