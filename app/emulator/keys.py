"""Keys as bytes, the way xterm and the kitty keyboard protocol send them.

Sources: xterm's ctlseqs ("PC-Style Function Keys"), kitty's keyboard protocol. Key names are Textual's
("ctrl+left", "f5", "shift+tab"); the printable character travels beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .emulator import Modes

_SHIFT, _ALT, _CTRL = 1, 2, 4
# CSI 1 ; m <letter>, or SS3 <letter> in application cursor mode.
_CURSOR = {"up": "A", "down": "B", "right": "C", "left": "D", "end": "F", "home": "H"}
_SS3 = {"f1": "P", "f2": "Q", "f3": "R", "f4": "S"}
# CSI <number> ; m ~
_TILDE = {
    "insert": 2,
    "delete": 3,
    "pageup": 5,
    "pagedown": 6,
    **{f"f{key}": number for key, number in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24), strict=True)},
    **{f"f{key}": number for key, number in zip(range(13, 21), (25, 26, 28, 29, 31, 32, 33, 34), strict=True)},
}
_PLAIN = {"enter": "\r", "tab": "\t", "escape": "\x1b", "backspace": "\x7f", "space": " "}
_KITTY = {"enter": 13, "tab": 9, "escape": 27, "backspace": 127, "space": 32}
_SIGNS = {
    "left_square_bracket": "[",
    "backslash": "\\",
    "right_square_bracket": "]",
    "circumflex_accent": "^",
    "underscore": "_",
    "at": "@",
    "space": "@",
    "slash": "_",
    "question_mark": "?",
    "minus": "_",
    "grave_accent": "@",
    "tilde": "^",
    **dict(zip("2345678", "@[\\]^_?", strict=True)),
}
_ALIASES = {"ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+m": "enter", "shift+space": "space", "return": "enter"}
DISAMBIGUATE, REPORT_ALL = 1, 8


def encode_key(key: str, character: str | None, modes: Modes) -> bytes:
    """The bytes of one key press; empty for keys that a terminal does not send.

    `key` is Textual's name, `character` what it types, if anything.
    """
    name, modifiers = _split(key)
    if modes.kitty_flags & (DISAMBIGUATE | REPORT_ALL) and (
        code := _kitty(name, modifiers, character, modes.kitty_flags)
    ):
        return code
    if name in _CURSOR:
        letter = _CURSOR[name]
        if modifiers:
            return f"\x1b[1;{modifiers + 1}{letter}".encode()
        return f"\x1b{'O' if modes.application_cursor else '['}{letter}".encode()
    if name in _SS3:
        return (f"\x1b[1;{modifiers + 1}{_SS3[name]}" if modifiers else f"\x1bO{_SS3[name]}").encode()
    if name in _TILDE:
        return (f"\x1b[{_TILDE[name]};{modifiers + 1}~" if modifiers else f"\x1b[{_TILDE[name]}~").encode()
    return _legacy(name, modifiers, character)


def _legacy(name: str, modifiers: int, character: str | None) -> bytes:
    prefix = "\x1b" if modifiers & _ALT else ""
    if name == "tab" and modifiers & _SHIFT:
        return f"{prefix}\x1b[Z".encode()
    if name == "backspace" and modifiers & _CTRL:
        return f"{prefix}\x08".encode()
    if name in _PLAIN and not (name == "space" and modifiers & _CTRL):
        return f"{prefix}{_PLAIN[name]}".encode()
    if modifiers & _CTRL:
        control = _control(name)
        return f"{prefix}{control}".encode() if control else b""
    if character and (len(character) > 1 or character.isprintable()):
        return f"{prefix}{character}".encode()
    if len(name) == 1:
        return f"{prefix}{name.upper() if modifiers & _SHIFT else name}".encode()
    return b""


def _control(name: str) -> str:
    sign = _SIGNS.get(name, name)
    if len(sign) != 1:
        return ""
    if sign == "?":
        return "\x7f"
    code = ord(sign.upper())
    return chr(code & 0x1F) if 0x40 <= code <= 0x5F else ""


def _kitty(name: str, modifiers: int, character: str | None, flags: int) -> bytes:
    """CSI code ; modifiers u for what the legacy encoding cannot tell apart; b"" leaves a key to that encoding."""
    if name in _KITTY:
        ambiguous = name == "escape" or modifiers & (_ALT | _CTRL) or (modifiers and name != "space")
        if not (ambiguous or flags & REPORT_ALL):
            return b""
        code = _KITTY[name]
    elif len(name) == 1 or (character and len(character) == 1 and character.isprintable()) or name in _SIGNS:
        if not (modifiers & (_ALT | _CTRL) or flags & REPORT_ALL):
            return b""
        sign = name if len(name) == 1 else character if character and character.isprintable() else _SIGNS[name]
        code = ord(sign.lower())
        if sign != sign.lower():
            modifiers |= _SHIFT
    else:
        return b""
    return (f"\x1b[{code};{modifiers + 1}u" if modifiers else f"\x1b[{code}u").encode()


def _split(key: str) -> tuple[str, int]:
    key = _ALIASES.get(key, key)
    modifiers = 0
    *words, name = key.split("+") if key != "+" else [key]
    for word in words:
        modifiers |= {"shift": _SHIFT, "alt": _ALT, "meta": _ALT, "ctrl": _CTRL}.get(word, 0)
    if name.startswith("upper_") and len(name) == 7:
        return name[6:], modifiers | _SHIFT
    return name, modifiers


def encode_paste(text: str, modes: Modes) -> bytes:
    """Pasted text: bracketed when the program asked for it, with newlines as the enter key sends them.

    An end-of-paste mark hidden in the text is removed, or it would let the rest run as typed input; so are other
    control characters but tab and newline.
    """
    text = text.replace("\r\n", "\r").replace("\n", "\r")
    clean = "".join(sign for sign in text if sign in "\r\t" or (sign >= " " and not "\x7f" <= sign <= "\x9f"))
    return f"\x1b[200~{clean}\x1b[201~".encode() if modes.bracketed_paste else clean.encode()


def encode_focus(focused: bool, modes: Modes) -> bytes:
    """Focus in or out (DECSET 1004), when the program wants to know."""
    if not modes.focus_events:
        return b""
    return b"\x1b[I" if focused else b"\x1b[O"
