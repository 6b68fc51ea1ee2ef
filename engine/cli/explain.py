"""`pydock explain`: why a container is not running (or since when it is), in words, from its exit record.

Everything said is read from `inspect`: what the shim recorded when the program ended, the row, and the last lines of
the log. Other engines record less, and less is said of theirs.
"""

from __future__ import annotations

import json
import signal
import time

from ..remote.models import parse_time
from .options import Command, flag, number
from .table import printable
from .units import binary_size, human_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .context import Context
    from .options import Parsed

LOG_LINES = 5
CODES = {
    0: "it had finished its work and said that all is well",
    1: "the program reports a failure of its own; the last lines of its log may tell which",
    2: "the program (shells: a misuse of the command) reports a failure of its own",
    126: "its command is there but could not be executed: no permission, or no program",
    127: "its command was not found",
    255: "its end was not seen: the machine, or what watched over it, went down with it running",
}
SIGNALS: dict[int, str] = {
    signal.SIGABRT: "it gave up by itself: abort()",
    signal.SIGBUS: "it touched memory that is not there",
    signal.SIGFPE: "it computed what cannot be, such as a division by zero",
    signal.SIGHUP: "its terminal went away, or it was told to",
    signal.SIGILL: "it ran an instruction that this processor does not have",
    signal.SIGINT: "it was interrupted, as by ctrl-C",
    signal.SIGKILL: "it was killed without being asked",
    signal.SIGPIPE: "it wrote to somebody who reads no more",
    signal.SIGQUIT: "it was told to quit",
    signal.SIGSEGV: "it touched memory that is not its own: a defect of the program",
    signal.SIGSYS: "it made a system call that is forbidden to it",
    signal.SIGTERM: "it was asked to end, and did",
}


def explain(context: Context, options: Parsed) -> int:
    engine = context.engine
    stories = []
    for name in options.arguments:
        document = engine.containers.inspect(name)
        wanted = options.number("tail")
        count = LOG_LINES if wanted is None else max(0, wanted)
        lines = [line.text for line in engine.containers.logs(document["Id"], tail=count)] if count else []
        stories.append(Story(document, lines))
    if options.flag("json"):
        print(json.dumps([story.facts() for story in stories], ensure_ascii=False))
    else:
        print("\n\n".join(_wrapped(story.text()) for story in stories))
    return 0


def _wrapped(text: str) -> str:
    """Sentences broken at the terminal's edge; lines of the log as they are."""
    from .help import wrap
    from .table import terminal_width

    width = terminal_width()
    if not width:
        return text
    lines = []
    for line in text.splitlines():
        lines += [line] if line.startswith("  ") else wrap(line, min(width, 100))
    return "\n".join(lines)


