"""Keys, pastes and the mouse as bytes."""

import pytest

from app.emulator.emulator import Modes
from app.emulator.keys import encode_focus, encode_key, encode_paste
from app.emulator.mouse import WHEEL_DOWN, WHEEL_UP, encode_mouse

PLAIN = Modes()


@pytest.mark.parametrize(
    ("key", "character", "data"),
    [
        ("a", "a", b"a"),
        ("A", "A", b"A"),
        ("upper_a", "A", b"A"),
        ("exclamation_mark", "!", b"!"),
        ("é", "é", "é".encode()),
        ("space", " ", b" "),
        ("enter", "\r", b"\r"),
        ("tab", "\t", b"\t"),
        ("shift+tab", None, b"\x1b[Z"),
        ("escape", "\x1b", b"\x1b"),
        ("backspace", "\x7f", b"\x7f"),
        ("ctrl+h", "\x08", b"\x7f"),
        ("delete", None, b"\x1b[3~"),
        ("insert", None, b"\x1b[2~"),
        ("pageup", None, b"\x1b[5~"),
        ("home", None, b"\x1b[H"),
        ("up", None, b"\x1b[A"),
        ("ctrl+left", None, b"\x1b[1;5D"),
        ("shift+up", None, b"\x1b[1;2A"),
        ("ctrl+shift+right", None, b"\x1b[1;6C"),
        ("f1", None, b"\x1bOP"),
        ("f5", None, b"\x1b[15~"),
        ("f12", None, b"\x1b[24~"),
        ("shift+f5", None, b"\x1b[15;2~"),
        ("ctrl+c", "\x03", b"\x03"),
        ("ctrl+p", "\x10", b"\x10"),
        ("ctrl+q", "\x11", b"\x11"),
        ("ctrl+z", "\x1a", b"\x1a"),
        ("ctrl+at", "\x00", b"\x00"),
        ("ctrl+space", None, b"\x00"),
        ("ctrl+backslash", "\x1c", b"\x1c"),
        ("ctrl+right_square_bracket", "\x1d", b"\x1d"),
        ("ctrl+underscore", "\x1f", b"\x1f"),
        ("alt+b", None, b"\x1bb"),
        ("alt+enter", None, b"\x1b\r"),
        ("ctrl+alt+a", None, b"\x1b\x01"),
    ],
)
def test_keys_as_xterm_sends_them(key: str, character: str | None, data: bytes) -> None:
    assert encode_key(key, character, PLAIN) == data


@pytest.mark.parametrize(("key", "data"), [("up", b"\x1bOA"), ("end", b"\x1bOF"), ("ctrl+up", b"\x1b[1;5A")])
def test_application_cursor_keys(key: str, data: bytes) -> None:
    assert encode_key(key, None, Modes(application_cursor=True)) == data


@pytest.mark.parametrize(
    ("key", "character", "data"),
    [
        ("escape", "\x1b", b"\x1b[27u"),
        ("enter", "\r", b"\r"),
        ("shift+enter", None, b"\x1b[13;2u"),
        ("ctrl+i", "\t", b"\t"),
        ("ctrl+a", "\x01", b"\x1b[97;5u"),
        ("alt+b", None, b"\x1b[98;3u"),
        ("a", "a", b"a"),
        ("up", None, b"\x1b[A"),
    ],
)
def test_kitty_disambiguation(key: str, character: str | None, data: bytes) -> None:
    assert encode_key(key, character, Modes(kitty_flags=1)) == data


def test_keys_that_no_terminal_sends_are_silent() -> None:
    assert encode_key("ctrl+shift+unknown_key", None, PLAIN) == b""


def test_paste_is_bracketed_on_request() -> None:
    assert encode_paste("a\nb", PLAIN) == b"a\rb"
    assert encode_paste("a\nb", Modes(bracketed_paste=True)) == b"\x1b[200~a\rb\x1b[201~"


def test_a_paste_cannot_end_itself() -> None:
    data = encode_paste("x\x1b[201~rm -rf /\n", Modes(bracketed_paste=True))
    assert data.count(b"\x1b[201~") == 1
    assert data.endswith(b"\x1b[201~")
    assert b"\x03" not in encode_paste("a\x03b", PLAIN)


def test_focus_is_reported_on_request() -> None:
    assert encode_focus(True, PLAIN) == b""
    assert encode_focus(False, Modes(focus_events=True)) == b"\x1b[O"


def test_mouse_is_silent_until_asked() -> None:
    assert encode_mouse("press", 1, 0, 0, PLAIN) == b""


@pytest.mark.parametrize(
    ("action", "button", "data"),
    [
        ("press", 1, b"\x1b[<0;6;3M"),
        ("release", 3, b"\x1b[<2;6;3m"),
        ("press", WHEEL_UP, b"\x1b[<64;6;3M"),
        ("press", WHEEL_DOWN, b"\x1b[<65;6;3M"),
        ("move", 1, b"\x1b[<32;6;3M"),
        ("move", 0, b""),
    ],
)
def test_sgr_reports(action: str, button: int, data: bytes) -> None:
    modes = Modes(mouse=1002, mouse_sgr=True)
    assert encode_mouse(action, button, 2, 5, modes) == data  # type: ignore[arg-type]


def test_legacy_reports_and_their_reach() -> None:
    modes = Modes(mouse=1000)
    assert encode_mouse("press", 1, 0, 0, modes, ctrl=True) == b"\x1b[M" + bytes((48, 33, 33))
    assert encode_mouse("release", 1, 0, 0, modes) == b"\x1b[M" + bytes((35, 33, 33))
    assert encode_mouse("press", 1, 300, 0, modes) == b""
    assert encode_mouse("release", 1, 0, 0, Modes(mouse=9)) == b""
    assert encode_mouse("move", 0, 0, 0, Modes(mouse=1003, mouse_sgr=True)) == b"\x1b[<35;1;1M"
