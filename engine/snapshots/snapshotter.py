"""What gives a container its root file system: shared read-only layers below, its own changes on top.

The life of one, all of it in the shim's mount namespace:

    mount(container_dir, lower_dirs)    once per shim: `container_dir/rootfs` shows the stack; made if missing
    … the container runs, stops and is started again by its policy …
    unmount(container_dir)              idempotent; the changes stay for the next `mount`

`container_dir` is the bundle. Removing it removes the changes; layers are the image store's. A snapshotter
is a module with these functions, because it is imported by the shim, where an object would only be in the way.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Snapshotter(Protocol):
        """The functions of a snapshotter module."""

        def mount(self, container_dir: str, lower_dirs: tuple[str, ...], *, volatile: bool = False) -> None:
            """Show the layers, bottom first, with the container's changes on top, at `container_dir/rootfs`.

            `volatile` promises that the changes are of no use after a crash, so nothing is synced for them.
            Raises HostUnfit when this host cannot.
            """

        def unmount(self, container_dir: str) -> None:
            """Undo `mount`; nothing happens when it is not mounted."""
