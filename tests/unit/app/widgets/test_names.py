"""Widgets must not overwrite Textual's private names by accident: such a clash fails far from its cause."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from textual import containers, dom, message_pump, scroll_view, widget

import app.widgets

MEANT = {"_on_key", "_on_paste"}
FILES = sorted(Path(app.widgets.__path__[0]).glob("*.py"))


def textual_names() -> set[str]:
    names = set(dir(scroll_view.ScrollView)) | set(dir(containers.Container))
    for module in (widget, dom, message_pump, scroll_view, containers):
        names |= set(re.findall(r"self\.(_\w+)", inspect.getsource(module)))
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def own_names(node: ast.ClassDef) -> set[str]:
    found = {child.name for child in ast.walk(node) if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)}
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
            found.add(child.attr)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_private_name_of_textual_is_taken(path: Path) -> None:
    taken = textual_names() - MEANT
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.bases:
            assert own_names(node) & taken == set(), node.name
