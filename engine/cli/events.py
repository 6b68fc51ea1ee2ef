"""`pydock events`: the stream of changes, as it happens."""

from __future__ import annotations

import json
import select
import sys
import time

from .filters import parse_filters
from .options import Command, many, text
from .units import local_rfc3339, parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Event
    from .context import Context
    from .filters import Filters
    from .options import Parsed
    from .template import Template

# what a person is told of an event; its other attributes are labels, mostly
TOLD = (
    *("image", "exitCode", "signal", "oldName", "container", "driver", "type", "destination", "execDuration"),
    "reclaimed",
)
FILTERS = ("container", "daemon", "event", "image", "label", "network", "scope", "type", "volume")


def events(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "events")
    since_ns = parse_time(options.text("since"), "--since")
    until_ns = parse_time(options.text("until"), "--until")
    printer = _Printer(options.text("format"), filters)
    stream = context.engine.events
    subscription = stream.subscribe()
    try:
        seen = 0
        if since_ns:
            # the subscription is open already: what happens between the two reads comes once, by its id
            for event in stream.between(since_ns, until_ns):
                seen = event.id
                printer.show(event)
        elif until_ns and until_ns <= time.time_ns():
            for event in stream.between(0, until_ns):
                printer.show(event)
        while not until_ns or time.time_ns() < until_ns:
            left_s = max(0.0, (until_ns - time.time_ns()) / 1e9) if until_ns else None
            select.select([subscription], [], [], left_s)
            for event in subscription.read():
                if event.id > seen and not (until_ns and event.time_ns > until_ns):
                    printer.show(event)
    finally:
        subscription.close()
    return 0


class _Printer:
    """Prints the events that pass the filters."""

    def __init__(self, format: str, filters: Filters) -> None:
        self._json = format in ("json", "{{json .}}")
        self._template: Template | None = None
        if format and not self._json:
            from .template import Template

            self._template = Template(format.replace("\\t", "\t"))
        self._filters = filters

    def show(self, event: Event) -> None:
        if not passes(event, self._filters):
            return
        if self._json:
            line = json.dumps(event_json(event), separators=(",", ":"))
        elif self._template is not None:
            line = self._template.render(event_json(event))
        elif sys.stdout.isatty():
            line = for_people(event)
        else:
            details = ", ".join(f"{key}={value}" for key, value in sorted(event.attributes.items()))
            line = f"{local_rfc3339(event.time_ns)} {event.type} {event.action} {event.actor}"
            line += f" ({details})" if details else ""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def for_people(event: Event) -> str:
    """One short line: what happened to what, without the labels that every event carries."""
    from .listing import shortened
    from .table import printable, terminal_width

    seconds, rest = divmod(event.time_ns, 10**9)
    local = time.localtime(seconds)
    today = local[:3] == time.localtime()[:3]
    when = time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", local)
    name = event.attributes.get("name", "")
    actor = event.actor.removeprefix("sha256:")
    actor = actor[:12] if len(actor) == 64 else actor
    details = [f"{key}={event.attributes[key][:40]}" for key in TOLD if event.attributes.get(key)]
    words = [f"{when}.{rest // 10**6:03d}", f"{event.type:<9}", f"{event.action:<11}", actor]
    if name and name != actor:
        words.append(name)
    line = " ".join(words) + (f"  {', '.join(details)}" if details else "")
    return shortened(printable(line), terminal_width() or len(line))


def passes(event: Event, filters: Filters) -> bool:
    """Whether an event has all that the filters ask for."""
    return all(_matches(event, key, values) for key, values in filters.items())


def event_json(event: Event) -> dict[str, object]:
    """docker's shape of an event, its legacy keys for containers included."""
    result: dict[str, object] = {
        "Type": event.type,
        "Action": event.action,
        "Actor": {"ID": event.actor, "Attributes": dict(event.attributes)},
        "scope": "local",
        "time": event.time_ns // 10**9,
        "timeNano": event.time_ns,
    }
    if event.type == "container":
        result |= {"status": event.action, "id": event.actor, "from": event.attributes.get("image", "")}
    return result


def _matches(event: Event, key: str, values: list[str]) -> bool:
    if key == "type":
        return event.type in values
    if key == "event":
        return event.action.partition(":")[0] in values or event.action in values
    if key in ("daemon", "scope"):
        return key == "scope" and "local" in values
    if key == "label":
        from .filters import matches_labels

        return matches_labels(values, event.attributes)
    if key == "image":
        names = (event.actor, event.attributes.get("name", "")) if event.type == "image" else ()
        return any(value in (*names, event.attributes.get("image")) for value in values)
    if event.type != key:
        return False
    name = event.attributes.get("name", "")
    return any(value == name or (value and event.actor.startswith(value)) for value in values)


COMMANDS = {
    "events": Command(
        "events",
        "",
        "Get real time events from the engine",
        events,
        (
            many("-f, --filter", "KEY=VALUE", f"Filter output: {', '.join(FILTERS)}"),
            text("--format", "FORMAT", "json or a Go template"),
            text("--since", "TIME", "Show events since a time or so long ago (10m)"),
            text("--until", "TIME", "Stream events until this time"),
        ),
        maximum=0,
        aliases=("system events",),
    )
}
