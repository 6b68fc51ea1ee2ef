"""The five statuses of a container (runtime.md, "State"; `paused` is every runtime's addition) and what each allows."""

from __future__ import annotations


class Status(str):
    """A status is its OCI word, and answers what may be done in it."""

    __slots__ = ()

    @property
    def can_start(self) -> bool:
        return self == "created"

    @property
    def can_kill(self) -> bool:
        return self in ("created", "running", "paused")

    @property
    def can_exec(self) -> bool:
        return self in ("created", "running")

    @property
    def can_pause(self) -> bool:
        return self in ("created", "running")

    @property
    def can_resume(self) -> bool:
        return self == "paused"

    @property
    def can_delete(self) -> bool:
        """Without force. A created container may go as well: callers of runtimes rely on it."""
        return self in ("stopped", "created")


CREATING = Status("creating")
CREATED = Status("created")
RUNNING = Status("running")
PAUSED = Status("paused")
STOPPED = Status("stopped")
