"""Dockerfile instructions that `commit` and `import` take with `--change`, applied to an image's configuration.

CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR; words as in a
Dockerfile: a JSON array, or text for the shell, or KEY=VALUE with quotes.
"""

from __future__ import annotations

import json
import posixpath
import shlex

from ..errors import InvalidRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Config = dict[str, Any]

_SHELL = ["/bin/sh", "-c"]
_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def apply(config: Config, changes: Iterable[str]) -> Config:
    """The configuration (its `config` part) with the changes made. Raises InvalidRequest naming the first bad one."""
    config = dict(config)
    for change in changes:
        for line in change.replace("\\\n", " ").splitlines():
            word, _, rest = line.strip().partition(" ")
            if not word or word.startswith("#"):
                continue
            instruction = _INSTRUCTIONS.get(word.upper())
            if instruction is None:
                raise InvalidRequest(
                    f"{word} is not a valid change command", hint=f"Known are {', '.join(sorted(_INSTRUCTIONS))}."
                )
            if not rest.strip():
                raise InvalidRequest(f"{word.upper()} requires an argument")
            try:
                instruction(config, rest.strip())
            except ValueError as error:
                raise InvalidRequest(f"invalid change {line.strip()!r}: {error}") from error
    return config


def _command(text: str) -> list[str]:
    if text.startswith("["):
        try:
            words = json.loads(text)
        except ValueError:
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    return [*_SHELL, text]


def _pairs(text: str) -> dict[str, str]:
    if "=" not in text.split()[0]:
        key, _, value = text.partition(" ")
        return {key: value.strip()}
    pairs = {}
    for word in shlex.split(text):
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise ValueError(f"{word!r} is not KEY=VALUE")
        pairs[key] = value
    return pairs


def _words(text: str) -> list[str]:
    if text.startswith("["):
        words = json.loads(text)
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError("not an array of texts")
        return words
    return text.split()


def _cmd(config: Config, text: str) -> None:
    config["Cmd"] = _command(text)


def _entrypoint(config: Config, text: str) -> None:
    config["Entrypoint"] = _command(text)


def _env(config: Config, text: str) -> None:
    known = dict(item.partition("=")[::2] for item in config.get("Env") or [])
    config["Env"] = [f"{key}={value}" for key, value in {**known, **_pairs(text)}.items()]


def _label(config: Config, text: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **_pairs(text)}


def _expose(config: Config, text: str) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in text.split():
        port, _, protocol = word.partition("/")
        first, dash, last = port.partition("-")
        for number in range(int(first), int(last if dash else first) + 1):
            if not 0 < number < 1 << 16:
                raise ValueError(f"{number} is not a port")
            ports[f"{number}/{protocol or 'tcp'}"] = {}
    config["ExposedPorts"] = ports


def _volume(config: Config, text: str) -> None:
    config["Volumes"] = {**(config.get("Volumes") or {}), **{path: {} for path in _words(text)}}


def _workdir(config: Config, text: str) -> None:
    config["WorkingDir"] = posixpath.normpath(posixpath.join(config.get("WorkingDir") or "/", text))


def _user(config: Config, text: str) -> None:
    config["User"] = text


def _stop_signal(config: Config, text: str) -> None:
    config["StopSignal"] = text


def _on_build(config: Config, text: str) -> None:
    config["OnBuild"] = [*(config.get("OnBuild") or []), text]


def _health_check(config: Config, text: str) -> None:
    check: dict[str, Any] = {}
    while text.startswith("--"):
        option, _, text = text.partition(" ")
        text = text.strip()
        key, _, value = option[2:].partition("=")
        if key == "retries":
            check["Retries"] = int(value)
        elif key in ("interval", "timeout", "start-period", "start-interval"):
            check["".join(part.capitalize() for part in key.split("-"))] = _duration_ns(value)
        else:
            raise ValueError(f"unknown option --{key}")
    kind, _, command = text.partition(" ")
    if kind.upper() == "NONE":
        check = {"Test": ["NONE"]}
    elif kind.upper() == "CMD" and command.strip():
        words = _command(command.strip())
        check["Test"] = ["CMD-SHELL", command.strip()] if words[:2] == _SHELL else ["CMD", *words]
    else:
        raise ValueError("neither CMD nor NONE")
    config["Healthcheck"] = check


def _duration_ns(text: str) -> int:
    total, number = 0.0, ""
    rest = text
    while rest:
        unit = next((unit for unit in ("ns", "us", "ms", "s", "m", "h") if rest.startswith(unit)), "")
        if unit and number:
            total, number, rest = total + float(number) * _UNITS[unit], "", rest[len(unit) :]
        else:
            number, rest = number + rest[0], rest[1:]
    if number:
        raise ValueError(f"{text!r} is not a duration such as 30s")
    return int(total)


_INSTRUCTIONS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _health_check,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
