"""The zygote: warm, single-threaded, stateless; forks a shim for each connection, and one ahead when it has time.

Started as a file under `python -SI` with its listening socket as descriptor 3. It runs from a sealed clone of
the interpreter, so that nothing forked from it has a writable path to the host's Python (CVE-2019-5736).
Killing it loses nothing.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys

IDLE_S = 600
STANDBY_AFTER_S = 0.02
"""A standby is forked when no request has come for so long: it must not take a processor from a start under way."""
LISTEN_FD = 3

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.zygote.standby import Ranges


def serve(listener: socket.socket, path: str) -> None:
    """Give each connection a shim until nobody has come for ten minutes."""
    # what a shim would import late, shared by all of them instead
    import resource  # noqa: F401

    import runtime.cgroups.v1
    import runtime.cgroups.v2
    import runtime.process.creation
    import runtime.process.joining
    import runtime.process.start
    import runtime.rootfs.devices  # noqa: F401
    from engine.networks import nftables
    from engine.shim import main as shim
    from engine.zygote.standby import Standby

    standby: Standby | None = None
    teacher: Standby | None = None
    written: Ranges | None = None  # by a start, in the memory that it has from here
    leaving = False

    def become_child() -> None:
        listener.close()
        if teacher:
            teacher.close()
        gc.enable()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    nftables.load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener.setblocking(True)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    gc.collect()
    gc.freeze()
    while True:
        wait_s = 0 if leaving else IDLE_S if standby else STANDBY_AFTER_S
        ready = {fd for fd, _events in poll.poll(wait_s * 1000)}
        if not ready:
            if leaving:
                return
            if standby is None:
                standby = Standby(become_child, [] if teacher else written)
                continue
            leaving = True  # no one can connect any more; whoever just has is still served
            _unlink(path)
            continue
        if teacher and teacher.fileno() in ready:
            poll.unregister(teacher)
            written, teacher = teacher.lesson(), None
        if listener.fileno() not in ready:
            continue
        connection, _address = listener.accept()
        if _peer_uid(connection) == os.geteuid():
            waiting, standby = standby, None
            if waiting and waiting.take(connection):
                if waiting.teaches:
                    teacher = waiting
                    poll.register(teacher, select.POLLIN)
            elif os.fork() == 0:
                become_child()
                shim.prepare()
                shim.main(connection)
                os._exit(0)
        connection.close()


def _peer_uid(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    uid: int = struct.unpack("iII", credentials)[1]
    return uid


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def main() -> None:
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from runtime.seal import ensure_sealed, is_sealed

    if not is_sealed() and os.fork():  # so that it is no child of the host that happened to start it
        os._exit(0)
    ensure_sealed()
    os.chdir("/")
    os.umask(0o022)
    gc.disable()
    listener = socket.socket(fileno=LISTEN_FD)
    os.set_inheritable(LISTEN_FD, False)
    with open("/proc/self/comm", "w") as comm:
        comm.write("pydock-zygote")
    serve(listener, sys.argv[1])


if __name__ == "__main__":
    main()
