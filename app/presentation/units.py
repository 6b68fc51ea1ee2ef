"""Sizes, rates, shares and times as short text. Numbers of one kind keep one width, so columns stand still.

Sizes in tables are binary and short ("180M"); `docker_size` and `docker_age` give Docker's own words
(go-units HumanSize and HumanDuration).
"""

from __future__ import annotations

import math

_BINARY = ("B", "K", "M", "G", "T", "P")
_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB")
_SECOND = 1_000_000_000


def size(count: float) -> str:
    """Bytes in powers of 1024, at most five characters: "0B", "96M", "1.5G"."""
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(_BINARY) - 1:
        value /= 1024
        unit += 1
    if unit == 0 or abs(value) >= 9.95:
        return f"{value:.0f}{_BINARY[unit]}"
    return f"{value:.1f}{_BINARY[unit]}"


def docker_size(count: float) -> str:
    """Bytes in powers of 1000 with three significant digits, as `docker images` prints them: "7.8MB"."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_DECIMAL) - 1:
        value /= 1000
        unit += 1
    return f"{value:.3g}{_DECIMAL[unit]}"


def rate(bytes_per_second: float) -> str:
    """Bytes a second, short: "1.2M/s"; "0" when nothing moves."""
    if bytes_per_second < 0.5:
        return "0"
    return f"{size(bytes_per_second)}/s"


def percent(value: float) -> str:
    """A share with one digit below 100 and none above: "2.0%", "100%", "1600%"."""
    if math.isnan(value):
        return "–"
    return f"{value:.1f}%" if value < 99.95 else f"{value:.0f}%"


def count(value: float) -> str:
    """A plain number: "12", "1.2k"."""
    if value < 9999.5:
        return f"{value:.0f}"
    return f"{value / 1000:.1f}k" if value < 99_950 else f"{value / 1000:.0f}k"


def short_duration(nanoseconds: int) -> str:
    """One unit: "12s", "5m", "2h", "3d", "7w", "2y"."""
    seconds = max(0, nanoseconds) // _SECOND
    for limit, divisor, letter in (
        (100, 1, "s"),
        (100 * 60, 60, "m"),
        (48 * 3600, 3600, "h"),
        (14 * 86400, 86400, "d"),
        (104 * 604800, 604800, "w"),
    ):
        if seconds < limit:
            return f"{seconds // divisor}{letter}"
    return f"{seconds // (365 * 86400)}y"


def docker_age(nanoseconds: int) -> str:
    """A duration in Docker's words: "Less than a second", "About an hour", "3 weeks"."""
    seconds = max(0, nanoseconds) // _SECOND
    if seconds < 1:
        return "Less than a second"
    if seconds == 1:
        return "1 second"
    if seconds < 60:
        return f"{seconds} seconds"
    minutes = seconds // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    for limit, divisor, word in (
        (48, 1, "hours"),
        (24 * 7 * 2, 24, "days"),
        (24 * 30 * 2, 24 * 7, "weeks"),
        (24 * 365 * 2, 24 * 30, "months"),
    ):
        if hours < limit:
            return f"{hours // divisor} {word}"
    return f"{hours // 24 // 365} years"


def precise_duration(nanoseconds: int) -> str:
    """How long a step took, three digits: "840 µs", "1.24 ms", "12.3 ms", "3.21 s", "2m 5s"."""
    value = max(0, nanoseconds)
    if value >= 60 * _SECOND:
        seconds = value // _SECOND
        if seconds >= 86400:
            return f"{seconds // 86400}d {seconds % 86400 // 3600}h"
        if seconds >= 3600:
            return f"{seconds // 3600}h {seconds % 3600 // 60}m"
        return f"{seconds // 60}m {seconds % 60}s"
    for divisor, unit in ((_SECOND, "s"), (1_000_000, "ms"), (1000, "µs")):
        if value >= divisor:
            number = value / divisor
            digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
            return f"{number:.{digits}f} {unit}"
    return f"{value} ns"


def clock(time_ns: int) -> str:
    """Local time of day of an instant: "12:01:07"."""
    import time

    return time.strftime("%H:%M:%S", time.localtime(time_ns / _SECOND))
