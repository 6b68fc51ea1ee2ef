"""Roles to colours: the one place where a widget's meanings meet the theme's variables.

Line-API widgets paint with Rich styles. They get them from component classes, so that themes, `auto` colours and
style sheets work as for any other widget; every widget here has the same set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

if TYPE_CHECKING:
    from textual.widget import Widget

_TEXT = {
    "muted": "$text-muted",
    "disabled": "$text-disabled",
    "primary": "$text-primary",
    "secondary": "$text-secondary",
    "accent": "$text-accent",
    "success": "$text-success",
    "warning": "$text-warning",
    "error": "$text-error",
}
_BRIGHT = {
    "primary": "$primary",
    "secondary": "$secondary",
    "accent": "$accent",
    "success": "$success",
    "warning": "$warning",
    "error": "$error",
}

ROLE_CLASSES: frozenset[str] = frozenset(
    {f"role--{name}" for name in _TEXT}
    | {f"paint--{name}" for name in _BRIGHT}
    | {"line--cursor", "line--cursor-blurred", "line--marked", "line--match", "line--match-current", "line--rule"}
)


def role_css(widget: str) -> str:
    """Default style rules of all role classes for a widget type."""
    rules = [f"{widget} > .role--{name} {{ color: {value}; }}" for name, value in _TEXT.items()]
    rules += [f"{widget} > .paint--{name} {{ color: {value}; }}" for name, value in _BRIGHT.items()]
    rules += [
        f"{widget} > .line--cursor {{ background: $primary 28%; text-style: bold; }}",
        f"{widget} > .line--cursor-blurred {{ background: $primary 12%; }}",
        f"{widget} > .line--marked {{ background: $accent 16%; }}",
        f"{widget} > .line--match {{ background: $warning 35%; color: $text; }}",
        f"{widget} > .line--match-current {{ background: $warning; color: auto 95%; text-style: bold; }}",
        f"{widget} > .line--rule {{ color: $foreground 18%; }}",
    ]
    return "\n".join(rules)


class Palette:
    """The resolved styles of one widget, looked up once per theme. Call `clear` from `notify_style_update`."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[str, Style] = {}

    def clear(self) -> None:
        """Forget everything: the theme or a style sheet changed."""
        self._styles.clear()

    @property
    def base(self) -> Style:
        """Plain text on the widget's background."""
        style = self._styles.get("")
        if style is None:
            style = self._styles[""] = self._widget.rich_style
        return style

    def text(self, role: str) -> Style:
        """Text in a role, without background (readable on the theme's surfaces)."""
        return self._color("role", role) if role else self.base.without_color + Style(color=self.base.color)

    def paint(self, role: str) -> Style:
        """Lines of graphs and glyphs in the pure colour of a role, without background."""
        return self._color("paint", role) if f"paint--{role}" in ROLE_CLASSES else self.text(role)

    def line(self, name: str) -> Style:
        """A background: cursor, cursor-blurred, marked, match, match-current; or `rule`."""
        key = f"line--{name}"
        style = self._styles.get(key)
        if style is None:
            full = self._widget.get_component_rich_style(key)
            partial = self._widget.get_component_rich_style(key, partial=True)
            color = full.color if name in ("match", "match-current", "rule") else None
            background = full.bgcolor if name != "rule" else None
            style = Style(color=color, bgcolor=background, bold=partial.bold or None)
            self._styles[key] = style
        return style

    def _color(self, kind: str, role: str) -> Style:
        key = f"{kind}--{role}"
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = Style(color=self._widget.get_component_rich_style(key).color)
        return style
