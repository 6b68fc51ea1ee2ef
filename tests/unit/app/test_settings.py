"""Settings from a file, and what is remembered between runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.errors import ConfigurationError
from app.settings import Remembered, Settings, read_remembered, read_settings, write_remembered

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "settings.toml") == Settings()


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('theme = "nord"\nkeymap = "vim"\n')
    settings = read_settings(file, theme="gruvbox")
    assert (settings.theme, settings.keymap) == ("gruvbox", "vim")


def test_one_confirm_level_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[confirm]\nstop = "always"\n')
    confirm = read_settings(file).confirm
    assert (confirm["stop"], confirm["remove"], confirm["pause"]) == ("always", "always", "never")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour"),
        ("theme = 1", "theme"),
        ('[confirm]\nexplode = "never"', "explode"),
        ('[confirm]\nstop = "maybe"', "maybe"),
        ("=", "TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(file)
    assert named in caught.value.message
    assert str(file) in caught.value.message


def test_the_view_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "state" / "view.json"
    write_remembered(file, Remembered(container="abc", tab="overview", reverse=True))
    assert read_remembered(file) == Remembered(container="abc", tab="overview", reverse=True)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"tab": 3, "nosuch": 1}', "null"])
def test_a_damaged_memory_is_forgotten(tmp_path: Path, text: str) -> None:
    file = tmp_path / "view.json"
    file.write_text(text)
    assert read_remembered(file) == Remembered()
