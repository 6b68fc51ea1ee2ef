"""Exec instances between `create`, `start` and `inspect`: this server's memory, as Docker's is its daemon's."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from .errors import ApiError

if TYPE_CHECKING:
    from ..models import Event, ExecRequest
    from .watcher import Watcher

KEPT = 5000


class ExecInstance:
    def __init__(self, container_id: str, request: ExecRequest, streams: frozenset[str], detach_keys: str) -> None:
        self.id = os.urandom(32).hex()
        self.container_id = container_id
        self.request = request
        self.streams = streams
        self.detach_keys = detach_keys
        self.started = False
        self.running = False
        self.pid = 0
        self.exit_code: int | None = None

    def end(self, code: int) -> None:
        self.running = False
        self.exit_code = code

    def document(self) -> dict[str, Any]:
        """In the shape of `GET /exec/{id}/json`."""
        asked = self.request
        return {
            "ID": self.id,
            "Running": self.running,
            "ExitCode": self.exit_code,
            "ProcessConfig": {
                "tty": asked.tty,
                "entrypoint": asked.command[0] if asked.command else "",
                "arguments": list(asked.command[1:]),
                "privileged": asked.privileged,
                **({"user": asked.user} if asked.user else {}),
            },
            "OpenStdin": "stdin" in self.streams,
            "OpenStdout": "stdout" in self.streams,
            "OpenStderr": "stderr" in self.streams,
            "CanRemove": False,
            "ContainerID": self.container_id,
            "DetachKeys": self.detach_keys,
            "Pid": self.pid,
        }


class ExecBook:
    """All instances; those of removed containers are forgotten, and of too many the oldest that do not run."""

    def __init__(self, watcher: Watcher) -> None:
        self._instances: OrderedDict[str, ExecInstance] = OrderedDict()
        watcher.listeners.append(self._told)

    def add(self, instance: ExecInstance) -> None:
        self._instances[instance.id] = instance
        if len(self._instances) > KEPT:
            oldest = next((item for item in self._instances.values() if not item.running), instance)
            del self._instances[oldest.id]

    def get(self, exec_id: str) -> ExecInstance:
        """By id or the beginning of one. Raises `ApiError` 404."""
        if exec_id in self._instances:
            return self._instances[exec_id]
        found = [item for key, item in self._instances.items() if key.startswith(exec_id)]
        if len(found) != 1:
            raise ApiError(404, f"No such exec instance: {exec_id}")
        return found[0]

    def of(self, container_id: str) -> list[str]:
        """The ids of a container's instances that run."""
        return [item.id for item in self._instances.values() if item.container_id == container_id and item.running]

    def _told(self, event: Event) -> None:
        if event.type != "container":
            return
        if event.action == "exec_die":
            instance = self._instances.get(event.attributes.get("execID", ""))
            if instance and instance.exit_code is None:
                instance.end(int(event.attributes.get("exitCode", "0")))
        elif event.action == "destroy":
            gone = [key for key, item in self._instances.items() if item.container_id == event.actor]
            for key in gone:
                del self._instances[key]
