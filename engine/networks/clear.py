"""The rules are gone when the last container is: the table, and the accepts for our bridges in the chains of others.

The bridges stay, for the next start to be quick. That is why the rules stay for a moment too: who runs one container
after another would make and delete them each time.
"""

from __future__ import annotations

import fcntl
import os
import time

from ..store import Store
from . import rows, rules
from .claim import HostLock
from .forwarding import forget_forwarding
from .nfnetlink import table_exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..paths import Paths

LINGER_S = 0.5


def clear(store: Store, root: str) -> bool:
    """Take the rules away if no container has an address; False when one has. Under the HostLock, with which every
    start takes its addresses before it needs a rule. Raises OSError, EngineError."""
    with HostLock():
        return clear_locked(store, root)


def clear_locked(store: Store, root: str) -> bool:
    """The same for one who has the lock."""
    if rows.endpoint_count(store):
        return False
    table = rules.table_name(root)
    if table_exists(table):
        for network in rows.every(store):
            if network.bridge and network.driver == "bridge":
                forget_forwarding(network.bridge)
        rules.remove(table)  # last: while it is there, whoever comes next knows that there is something to clear
    return True


def linger(paths: Paths) -> None:
    """The last act of a shim, when all else is told and done: wait a moment, and clear if nobody has started since.
    One of those that end at the same time does it for all. Raises OSError, EngineError."""
    store = Store(paths.database)
    lock = os.open(f"{paths.run_root}/rules.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Asked again after each turn: another may have ended after this one had looked, and left it to this one.
        while not rows.endpoint_count(store):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            time.sleep(LINGER_S)
            done = clear(store, paths.root)
            fcntl.flock(lock, fcntl.LOCK_UN)
            if done:
                return
    finally:
        os.close(lock)
        store.close()
