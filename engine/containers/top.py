"""The processes of a container, as the host's /proc tells them."""

from __future__ import annotations

import os
import time

from ..models import Process

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def processes(pids: list[int]) -> list[Process]:
    """Those of these pids that are still there, in their order."""
    with open("/proc/uptime", encoding="ascii") as file:
        uptime_s = float(file.read().split()[0])
    boot_ns = time.time_ns() - int(uptime_s * 1e9)
    found = (_process(pid, boot_ns, uptime_s) for pid in sorted(pids))
    return [process for process in found if process]


def _process(pid: int, boot_ns: int, uptime_s: float) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            stat = file.read()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read()
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    fields = stat[stat.rindex(")") + 2 :].split()
    started_s = int(fields[19]) / _TICK
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICK
    age_s = max(uptime_s - started_s, 0.01)
    text = command.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    return Process(
        pid=pid,
        ppid=int(fields[1]),
        user=_user(uid),
        state=fields[0],
        cpu_percent=100 * cpu_s / age_s,
        rss=int(fields[21]) * _PAGE,
        started_ns=boot_ns + int(started_s * 1e9),
        cpu_time_ns=int(cpu_s * 1e9),
        tty=_tty(int(fields[4])),
        command=text or f"[{name}]",
    )


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _tty(number: int) -> str:
    """`?` or the pty's name (proc(5): bits 31-20 and 7-0 of tty_nr are the minor number)."""
    if not number:
        return "?"
    major, minor = number >> 8 & 0xFFF, (number & 0xFF) | (number >> 12 & 0xFFF00)
    return f"pts/{minor + 256 * (major - 136)}" if 136 <= major <= 143 else f"{major}:{minor}"
