"""Keys: no clash in any preset, the user's file, and errors that name file and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.errors import ConfigurationError
from app.keymap import KEYS, PRESETS, Keymap, bindings, clashes, read_keymap

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("preset", PRESETS)
def test_no_key_has_two_meanings_at_once(preset: str) -> None:
    assert clashes(Keymap(preset)) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_name_known_actions(preset: str) -> None:
    assert PRESETS[preset].keys() <= {key.id for key in KEYS}


def test_ids_are_unique() -> None:
    assert len({key.id for key in KEYS}) == len(KEYS)


def test_every_key_can_be_bound() -> None:
    for context in {key.context for key in KEYS}:
        assert bindings(context)


def test_no_lifecycle_action_is_on_ctrl_and_a_letter_by_default() -> None:
    for key in KEYS:
        if key.id.startswith("container."):
            assert "ctrl+" not in key.keys, key.id


def test_a_users_file_changes_keys_and_presets(tmp_path: Path) -> None:
    file = tmp_path / "keymap.toml"
    file.write_text('preset = "k9s"\n[keys]\n"container.pause" = "P"\n')
    keymap = read_keymap(file, "pydock")
    assert keymap.keys("container.pause") == ["P"]
    assert keymap.shown("container.shell") == "s"


def test_no_file_is_the_preset(tmp_path: Path) -> None:
    assert read_keymap(tmp_path / "none.toml", "vim").preset == "vim"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[keys]\n"container.nosuch" = "P"', "container.nosuch"),
        ('[keys]\n"container.pause" = 7', "container.pause"),
        ('[keys]\n"container.pause" = "s"', "container.toggle"),
        ("keys = 3", "keys"),
        ("not toml", "TOML"),
        ('preset = "emacs"', "emacs"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "keymap.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_keymap(file, "pydock")
    assert named in caught.value.message