class Story:
    """What there is to say of one container."""

    def __init__(self, document: dict[str, Any], log: list[str]) -> None:
        self.name = str(document.get("Name", "")).lstrip("/")
        self.id = str(document["Id"])
        self._state: dict[str, Any] = document.get("State") or {}
        self._host: dict[str, Any] = document.get("HostConfig") or {}
        self._last: dict[str, Any] = document.get("LastExit") or {}
        self._restarts = int(document.get("RestartCount") or 0)
        self._command = [document.get("Path") or "", *(document.get("Args") or ())]
        self._log = log
        self.status = str(self._state.get("Status") or "")

    def facts(self) -> dict[str, Any]:
        """For scripts: the same, and the numbers it comes from."""
        return {
            "ID": self.id,
            "Name": self.name,
            "State": self.status,
            "ExitCode": self._state.get("ExitCode", 0),
            "Signal": signal_name(self._signal()),
            "Reason": self.reason(),
            "Cure": self.cure(),
            "StopRequest": self._last.get("StopRequest"),
            "Log": self._log,
        }

    def text(self) -> str:
        parts = [self.headline()]
        if self.status == "running":
            parts += self._about_now()
        elif self.status not in ("paused", "removing"):
            parts += self._about_the_end()
        if self._log and self.status not in ("created",):
            parts += [
                "",
                "The last line of its log:" if len(self._log) == 1 else f"The last {len(self._log)} lines of its log:",
            ]
            parts += [f"  | {printable(line.rstrip(chr(10)))}" for line in self._log]
        if self.cure():
            parts += ["", f"What to do: {self.cure()}"]
        return "\n".join(parts)

    def headline(self) -> str:
        who = f"{self.name} ({self.id[:12]})"
        started, finished = parse_time(self._state.get("StartedAt")), parse_time(self._state.get("FinishedAt"))
        if self.status == "running":
            return f"{who} is running, since {_ago(started)}."
        if self.status == "paused":
            return f"{who} is paused: its processes are stopped where they were, and go on with pydock unpause."
        if self.status == "restarting":
            return f"{who} ended {_ago(finished)} and is about to be started again."
        if self.status == "created" or not finished:
            return f"{who} was created and has never run."
        ran = f", after it had run for {human_duration(finished - started).lower()}" if started else ""
        return f"{who} stopped {_ago(finished)}{ran}."

    def reason(self) -> str:
        """Why it ended, in one sentence; "" for what has not ended."""
        code, number = int(self._state.get("ExitCode") or 0), self._signal()
        if self.status in ("running", "paused", "removing"):
            return ""
        if self._state.get("Error"):
            return f"It could not be started: {self._state['Error']}"
        if self.status == "created":
            return "Nobody has started it yet."
        if self._state.get("OOMKilled"):
            return f"It ran out of memory: the kernel killed it {self._limit()} (exit code {code})."
        if number:
            what = SIGNALS.get(number, "it was ended by a signal")
            if number == signal.SIGKILL and self._asked():
                what = "it did not end when asked, so it was killed"
            return f"{signal_name(number)} ended it (exit code {code}): {what}."
        return f"Its program ended with exit code {code}: {CODES.get(code, 'what that means is up to the program')}."

    def cure(self) -> str:
        """What a person might do now; "" when there is nothing to mend."""
        code = int(self._state.get("ExitCode") or 0)
        if self.status == "created" and not self._state.get("Error"):
            return f"pydock start {self.name}"
        if self.status not in ("exited", "dead", "restarting", "created"):
            return ""
        if self._state.get("OOMKilled"):
            limit = int(self._host.get("Memory") or 0)
            if limit:
                more = f"pydock update -m {_doubled(limit)} {self.name}"
                return f"allow it more, such as {more}, then pydock start {self.name}"
            return "free memory on this machine, or give this container a limit of its own (pydock update -m)"
        if code == 127:
            return f"look at its command: {' '.join(self._command)!r} has to be a program inside the image"
        if code == 126:
            return f"look at its command: {' '.join(self._command)!r} has to be executable, and for this processor"
        if code and not self._asked():
            return f"pydock logs {self.name} shows all that it wrote"
        return ""

    def _about_the_end(self) -> list[str]:
        parts = [self.reason()]
        asked = self._asked()
        if asked:
            program = _program(str(asked.get("Program") or ""))
            when = _clock(parse_time(asked.get("Time")))
            parts.append(
                f"The end was asked for at {when} with {signal_name(int(asked.get('Signal') or 0))}, "
                f"by {program} (pid {asked.get('Pid')}, {_user(int(asked.get('Uid') or 0))})."
            )
        elif self._last and (self._signal() or self._last.get("ExitCode")):
            parts.append("Nobody asked for it: no stop and no kill came through pydock.")
        parts += self._measured()
        policy = self._policy()
        return [*parts, policy] if policy else parts

    def _about_now(self) -> list[str]:
        parts = []
        health = self._state.get("Health") or {}
        if health.get("Status"):
            parts.append(f"Its health check says: {health['Status']}.")
            failing = [entry for entry in health.get("Log") or () if entry.get("ExitCode")]
            if failing and health["Status"] == "unhealthy":
                parts.append(f"  | {printable(str(failing[-1].get('Output') or '').strip())}")
        if self._restarts:
            parts.append(f"It was started again {_counted(self._restarts, 'time')} by its restart policy.")
            if self._last:
                parts.append(f"Before that it had ended with exit code {self._last.get('ExitCode')}.")
        return parts

    def _measured(self) -> list[str]:
        parts = []
        peak, limit = int(self._last.get("MemoryPeak") or 0), int(self._host.get("Memory") or 0)
        if peak:
            parts.append(
                f"It used {binary_size(peak)} of memory at most" + (f", of {binary_size(limit)}." if limit else ".")
            )
        pressure = self._last.get("Pressure") or {}
        waited = [f"{name} {pressure[key]:.0f} %" for key, name in _PRESSURES if pressure.get(key, -1) >= 1]
        if waited:
            parts.append(f"In its last 10 seconds it waited for: {', '.join(waited)} of the time.")
        return parts

    def _policy(self) -> str:
        policy = self._host.get("RestartPolicy") or {}
        name = policy.get("Name") or "no"
        if name == "no":
            return ""
        again = f"It was started again {_counted(self._restarts, 'time')} by then." if self._restarts else ""
        most = int(policy.get("MaximumRetryCount") or 0)
        if self.status == "restarting":
            text = f"Its restart policy is {name}."
        elif self._asked():
            text = f"Its restart policy ({name}) does not apply to an end that was asked for."
        elif name == "on-failure" and most and self._restarts >= most:
            text = f"Its restart policy (on-failure:{most}) has no further try."
        elif name == "on-failure" and not int(self._state.get("ExitCode") or 0):
            text = "Its restart policy (on-failure) does not apply: it did not fail."
        else:
            text = f"Its restart policy is {name}."
        return f"{text} {again}".strip()

    def _asked(self) -> dict[str, Any]:
        return self._last.get("StopRequest") or {}

    def _signal(self) -> int:
        code = int(self._state.get("ExitCode") or 0)
        if self._last:
            return int(self._last.get("Signal") or 0)
        return code - 128 if 128 < code < 128 + signal.NSIG else 0

    def _limit(self) -> str:
        limit = int(self._host.get("Memory") or 0)
        return f"at its limit of {binary_size(limit)}" if limit else "because this machine had none left"


