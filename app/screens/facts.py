"""A container in words: the facts above its graphs, and its limits. Pure: models in, Content out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.content import Content

from ..presentation.ports import port_list
from ..presentation.rows import command_text
from ..presentation.state import container_look, exit_text
from ..presentation.text import elide_end, plain
from ..presentation.units import docker_age, size

if TYPE_CHECKING:
    from engine.models import Container

Line = tuple[str, Content]


def facts(container: Container, *, busy: str = "", ascii_only: bool = False) -> list[Line]:
    """Label and value, the most telling first."""
    now = time.time_ns()
    look = container_look(container, busy=busy, ascii_only=ascii_only)
    role = f"$text-{look.role}" if look.role != "" else ""
    state = [(f"{look.glyph} {look.word}", role)]
    if container.state in ("running", "paused") and container.started_ns:
        state.append((f"  up {docker_age(now - container.started_ns).lower()}, pid {container.pid}", "$foreground 60%"))
    elif over := exit_text(container):
        ago = docker_age(now - container.finished_ns).lower() if container.finished_ns else ""
        state.append((f"  {over}" + (f", {ago} ago" if ago else ""), "$foreground 60%"))
    if container.restart_count:
        state.append((f"  restarted {container.restart_count} times", "$text-warning"))
    lines: list[Line] = [("state", Content.assemble(*state))]
    if container.error:
        lines.append(("error", Content.assemble((plain(container.error), "$text-error"))))
    lines.append(("image", Content(plain(container.image))))
    lines.append(("command", Content(command_text(container.command))))
    for endpoint in container.endpoints:
        address = f"{endpoint.address}/{endpoint.prefix_length}" if endpoint.address else ""
        lines.append(
            ("network", Content.assemble(endpoint.network, (f"  {address}  {endpoint.mac}", "$foreground 60%")))
        )
    if not container.endpoints and container.network != "bridge":
        lines.append(("network", Content(container.network)))
    if container.ports:
        lines.append(("ports", Content.assemble((port_list(container.ports), "$text-secondary"))))
    for mount in container.mounts:
        how = f"  {mount.type}{', read-only' if mount.read_only else ''}"
        source = (
            mount.source if mount.type == "bind" else mount.source[:12] if len(mount.source) == 64 else mount.source
        )
        arrow = f"{source} → " if source else ""
        lines.append(("mount", Content.assemble(plain(f"{arrow}{mount.target}"), (how, "$foreground 60%"))))
    lines.append(("limits", limits_line(container)))
    if container.restart.name != "no":
        lines.append(("restart", Content(container.restart.name)))
    lines.append(("id", Content.assemble((container.id[:12], "$foreground 60%"))))
    return lines


def limit_values(container: Container) -> list[tuple[str, str]]:
    """Each limit and its value, "–" when it is not set."""
    resources = container.resources
    cpus = f"{resources.nano_cpus / 1e9:g}" if resources.nano_cpus else "–"
    return [
        ("memory", size(resources.memory) if resources.memory else "–"),
        ("swap", _swap(resources.memory, resources.memory_swap)),
        ("cpus", cpus),
        ("shares", str(resources.cpu_shares or "–")),
        ("cpu set", resources.cpuset_cpus or "–"),
        ("pids", str(resources.pids_limit) if resources.pids_limit > 0 else "–"),
    ]


def limits_line(container: Container) -> Content:
    """The limits that are set, in one line."""
    chosen = [(name, value) for name, value in limit_values(container) if value != "–"]
    if not chosen:
        return Content.assemble(("none", "$foreground 60%"))
    parts: list[tuple[str, str]] = []
    for name, value in chosen:
        parts += [(f"{name} ", "$foreground 60%"), (f"{value}   ", "")]
    return Content.assemble(*parts)


def lay_out(lines: list[Line], width: int, rows: int) -> Content:
    """Label column and value column, cut to `width` cells and `rows` lines."""
    label = max((len(name) for name, _ in lines), default=0) + 2
    shown = []
    for name, value in lines[:rows] if rows else lines:
        room = max(8, width - label)
        text = value if value.cell_length <= room else Content(elide_end(value.plain, room))
        shown.append(Content.assemble((name.ljust(label), "$foreground 60%"), text))
    return Content("\n").join(shown)


def _swap(memory: int, memory_swap: int) -> str:
    if memory_swap < 0:
        return "unlimited"
    return size(memory_swap - memory) if memory_swap > memory else "–"
