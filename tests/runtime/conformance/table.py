"""Writes TABLE.md: each conformance test beside what runc and crun make of it, and why they differ where they do.

The outcomes are in results/, one file for each run. To have one anew:

    CONFORMANCE_RESULTS=tests/runtime/conformance/results/runc.json RUNTIME=runc \\
        python -m pytest tests/runtime/conformance
    python -m tests.runtime.conformance.table

`crun` refuses hosts with both cgroup versions, so its file comes from a machine with cgroup v2 alone: see
`make conformance-v2`. A difference without an explanation in differences.py is an error here.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

from .differences import EXPLAINED

HERE = Path(__file__).parent
COLUMNS = ("pydock-runc", "pydock-runc-v2", "runc", "crun-v2")
WORDS = {"passed": "yes", "failed": "**no**"}


class Collector:
    """A pytest plugin that keeps each test's rule."""

    def __init__(self) -> None:
        self.rules: dict[str, tuple[str, str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            mark = item.get_closest_marker("must")
            assert mark is not None, f"{item.nodeid} does not say for which rule it is"
            self.rules[item.nodeid.partition("/conformance/")[2]] = (mark.args[0], mark.args[1])


def collect() -> dict[str, tuple[str, str]]:
    """Every conformance test with its section and rule."""
    collector = Collector()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = pytest.main(["--collect-only", "-p", "no:cacheprovider", str(HERE)], plugins=[collector])
    assert code == 0
    return collector.rules


def outcomes() -> dict[str, dict[str, str]]:
    """The kept results by run; a run that nobody has made has none."""
    found = {}
    for name in COLUMNS:
        path = HERE / f"results/{name}.json"
        found[name] = json.loads(path.read_text()) if path.exists() else {}
    return found


def render(rules: dict[str, tuple[str, str]], results: dict[str, dict[str, str]]) -> tuple[str, list[str]]:
    """The document, and what is wrong with it."""
    wrong: list[str] = []
    lines = [HEAD, "", f"| rule | test | {' | '.join(COLUMNS)} | |", f"| --- | --- |{' --- |' * (len(COLUMNS) + 1)}"]
    notes: dict[str, int] = {}
    for test in sorted(rules, key=lambda name: (rules[name][0], name)):
        section, rule = rules[test]
        cells, differs = [], False
        for name in COLUMNS:
            outcome = results[name].get(test, "")
            cells.append(_cell(outcome))
            if name.startswith("pydock-runc") and outcome == "failed":
                wrong.append(f"{test}: fails with {name}")
            differs = differs or outcome == "failed" or outcome.startswith("deviates")
        note = ""
        if differs:
            explanation = explain(test)
            if explanation:
                note = f"[{notes.setdefault(explanation, len(notes) + 1)}](#differences)"
            else:
                wrong.append(f"{test}: differs, and differences.py does not say why")
        name = test.partition("::")[2].replace("|", "\\|")
        lines.append(f"| {section}: {rule} | `{name}` | {' | '.join(cells)} | {note} |")
    lines += ["", "## Differences", ""]
    lines += [f"{number}. {text}" for text, number in notes.items()]
    return "\n".join(lines) + "\n", wrong


def explain(test: str) -> str:
    """The explanation for a test, by its name with or without parameters."""
    name = test.partition("::")[2]
    return EXPLAINED.get(name) or EXPLAINED.get(name.partition("[")[0]) or ""


def _cell(outcome: str) -> str:
    if outcome.startswith("skipped"):
        return "–"
    if outcome.startswith("deviates"):
        return "**no**"
    return WORDS.get(outcome, "")


HEAD = """# The runtime-spec, rule by rule

Written by `python -m tests.runtime.conformance.table` from the outcomes in `results/`; do not edit. Each test drives
the command line on a real bundle. Columns: pydock-runc on a host with both cgroup versions and on one with cgroup v2
alone, runc 1.1.5 on the first, crun 1.8.1 on the second (it refuses the first). "yes": the rule holds; "no": it
does not, and the last column says why; "–": the host has not what the test needs, and the test says what that is.

The specification is 1.3; runc 1.1.5 and crun 1.8.1 are what Debian 12 has, and older than some of its rules."""


def main() -> int:
    rules = collect()
    document, wrong = render(rules, outcomes())
    table = HERE / "TABLE.md"
    if "--check" in sys.argv[1:]:
        present = table.read_text()
        names = {test.partition("::")[2].replace("|", "\\|") for test in rules}
        wrong += [f"{name}: is not in TABLE.md" for name in sorted(names) if f"| `{name}` |" not in present]
    else:
        table.write_text(document)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
