"""Log drivers and what `--log-opt` may ask of them, by Docker's names and with its defaults.

`json-file` keeps everything unless told otherwise; `local` keeps five files of 20 MB, the older ones compressed. Both
remain readable by `pydock logs`, as do the entries of `journald`; `none` keeps nothing.
"""

from __future__ import annotations

import os

from ..errors import HostUnfit, InvalidRequest
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

    from ..models import Container, CreateRequest

JOURNAL_SOCKET = "/run/systemd/journal/socket"

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DETAILS = ("labels", "labels-regex", "env", "env-regex", "tag")
# Docker's two that choose between blocking and dropping: a full pipe slows the container down here, as is its default.
_DELIVERY = ("mode", "max-buffer-size")
_KNOWN: dict[str, tuple[str, ...]] = {
    "json-file": ("max-size", "max-file", "compress", *_DETAILS, *_DELIVERY),
    "local": ("max-size", "max-file", "compress", *_DELIVERY),
    "journald": (*_DETAILS, *_DELIVERY),
    "none": (*_DETAILS, *_DELIVERY),
}


class LogSettings(Record):
    """What a shim's log writer is told. `attributes`: what `logs --details` shows before each line. `journal_fields`:
    what says in the journal whose entry it is."""

    driver: str = "json-file"
    max_bytes: int = 0
    files: int = 1
    compress: bool = False
    attributes: dict[str, str] = {}
    journal_fields: dict[str, str] = {}


def check(driver: str, options: dict[str, str]) -> None:
    """Raise InvalidRequest for what nobody knows, HostUnfit for a driver that this host has no use for."""
    _read(driver, options)
    if driver == "journald" and not os.path.exists(JOURNAL_SOCKET):
        raise HostUnfit(
            "log driver journald: no journal on this host",
            hint=f"{JOURNAL_SOCKET} is missing; json-file and local need nothing.",
        )


def settings(request: CreateRequest, container: Container, env: tuple[str, ...]) -> LogSettings:
    """For a start; `env` is the program's environment, from which the options may pick."""
    options = request.log_options
    values = dict(entry.partition("=")[::2] for entry in env)
    attributes = {
        **_picked(options, "labels", container.labels),
        **_picked(options, "env", values),
    }
    read = _read(request.log_driver, options)
    if read.driver != "journald":
        if options.get("tag"):
            attributes["tag"] = _tag(options, container)
        return read.replace(attributes=attributes)
    tag = _tag(options, container)
    fields = {
        "CONTAINER_ID": container.id[:12],
        "CONTAINER_ID_FULL": container.id,
        "CONTAINER_NAME": container.name,
        "CONTAINER_TAG": tag,
        "IMAGE_NAME": container.image,
        "SYSLOG_IDENTIFIER": tag,
    }
    return read.replace(attributes=attributes, journal_fields=fields)


def details_text(attributes: dict[str, str]) -> str:
    """`a=1,b=2`, escaped as in a query string, so that a comma is no separator."""
    if not attributes:
        return ""
    from urllib.parse import quote

    return ",".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in sorted(attributes.items()))


def _read(driver: str, options: dict[str, str]) -> LogSettings:
    known = _KNOWN.get(driver)
    if known is None:
        raise InvalidRequest(f"unknown log driver '{driver}'", hint=f"Known: {', '.join(_KNOWN)}.")
    for name, value in options.items():
        if name not in known:
            raise InvalidRequest(
                f"unknown log opt '{name}' for {driver} log driver", hint=f"Known: {', '.join(known)}."
            )
        if name.endswith("-regex"):
            _pattern(name, value)
        if name == "mode" and value not in ("blocking", "non-blocking"):
            raise InvalidRequest(f"invalid log opt mode={value}", hint="Known: blocking, non-blocking.")
    local = driver == "local"
    max_bytes = _size(options.get("max-size", "20m" if local else ""))
    files = _count(options.get("max-file", "5" if local else "1"))
    compress = _flag("compress", options.get("compress", "true" if local else "false"))
    if compress and "compress" in options and (not max_bytes or files < 2):
        raise InvalidRequest("compress cannot be true when max-file is less than 2 or max-size is not set")
    return LogSettings(driver=driver, max_bytes=max_bytes, files=files, compress=compress and files > 1)


def _size(text: str) -> int:
    digits = text.strip().lower().removesuffix("ib" if text.lower().endswith("ib") else "b")
    unit = digits[-1:] if digits[-1:] in ("k", "m", "g") else ""
    number = digits.removesuffix(unit)
    if not text or text == "-1":
        return 0
    try:
        value = int(float(number) * _UNITS[unit])
    except (ValueError, OverflowError):
        raise InvalidRequest(f"invalid log opt max-size={text}", hint="A size such as 512k, 10m or 1g.") from None
    if value <= 0:
        raise InvalidRequest(f"max-size must be a positive number: {text}")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise InvalidRequest(f"max-file cannot be less than 1: {text}")
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "t", "f"):
        raise InvalidRequest(f"invalid log opt {name}={text}", hint="true or false.")
    return text.lower() in ("true", "1", "t")


def _picked(options: dict[str, str], name: str, values: dict[str, str]) -> dict[str, str]:
    wanted = {word.strip() for word in options.get(name, "").split(",")} - {""}
    found = {key: value for key, value in values.items() if key in wanted}
    pattern = options.get(f"{name}-regex", "")
    if pattern:
        search = _pattern(f"{name}-regex", pattern).search
        found.update({key: value for key, value in values.items() if search(key)})
    return found


def _pattern(name: str, text: str) -> re.Pattern[str]:
    import re

    try:
        return re.compile(text)
    except re.error as error:
        raise InvalidRequest(f"invalid log opt {name}={text}: {error}") from error


def _tag(options: dict[str, str], container: Container) -> str:
    """The tag with Docker's template words in their places: {{.ID}}, {{.Name}} and the like."""
    text = options.get("tag", "")
    words = {
        "ID": container.id[:12],
        "FullID": container.id,
        "Name": container.name,
        "ImageName": container.image,
        "ImageID": container.image_id.removeprefix("sha256:")[:12],
        "ImageFullID": container.image_id,
        "DaemonName": "pydock",
        "Command": " ".join(container.command),
    }
    for word, value in words.items():
        text = text.replace(f"{{{{.{word}}}}}", value)
    return text or container.id[:12]
