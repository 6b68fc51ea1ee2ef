"""The differences that are meant, and why."""

from __future__ import annotations

import re

#: (case, command line, difference): patterns that have to fit; and the reason. The first that fits counts.
REASONS: tuple[tuple[str, str, str, str], ...] = ()


def explain(case: str, line: str, difference: str) -> str:
    """The reason for a difference; "" when there is none."""
    for case_pattern, line_pattern, pattern, reason in REASONS:
        if (
            re.fullmatch(case_pattern, case)
            and re.search(line_pattern, line)
            and re.search(pattern, difference, re.DOTALL)
        ):
            return reason
    return ""
