"""What a container has outside its row: folders, addresses, anonymous volumes; and giving them back."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container
    from ..paths import Paths
    from ..store import Transaction


def release(tx: Transaction, container_id: str) -> None:
    """Give the container's addresses and host ports back."""
    tx.execute("DELETE FROM endpoints WHERE container_id = ?", (container_id,))


def forget(tx: Transaction, container: Container) -> None:
    """The database's part of a removal, in the transaction that deletes the row."""
    release(tx, container.id)


def remove(paths: Paths, container_id: str) -> None:
    """Delete bundle and run folder. The bundle is renamed first, so that a half-deleted one is never taken
    for a container."""
    import shutil

    bundle = paths.container(container_id)
    trash = f"{paths.tmp}/removed-{container_id}"
    try:
        os.rename(bundle, trash)
    except FileNotFoundError:
        pass
    shutil.rmtree(trash, ignore_errors=True)
    shutil.rmtree(paths.container_run(container_id), ignore_errors=True)
