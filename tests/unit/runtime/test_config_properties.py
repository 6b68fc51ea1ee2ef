"""Any JSON at all is a config, a process, resources, or an error that names the place; nothing else ever comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runtime.errors import InvalidConfig, RuntimeFault
from runtime.schema import CONFIG_SCHEMA, PROCESS_SCHEMA, RESOURCES_SCHEMA
from runtime.spec import load_config, parse_json
from runtime.validate import validate_config, validate_process, validate_resources
from tests.runtime.bundle import base_config
from tests.support.configs import anything, applied, changes, shaped

NAMES = {name.rstrip("!") for name in CONFIG_SCHEMA} | {"config.json"}
calm = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bundle")
    (made / "rootfs").mkdir()
    return made


def refused_with_a_place(error: RuntimeFault, roots: set[str]) -> None:
    """The error says where, in one line that can be printed."""
    place = error.path.partition(".")[0].partition("[")[0]
    assert place in roots, error
    assert "\n" not in str(error)
    str(error).encode("utf-8", "backslashreplace")


@calm
@given(changed=changes())
def test_a_changed_config_is_read_or_refused_with_its_place(folder: Path, changed: list[Any]) -> None:
    config = applied(base_config("property"), changed)
    try:
        validate_config(config, str(folder))
    except RuntimeFault as error:
        refused_with_a_place(error, NAMES)


@calm
@given(config=shaped(CONFIG_SCHEMA) | anything)
@example(config=[])
@example(config={"ociVersion": "1.0.2"})
def test_any_config_in_a_file_is_read_or_refused_with_its_place(folder: Path, config: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    try:
        load_config(str(folder))
    except RuntimeFault as error:
        refused_with_a_place(error, NAMES | {str(path).partition(".")[0]})


@calm
@given(process=shaped(PROCESS_SCHEMA), resources=shaped(RESOURCES_SCHEMA))
def test_any_process_and_any_resources(process: dict[str, Any], resources: dict[str, Any]) -> None:
    for check, value, root in ((validate_process, process, "process"), (validate_resources, resources, "resources")):
        try:
            check(value, root)
        except RuntimeFault as error:
            refused_with_a_place(error, {root})


@calm
@given(raw=st.binary() | st.text().map(str.encode))
def test_any_bytes(raw: bytes) -> None:
    try:
        assert isinstance(parse_json(raw, "config.json"), dict)
    except InvalidConfig as error:
        refused_with_a_place(error, {"config"})


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
def test_any_depth(folder: Path, depth: int) -> None:
    """What is nested deeper than anybody needs is refused, not a stack that overflows."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        text = json.dumps(base_config("deep"))[:-1] + ', "x": ' + opening * depth + "1" + closing * depth + "}"
        (folder / "config.json").write_text(text)
        if depth == 100:
            load_config(str(folder))
            continue
        try:
            load_config(str(folder))
        except InvalidConfig as error:
            refused_with_a_place(error, {str(folder / "config")})
