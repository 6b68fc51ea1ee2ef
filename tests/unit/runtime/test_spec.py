"""config.json: the default one is valid, and arbitrary JSON yields a fault with a place, never anything else."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import RuntimeFault
from runtime.rootfs.plan import plan_mounts
from runtime.spec import default_config, parse_json
from runtime.validate import validate_config, validate_process, validate_resources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document."""
    found = [path] if path else []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in children:
        found += places(inner, (*path, key))
    return found


PLACES = places(default_config())


@pytest.fixture(scope="module")
def a_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle")
    (path / "rootfs").mkdir()
    return path


@pytest.mark.parametrize("rootless", [True, False])
def test_the_default_config_is_valid(a_bundle: Path, rootless: bool) -> None:
    config = default_config(rootless=rootless)
    validate_config(config, str(a_bundle))
    assert len(plan_mounts(config, str(a_bundle))) == (6 if rootless else 7)


def fault_of(check: Callable[[], object]) -> RuntimeFault | None:
    """The fault that a check raises; any other exception fails the test."""
    try:
        check()
    except RuntimeFault as error:
        return error
    return None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=ANYTHING)
def test_anything_anywhere_is_accepted_or_a_fault_with_a_place(
    a_bundle: Path, place: tuple[Any, ...], value: Any
) -> None:
    config = copy.deepcopy(default_config())
    target: Any = config
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value

    def check() -> None:
        validate_config(config, str(a_bundle))
        plan_mounts(config, str(a_bundle))

    fault = fault_of(check)
    assert fault is None or (fault.path and "\n" not in fault.message)


@settings(max_examples=200, deadline=None)
@given(value=ANYTHING)
def test_any_process_and_resources(value: Any) -> None:
    for check in (validate_process, validate_resources):
        fault = fault_of(lambda check=check: check(value, "here"))  # type: ignore[misc]
        assert fault is None or str(fault)


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=64))
def test_any_bytes_are_an_object_or_a_fault(raw: bytes) -> None:
    fault = fault_of(lambda: parse_json(raw, "config.json"))
    assert fault is None or "config.json" in str(fault)
