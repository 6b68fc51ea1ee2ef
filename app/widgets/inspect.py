"""A JSON document, coloured, foldable and searchable."""

from __future__ import annotations

from typing import Any

from textual.scroll_view import ScrollView


class JsonView(ScrollView, can_focus=True):
    """Keys: j k move, enter/space fold, - + fold/unfold all, / search, n N, y copy the value."""

    def set_document(self, document: Any) -> None:
        """Show plain JSON data; folds and cursor stay where paths still exist."""
