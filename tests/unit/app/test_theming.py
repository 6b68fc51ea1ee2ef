"""Themes: those shipped are whole, and a wrong file is named with its key."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from app.errors import ConfigurationError
from app.locations import theme_paths
from app.theming import ROLES, TERMINAL_COLOURS, read_theme, read_themes

SHIPPED = read_themes(theme_paths())
DARK = Path(__file__).parents[3] / "themes" / "pydock-dark.toml"


def test_a_dark_and_a_light_theme_are_shipped() -> None:
    assert {theme.dark for theme in SHIPPED.values()} == {True, False}


@pytest.mark.parametrize("name", SHIPPED)
def test_text_can_be_read_on_every_surface(name: str) -> None:
    theme = SHIPPED[name]
    for role in ("foreground", "primary", "accent", "success", "warning", "error"):
        for ground in ("background", "surface"):
            text, behind = Color.parse(getattr(theme, role)), Color.parse(getattr(theme, ground))
            lighter, darker = sorted((_luminance(text), _luminance(behind)), reverse=True)
            # WCAG 2.1, 1.4.3: 4.5 to 1 for text.
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (role, ground)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_sixteen_colours_are_there(name: str) -> None:
    for colour in TERMINAL_COLOURS:
        assert f"ansi-{colour.replace('_', '-')}" in SHIPPED[name].variables


@pytest.mark.parametrize("role", ROLES)
def test_a_missing_role_is_named(tmp_path: Path, role: str) -> None:
    lines = [line for line in DARK.read_text().splitlines() if not line.startswith(f"{role} =")]
    file = tmp_path / "mine.toml"
    file.write_text("\n".join(lines))
    with pytest.raises(ConfigurationError, match=f"roles.{role}") as caught:
        read_theme(file)
    assert str(file) in caught.value.message


def test_a_wrong_colour_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(DARK.read_text().replace('teal = "#35d0ba"', 'teal = "tealish"'))
    with pytest.raises(ConfigurationError, match=r"palette\.teal = 'tealish'"):
        read_theme(file)


def test_an_own_theme_goes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "pydock-dark.toml").write_text(DARK.read_text().replace("#35d0ba", "#112233"))
    assert read_themes([tmp_path, DARK.parent])["pydock-dark"].accent == "#112233"


def _luminance(color: Color) -> float:
    parts = [part / 255 for part in color.rgb]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
