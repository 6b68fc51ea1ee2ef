"""Entry of a freshly forked shim: reads its plan from the connection that asked for it, and supervises.

One of the borders: what nobody expected is written to the zygote's log with its traceback, told to whoever
waits in one line, and ends this container only.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from ..errors import EngineError
from . import frames, rootfs
from .plan import Plan
from .supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any


def prepare() -> None:
    """What every shim does first, before it knows its container."""
    os.setsid()
    rootfs.leave_mount_namespace()


def main(connection: socket.socket, started: Callable[[], None] | None = None) -> None:
    """Serve one container until its end, after `prepare`. `started` is called once it runs."""
    try:
        plan = Plan.from_json(_request(connection)["plan"])
    except ConnectionError:  # whoever ordered this shim could not make the plan
        return
    except (EngineError, ValueError, KeyError, OSError) as error:
        print(f"a request that is no plan: {error}", file=sys.stderr, flush=True)
        return
    with open("/proc/self/comm", "w") as comm:
        comm.write(f"shim {plan.name}"[:15])
    try:
        Supervisor(plan).run(connection, started)
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()


def _request(connection: socket.socket) -> dict[str, Any]:
    decoder = frames.Decoder()
    while True:
        data = connection.recv(1 << 16)
        if not data:
            raise ConnectionResetError("closed before a request came")
        for kind, payload in decoder.feed(data):
            if kind == frames.REQUEST:
                body: dict[str, Any] = json.loads(payload)
                return body
