"""`-e`, `--env-file`, `-l`, `--label-file`: lists of KEY=VALUE from the command line and from files."""

from __future__ import annotations

import os

from .errors import UsageError


def read_environment(values: tuple[str, ...], files: tuple[str, ...]) -> tuple[str, ...]:
    """The environment asked for; a bare KEY takes this shell's value, or is left out when it has none.

    Later settings win over earlier ones, options over files.
    """
    result: dict[str, str] = {}
    for path in files:
        for line in _lines(path, "--env-file"):
            _set(result, line, f"{path}: ")
    for value in values:
        _set(result, value, "")
    return tuple(f"{key}={value}" for key, value in result.items())


def read_labels(values: tuple[str, ...], files: tuple[str, ...]) -> dict[str, str]:
    """Labels; a bare KEY is an empty label."""
    labels: dict[str, str] = {}
    for text in (*(line for path in files for line in _lines(path, "--label-file")), *values):
        key, _, value = text.partition("=")
        if not key:
            raise UsageError(f'invalid argument "{text}" for "-l, --label" flag: the key is missing', "run")
        labels[key] = value
    return labels


def _set(result: dict[str, str], text: str, where: str) -> None:
    key, equals, value = text.partition("=")
    if not key or any(letter.isspace() for letter in key):
        raise UsageError(f'{where}invalid argument "{text}" for "-e, --env" flag: {key!r} is no variable name', "run")
    if not equals:
        if key not in os.environ:
            return
        value = os.environ[key]
    result.pop(key, None)
    result[key] = value


def _lines(path: str, option: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.lstrip().rstrip("\r\n") for line in file]
    except OSError as error:
        raise UsageError(f"{option} {path}: {(error.strerror or str(error)).lower()}", "run") from None
    except UnicodeDecodeError:
        raise UsageError(f"{option} {path}: not a text file in UTF-8", "run") from None
    return [line for line in lines if line and not line.startswith("#")]
