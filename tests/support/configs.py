"""Configs for property tests: a usual one with some properties replaced, by what fits their schema or by anything."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from hypothesis import strategies as st

from runtime.schema import CONFIG_SCHEMA

Path = tuple[str | int, ...]
_WORDS = (
    "/ /proc /dev /tmp .. ../.. /etc/hosts a b=c 0 1 0-1 0-99999 max ro rw bind rbind rshared nosuid size=1 mode=999"
    " SCMP_ACT_ERRNO SCMP_ACT_NOTIFY SCMP_CMP_EQ getpid tmpfs proc cgroup bind pid mount user cgroup time CAP_CHOWN"
    " CAP_NOTHING RLIMIT_NOFILE SCHED_BATCH SCHED_FIFO MPOL_BIND 1.0.2 2.0.0 net.ipv4.ip_forward kernel.hostname 2MB lo"
)
words = st.sampled_from(_WORDS.split(" "))
texts = words | st.text(max_size=12) | st.sampled_from(["\0", "\ud800", "é" * 300, "a" * 5000, "\n", "%s", "../" * 50])
numbers = st.sampled_from([-1, 0, 1, 7, 1000, 65536, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**30]) | st.integers()
scalars = st.none() | st.booleans() | numbers | st.floats() | texts
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


def properties(schema: Any = CONFIG_SCHEMA, path: Path = ()) -> list[tuple[Path, Any]]:
    """Every property that the schema knows, with its own schema; arrays by their first item."""
    found: list[tuple[Path, Any]] = [(path, schema)] if path else []
    if isinstance(schema, dict):
        for name, inner in schema.items():
            found += properties(inner, (*path, "key" if name == "*" else name.rstrip("!")))
    elif isinstance(schema, list):
        found += properties(schema[0], (*path, 0))
    return found


def shaped(schema: Any) -> st.SearchStrategy[Any]:
    """Values that the schema allows."""
    if isinstance(schema, dict):
        if "*" in schema:
            return st.dictionaries(texts, shaped(schema["*"]), max_size=2)
        required = {name.rstrip("!"): shaped(inner) for name, inner in schema.items() if name.endswith("!")}
        optional = {name: shaped(inner) for name, inner in schema.items() if not name.endswith("!")}
        return st.fixed_dictionaries(required, optional=optional)
    if isinstance(schema, list):
        return st.lists(shaped(schema[0]), max_size=2)
    if isinstance(schema, tuple):
        low, high = schema
        return st.integers(low, high) | st.sampled_from([low, high, max(low, min(high, 1))])
    if isinstance(schema, frozenset):
        return st.sampled_from(sorted(schema))
    return st.booleans() if schema is bool else texts


PROPERTIES = properties()


@st.composite
def changes(draw: st.DrawFn, *, only: tuple[str, ...] = (), but: tuple[Path, ...] = ()) -> list[tuple[Path, Any]]:
    """One to four properties with new values. `only`: top-level names; `but`: paths that are left alone."""
    allowed = [
        (path, schema)
        for path, schema in PROPERTIES
        if (not only or path[0] in only) and not any(_overlap(path, other) for other in but)
    ]
    drawn = []
    for _ in range(draw(st.integers(1, 4))):
        path, schema = draw(st.sampled_from(allowed))
        fitting = shaped(schema)
        drawn.append((path, draw(st.one_of(fitting, fitting, fitting, anything))))
    return drawn


def applied(config: dict[str, Any], changed: list[tuple[Path, Any]]) -> dict[str, Any]:
    """The config with these values; what has to lie above them is made."""
    result = copy.deepcopy(config)
    for path, value in changed:
        _put(result, path, value)
    return result


def _overlap(path: Path, other: Path) -> bool:
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]


def _put(target: Any, path: Path, value: Any) -> None:
    for step, following in itertools.pairwise(path):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if not isinstance(target, list):
                return
            if not target:
                target.append(empty)
            target = target[0]
        elif not isinstance(target, dict):
            return
        else:
            if not isinstance(target.get(step), type(empty)):
                target[step] = empty
            target = target[step]
    if isinstance(target, dict):
        target[path[-1]] = value
    elif isinstance(target, list):
        target[:1] = [value]
