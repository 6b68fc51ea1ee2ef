"""Compares docker's client at `pydock serve` with the same client at Debian's dockerd.

    python -m tests.comparison.compare record    what dockerd answers, into dockerd.json
    python -m tests.comparison.compare table     what pydock answers beside it, into TABLE.md
    python -m tests.comparison.compare show CASE what differs in a case and is not explained

As root, on a machine with both. The table names every difference; one without an explanation is an error.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tests.support.engine import EngineRoot

from . import engines
from .cases import CASES
from .explained import explain
from .step import Outcome, Step, differences

FOLDER = Path(__file__).parent
RECORD = FOLDER / "dockerd.json"
TABLE = FOLDER / "TABLE.md"
HEAD = """# docker's client at pydock and at dockerd

The same command lines at `pydock serve` and at Debian's dockerd, compared by exit code, output and errors, JSON
value by value. Ids, times, addresses and the like are made equal first, and an empty list is the same as none. Made by
`python -m tests.comparison.compare table`; the tests hold pydock to it.
"""


def recorded() -> dict[str, list[Outcome]]:
    """What dockerd answered, by case."""
    data = json.loads(RECORD.read_text())
    return {case: [Outcome.from_json(item) for item in items] for case, items in data["cases"].items()}


def run_case(client: engines.Client, steps: tuple[Step, ...]) -> list[Outcome]:
    client.begin()
    try:
        return [client.run(step) for step in steps]
    finally:
        client.clean()


def unexplained(case: str, steps: tuple[Step, ...], ours: list[Outcome], theirs: list[Outcome]) -> list[str]:
    """What differs and should not, each with its command line."""
    found = []
    for step, mine, other in zip(steps, ours, theirs, strict=True):
        for difference in differences(mine, other):
            if not explain(case, step.line, difference):
                found.append(f"docker {step.line}: {difference}")
    return found


def table(ours: dict[str, list[Outcome]], theirs: dict[str, list[Outcome]]) -> str:
    parts = [HEAD]
    same = total = 0
    for case, steps in CASES.items():
        rows = []
        for step, mine, other in zip(steps, ours[case], theirs[case], strict=True):
            total += 1
            reasons: dict[str, list[str]] = {}
            for difference in differences(mine, other):
                reasons.setdefault(explain(case, step.line, difference) or "**not explained**", []).append(difference)
            same += not reasons
            told = "; ".join(f"{reason} ({_brief(items)})" for reason, items in reasons.items()) or "same"
            rows.append(f"| `docker {_cell(step.line)}` | {_cell(told)} |")
        parts.append("\n".join([f"## {case}", "", "| command | answers |", "| --- | --- |", *rows]) + "\n")
    parts.insert(1, f"{total} commands: {same} answered alike, {total - same} with the differences that are named.\n")
    return "\n".join(parts)


def _brief(items: list[str]) -> str:
    shown = "; ".join(f"`{item[:100]}`" for item in items[:2])
    return shown + (f" and {len(items) - 2} more" if len(items) > 2 else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _record() -> None:
    before = json.loads(RECORD.read_text())["cases"] if RECORD.exists() else {}
    chosen = sys.argv[2:] or list(CASES)
    with engines.dockerd() as client:
        version = client.version()
        for case in chosen:
            begun = time.monotonic()
            before[case] = [item.to_json() for item in run_case(client, CASES[case])]
            data = {"dockerd": version, "cases": {case: before[case] for case in CASES if case in before}}
            RECORD.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
            print(f"{case}: {time.monotonic() - begun:.1f} s", file=sys.stderr)


def _ours(chosen: list[str]) -> dict[str, list[Outcome]]:
    root = EngineRoot()
    try:
        with engines.pydock(root) as client:
            return {case: run_case(client, CASES[case]) for case in chosen}
    finally:
        root.close()


def main() -> int:
    action = sys.argv[1] if len(sys.argv) > 1 else ""
    if action == "record":
        _record()
        return 0
    theirs = recorded()
    chosen = sys.argv[2:] or list(CASES)
    if action == "show":
        ours = _ours(chosen)
        for case in chosen:
            for line in unexplained(case, CASES[case], ours[case], theirs[case]):
                print(f"{case}: {line}")
        return 0
    if action == "table":
        text = table(_ours(list(CASES)), theirs)
        TABLE.write_text(text)
        return int("**not explained**" in text)
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
