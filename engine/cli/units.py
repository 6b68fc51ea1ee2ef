"""Sizes, durations and times as docker writes and reads them (go-units, Go's time.ParseDuration)."""

from __future__ import annotations

import re
import time

from .errors import UsageError

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
# compiled at their first use: most commands read neither sizes nor times
_SIZE = r"(\d+(?:\.\d+)?) ?([kmgtp]?)(i?b)?"
_DURATION = r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)"
_DURATION_NS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_RFC3339 = r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d\d:\d\d)?"


def decimal_size(size: float, digits: int = 3) -> str:
    """Bytes in powers of 1000 with so many significant digits: "8.31MB"."""
    return _scaled(size, 1000.0, _DECIMAL, digits)


def binary_size(size: float) -> str:
    """Bytes in powers of 1024 with four significant digits: "5.461MiB"."""
    return _scaled(size, 1024.0, _BINARY, 4)


def parse_size(text: str, option: str) -> int:
    """Bytes from "64m", "1.5g", "512" (powers of 1024); raises `UsageError` that names the option."""
    match = re.fullmatch(_SIZE, text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f'invalid argument "{text}" for "{option}" flag: not a size such as 512, 64m or 1.5g')
    power = " kmgtp".index(match[2].lower() or " ")
    return int(float(match[1]) * 1024**power)


def parse_duration(text: str) -> int | None:
    """Nanoseconds of "10m", "1h30m", "1.5s"; None when it is no duration."""
    if not text or re.sub(_DURATION, "", text):
        return None
    return sum(int(float(value) * _DURATION_NS[unit]) for value, unit in re.findall(_DURATION, text))


def parse_time(text: str, option: str) -> int:
    """Nanoseconds since the epoch of a Unix time, an RFC 3339 time, or a duration before now; 0 for ""."""
    if not text:
        return 0
    duration = parse_duration(text)
    if duration is not None:
        return time.time_ns() - duration
    if re.fullmatch(r"\d+(\.\d{1,9})?", text):
        seconds, _, fraction = text.partition(".")
        return int(seconds) * 10**9 + int(fraction.ljust(9, "0") or 0)
    match = re.fullmatch(_RFC3339, text)
    if match is None:
        raise UsageError(
            f'invalid argument "{text}" for "{option}" flag: not a time such as 2026-01-31T09:00:00, 10m or a Unix time'
        )
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    fields = (int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    try:
        if zone is None:
            seconds_utc = int(time.mktime((*fields, 0, 0, -1)))
        else:
            import calendar

            seconds_utc = calendar.timegm((*fields, 0, 0, 0)) - _zone_offset(zone)
    except (OverflowError, ValueError):
        raise UsageError(f'invalid argument "{text}" for "{option}" flag: no such time') from None
    return seconds_utc * 10**9 + int((fraction or "0").ljust(9, "0"))


def rfc3339(time_ns: int, zero: str = "0001-01-01T00:00:00Z") -> str:
    """UTC with nanoseconds, as docker's JSON and log lines have it."""
    if time_ns <= 0:
        return zero
    seconds, rest = divmod(time_ns, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def local_rfc3339(time_ns: int) -> str:
    """Local time with nanoseconds and its offset, as `docker events` writes it."""
    seconds, rest = divmod(time_ns, 10**9)
    local = time.localtime(seconds)
    offset = time.strftime("%z", local)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{rest:09d}{offset[:3]}:{offset[3:]}"


def local_time(time_ns: int) -> str:
    """Local time as `docker ps` has it in CreatedAt."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(time_ns // 10**9))


def human_duration(duration_ns: int) -> str:
    """A span in one rounded unit: "About a minute", "3 hours"."""
    seconds = duration_ns // 10**9
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
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{hours // 24 // 365} years"


def _scaled(size: float, base: float, units: tuple[str, ...], digits: int) -> str:
    index = 0
    while size >= base and index < len(units) - 1:
        size /= base
        index += 1
    number = f"{size:.{digits}g}"
    if "e" in number:
        number = f"{size:.0f}"
    return f"{number}{units[index]}"


def _zone_offset(zone: str) -> int:
    if zone == "Z":
        return 0
    offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
    return -offset if zone[0] == "-" else offset
