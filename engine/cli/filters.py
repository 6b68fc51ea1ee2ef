"""`--filter key=value`: read once, checked against what the command knows."""

from __future__ import annotations

from .errors import UsageError
from .suggest import closest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Filters = dict[str, list[str]]


def parse_filters(values: Sequence[str], known: Sequence[str], command: str) -> Filters:
    """key -> values; raises `UsageError` for a key the command does not have."""
    filters: Filters = {}
    for text in values:
        key, equals, value = text.partition("=")
        key = key.strip().lower()  # "label!" of label!=KEY is a key of its own
        if not equals:
            raise UsageError(
                f'invalid argument "{text}" for "-f, --filter" flag: written as KEY=VALUE', command, exit_code=125
            )
        if key not in known:
            meant = closest(key, known)
            raise UsageError(f"invalid filter '{key}'", command, suggestion=meant, exit_code=1)
        filters.setdefault(key, []).append(value.strip())
    return filters


def matches_labels(wanted: Sequence[str], labels: Mapping[str, str]) -> bool:
    """Whether all of "key" or "key=value" are among the labels."""
    for text in wanted:
        key, equals, value = text.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True