_PRESSURES = (("Cpu", "CPU"), ("Memory", "memory"), ("Io", "disk"))


def signal_name(number: int) -> str:
    """ "SIGTERM" for 15, "" for 0."""
    if not number:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _ago(time_ns: int) -> str:
    return f"{human_duration(time.time_ns() - time_ns).lower()} ago"


def _clock(time_ns: int) -> str:
    local = time.localtime(time_ns // 10**9)
    today = local[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", local)


def _program(line: str) -> str:
    """The command line as it was typed: without the interpreter, and without the program's folder."""
    words = printable(line).split()
    if len(words) > 1 and words[0].rpartition("/")[2].startswith("python"):
        words = words[1:]
    return " ".join([words[0].rpartition("/")[2], *words[1:]]) if words else "a program"


def _user(uid: int) -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _doubled(limit: int) -> str:
    return f"{max(8, (2 * limit + (1 << 20) - 1) >> 20)}m"


COMMANDS = {
    "explain": Command(
        "explain",
        "CONTAINER [CONTAINER...]",
        "Say in words why a container stopped, or how it is doing",
        explain,
        (
            flag("--json", "The same facts as JSON"),
            number("-n, --tail", "N", f"How many lines of the log to show (default {LOG_LINES})"),
        ),
        minimum=1,
        description="""Reads what was recorded when the container's program ended: its exit code or signal, whether it
ran out of memory, who asked it to stop and when, what its restart policy makes of that, and the last lines it wrote.

Examples:
  pydock explain web
  pydock explain --json web | jq -r '.[0].Reason'""",
        aliases=("container explain",),
    )
}
