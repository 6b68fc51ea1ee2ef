"""Engine objects as table rows. Which columns fit is the table's business; what a cell says is decided here."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from .cells import Cell, Column, Row, Spark
from .ports import port_list
from .state import container_look, exit_text
from .text import plain
from .units import count, docker_size, percent, rate, short_duration, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.models import Container, Image, Network, Volume

    from .cells import CellValue, Role
    from .readings import Reading

WARNING_PERCENT, CRITICAL_PERCENT = 70, 90

CONTAINER_COLUMNS: tuple[Column, ...] = (
    Column("glyph", "", 1, sortable=False),
    Column("name", "name", 8, flex=4, elide="middle", maximum=32),
    Column("state", "state", 10, priority=4),
    Column("uptime", "up", 4, priority=6, align="right"),
    Column("trend", "cpu", 8, priority=2, sortable=False, fallback="state"),
    Column("cpu", "cpu %", 6, priority=1, align="right"),
    Column("memory", "mem", 5, priority=3, align="right"),
    Column("limit", "limit", 5, priority=5),
    Column("pids", "pids", 4, priority=7, align="right"),
    Column("net", "net ↓ ↑", 14, priority=8, align="right"),
    Column("block", "disk r w", 14, priority=9, align="right"),
    Column("ports", "ports", 10, priority=10, flex=2, maximum=30),
    Column("image", "image", 12, priority=11, flex=3, elide="middle", maximum=48),
)

IMAGE_COLUMNS: tuple[Column, ...] = (
    Column("name", "image", 12, flex=3, elide="middle", maximum=60),
    Column("size", "size", 6, priority=1, align="right"),
    Column("age", "age", 4, priority=2, align="right"),
    Column("used", "used", 4, priority=3, align="right"),
    Column("id", "id", 12, priority=4),
)

NETWORK_COLUMNS: tuple[Column, ...] = (
    Column("name", "network", 8, flex=2, elide="middle", maximum=40),
    Column("driver", "driver", 6, priority=2),
    Column("subnet", "subnet", 18, priority=1),
    Column("bridge", "bridge", 10, priority=3),
)

VOLUME_COLUMNS: tuple[Column, ...] = (
    Column("name", "volume", 8, flex=2, elide="middle", maximum=64),
    Column("age", "age", 4, priority=1, align="right"),
    Column("path", "path", 20, priority=2, flex=1, elide="middle"),
)


def container_row(
    container: Container,
    *,
    now_ns: int,
    reading: Reading | None = None,
    trend: Sequence[float] = (),
    busy: str = "",
    ascii_only: bool = False,
) -> Row:
    """A container; `reading` and `trend` (percent CPU, oldest first) count only while it runs."""
    look = container_look(container, busy=busy, ascii_only=ascii_only)
    alive = container.state in ("running", "paused")
    over = container.state in ("exited", "dead")
    role: Role = "muted" if over and look.role == "muted" else ""
    word = look.word
    if over and not busy:
        word = exit_text(container).split(" (")[0]
    cells: dict[str, CellValue] = {
        "glyph": Cell(look.glyph, look.role),
        "name": Cell(plain(container.name), role, bold=alive),
        "state": Cell(word, look.role),
        "uptime": Cell(_since(container, now_ns), "muted"),
        "ports": Cell(port_list(container.ports), role or "secondary"),
        "image": Cell(plain(container.image), "muted"),
    }
    if alive:
        trend_role: Role = "primary" if container.state == "running" else "muted"
        cells["trend"] = Spark(tuple(trend), _cpu_limit(container) or _scale(trend), trend_role)
        if reading is not None:
            cells |= _usage(container, reading)
    search = f"{container.name} {container.image} {look.word} {container.id}".lower()
    return Row(container.id, cells, role, search)


def _usage(container: Container, reading: Reading) -> dict[str, CellValue]:
    limit = container.resources.memory or reading.memory_limit
    share = reading.memory / limit * 100 if limit else 0.0
    cpu_limit = _cpu_limit(container) or 100.0
    return {
        "cpu": Cell(percent(reading.cpu), level(reading.cpu / cpu_limit * 100)),
        "memory": Cell(size(reading.memory), level(share)),
        "limit": Cell(f"/{size(limit)}" if container.resources.memory else "", "muted"),
        "pids": Cell(count(reading.pids), ""),
        "net": Cell(_pair("↓", reading.rx, "↑", reading.tx), "muted" if not reading.rx + reading.tx else ""),
        "block": Cell(_pair("", reading.read, "", reading.write), "muted" if not reading.read + reading.write else ""),
    }


def level(share_percent: float) -> Role:
    """Role of a share of a limit: warning from 70 %, error from 90 %; NaN is plain."""
    if share_percent >= CRITICAL_PERCENT:
        return "error"
    if share_percent >= WARNING_PERCENT:
        return "warning"
    return ""


def _pair(left_mark: str, left: float, right_mark: str, right: float) -> str:
    def short(value: float) -> str:
        return "–" if value != value else rate(value).removesuffix("/s")

    return f"{left_mark}{short(left):>5} {right_mark}{short(right):>5}"


def _cpu_limit(container: Container) -> float | None:
    resources = container.resources
    if resources.nano_cpus:
        return resources.nano_cpus / 1e9 * 100
    if resources.cpu_quota > 0:
        return resources.cpu_quota / (resources.cpu_period or 100_000) * 100
    return None


def _scale(trend: Sequence[float]) -> float:
    """Without a limit the graph fills its cell, but a blip of a quarter CPU or less stays a blip."""
    return max([25.0, *(value for value in trend if value == value)])


def _since(container: Container, now_ns: int) -> str:
    if container.state in ("running", "paused", "restarting") and container.started_ns:
        return short_duration(now_ns - container.started_ns)
    if container.finished_ns:
        return short_duration(now_ns - container.finished_ns)
    return short_duration(now_ns - container.created_ns)


def image_row(image: Image, *, now_ns: int, used_by: int = 0) -> Row:
    """An image by its first reference; the others are counted behind it."""
    names = [plain(reference) for reference in image.references]
    short_id = image.id.removeprefix("sha256:")[:12]
    name = names[0] if names else f"<none> {short_id}"
    if len(names) > 1:
        name += f" +{len(names) - 1}"
    cells: dict[str, CellValue] = {
        "name": Cell(name, "" if names else "muted"),
        "size": Cell(docker_size(image.size), ""),
        "age": Cell(short_duration(now_ns - image.created_ns) if image.created_ns else "", "muted"),
        "used": Cell(str(used_by) if used_by else "", "success"),
        "id": Cell(short_id, "muted"),
    }
    return Row(image.id, cells, "", " ".join((*names, image.id)).lower())


def network_row(network: Network) -> Row:
    """A network."""
    cells: dict[str, CellValue] = {
        "name": Cell(plain(network.name)),
        "driver": Cell(network.driver, "secondary"),
        "subnet": Cell(network.subnet, "muted"),
        "bridge": Cell(network.bridge, "muted"),
    }
    return Row(network.id or network.name, cells, "", f"{network.name} {network.driver}".lower())


def volume_row(volume: Volume, *, now_ns: int) -> Row:
    """A volume; anonymous ones by the first 12 digits of their name."""
    cells: dict[str, CellValue] = {
        "name": Cell(volume.name[:12] if volume.anonymous else plain(volume.name), "muted" if volume.anonymous else ""),
        "age": Cell(short_duration(now_ns - volume.created_ns) if volume.created_ns else "", "muted"),
        "path": Cell(plain(volume.path), "muted"),
    }
    return Row(volume.name, cells, "", volume.name.lower())


def command_text(command: Sequence[str]) -> str:
    """An argument vector as one would type it."""
    return plain(shlex.join(command))
