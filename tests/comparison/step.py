"""One command line of docker's client, and what came of it on one engine, made comparable."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any

_ADDRESS = r"(?:\d{1,3}\.){3}\d{1,3}"
_RULES: tuple[tuple[str, str], ...] = (
    (r"sha256:[0-9a-f]{64}", "<digest>"),
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\bsha256:[0-9a-f]{12}\b", "<digest>"),
    (r"(?<![\w.-])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12}(?![\w.-])", "<short id>"),
    (r"(?<![\w.-])\d{12}(?![\w.-])", "<short id>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4} \w+", "<time>"),
    (r"(?:Less than a second|About an? \w+|\d+ \w+) ago", "<ago>"),
    (r"Up (?:Less than a second|About an? \w+|\d+ \w+)", "Up <while>"),
    (rf"\b{_ADDRESS}/\d+\b", "<subnet>"),
    (rf"\b{_ADDRESS}\b", "<address>"),
    (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<mac>"),
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
    (r"(?<=/proc/)\d+(?=/ns/)", "<pid>"),
    (r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d\b", "<time>"),
)
DETACHED = "read escape sequence"
"""docker's client says so where the cursor is."""
_SETS = ("ExposedPorts", "Volumes")
"""Docker writes a set as an object of empty objects."""
_SIZE = r"\b\d+(?:\.\d+)?\s?(?:[kMG]?i?B|bytes)\b"


@dataclass(frozen=True)
class Step:
    """`line` is what follows `docker `, with places to fill in: {dir}, {registry}, {begun}, {now}.

    `until`: again and again until the output has this text. `types`: what a person types at a terminal, each after the
    text before it has come; echoes and what is shown of the time before come as they may, and are left out.
    `sizes`, `numbers`: differ by nature in this command, and are not compared. `sort`: lines come in any order.
    `json`: the answer is compared value by value.
    """

    line: str
    input: str = ""
    until: str = ""
    types: tuple[tuple[str, str], ...] = ()
    sizes: bool = False
    numbers: bool = False
    sort: bool = False
    json: bool = False

    def words(self, places: dict[str, str]) -> list[str]:
        line = self.line
        for name, value in places.items():
            line = line.replace(f"{{{name}}}", value)
        return ["docker", *shlex.split(line)]


@dataclass(frozen=True)
class Outcome:
    """What came, made comparable: `values` of a JSON answer by their paths."""

    code: int
    out: tuple[str, ...] = ()
    err: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"code": self.code}
        for name in ("out", "err"):
            if getattr(self, name):
                data[name] = list(getattr(self, name))
        if self.values:
            data["values"] = dict(self.values)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        values = tuple((path, value) for path, value in data.get("values", {}).items())
        return cls(data["code"], tuple(data.get("out", ())), tuple(data.get("err", ())), values)


def outcome(step: Step, code: int, out: str, err: str, private: dict[str, str]) -> Outcome:
    """`private`: texts that only this run has, and what they are shown as."""
    if step.json and code == 0:
        data = json.loads(out)
        data = data[0] if isinstance(data, list) and len(data) == 1 else data
        values = tuple(sorted(flattened(data, step, private)))
        return Outcome(code, (), _lines(err, step, private), values)
    lines = _lines(out, step, private)
    return Outcome(code, tuple(sorted(lines)) if step.sort else lines, _lines(err, step, private))


def differences(ours: Outcome, theirs: Outcome) -> list[str]:
    """Each a line that says what; empty when the two are the same."""
    found = []
    if ours.code != theirs.code:
        found.append(f"exit code: {ours.code} for {theirs.code}")
    for name in ("out", "err"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine != other:
            found += [f"{name}: only pydock: {line}" for line in mine if line not in other]
            found += [f"{name}: only docker: {line}" for line in other if line not in mine]
            if set(mine) == set(other):
                found.append(f"{name}: same lines, other order or number")
    mine_values, other_values = dict(ours.values), dict(theirs.values)
    for path in sorted(mine_values.keys() | other_values.keys()):
        if mine_values.get(path) != other_values.get(path):
            found.append(f"{path}: {mine_values.get(path, 'absent')} for {other_values.get(path, 'absent')}")
    return found


def flattened(data: object, step: Step, private: dict[str, str], path: str = "") -> list[tuple[str, str]]:
    """Path and text of every value; null, an empty list and an empty object are the same as absent."""
    if isinstance(data, dict) and data:
        found = []
        for key, value in data.items():
            name = comparable(str(key), step, private)
            found += flattened(value, step, private, f"{path}.{name}")
        return found
    if isinstance(data, list) and data:
        found = []
        for place, value in enumerate(data):
            found += flattened(value, step, private, f"{path}[{place}]")
        return found
    if data is None or (data in ([], {}) and not path.rpartition(".")[0].endswith(_SETS)):
        return []
    if path.endswith(".Pid"):
        data = "<pid>"
    return [(path, comparable(data if isinstance(data, str) else json.dumps(data), step, private))]


def comparable(text: str, step: Step, private: dict[str, str]) -> str:
    for value, shown in private.items():
        text = text.replace(value, shown)
    for pattern, shown in _RULES:
        text = re.sub(pattern, shown, text)
    if step.sizes:
        text = re.sub(_SIZE, "<size>", text)
        text = re.sub(r"\d+(?:\.\d+)?%", "<part>", text)
    if step.numbers:
        text = re.sub(r"\b\d[\d:.]*\b", "<number>", text)
    return re.sub(r"[ \t]{2,}", "  ", text).rstrip()


def _lines(text: str, step: Step, private: dict[str, str]) -> tuple[str, ...]:
    lines = [comparable(line, step, private) for line in text.replace("\r", "").splitlines()]
    if step.types:
        echoes = {keys.strip() for _, keys in step.types}
        lines = [line for line in lines if line not in echoes and not line.endswith(DETACHED)]
    return tuple(line for line in lines if line)
