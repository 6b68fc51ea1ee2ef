"""Text from containers is data: it must not move the cursor, recolour, reverse or break a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from app.presentation.text import elide_end, elide_middle, plain


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("web", "web"), ("a\x1b[31mb\x1b[0m", "ab"), ("\x1b]0;title\x07x", "x"), ("x\x1b]8;;http://e\x1b\\y", "xy"),
     ("a\nb\tc", "a b c"), ("rtl\u202etxt", "rtltxt"), ("\x9b31mx", "31mx"), ("[bold]no[/]", "[bold]no[/]")],
)  # fmt: skip
def test_plain(raw: str, shown: str) -> None:
    assert plain(raw) == shown


@given(st.text())
def test_plain_has_no_control_characters(raw: str) -> None:
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 for sign in plain(raw))


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Cf", "Mn", "Me"])), st.integers(0, 40))
def test_elided_text_fits(text: str, width: int) -> None:
    assert cell_len(elide_middle(text, width)) <= width
    assert cell_len(elide_end(text, width)) <= width


def test_the_middle_goes_first() -> None:
    assert elide_middle("registry.example/team/web:1.27", 12) == "regist…:1.27"
    assert elide_end("registry.example", 6) == "regis…"
    assert elide_middle("web", 3) == "web"
