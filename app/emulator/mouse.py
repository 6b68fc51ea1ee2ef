"""Mouse reports, xterm's ctlseqs section "Mouse Tracking": X10, normal, button-event and any-event, SGR or legacy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .emulator import Modes

Action = Literal["press", "release", "move"]
_SHIFT, _ALT, _CTRL, _MOTION = 4, 8, 16, 32
WHEEL_UP, WHEEL_DOWN, WHEEL_LEFT, WHEEL_RIGHT = 64, 65, 66, 67
_LEGACY_REACH = 223


def encode_mouse(
    action: Action,
    button: int,
    row: int,
    column: int,
    modes: Modes,
    *,
    shift: bool = False,
    alt: bool = False,
    ctrl: bool = False,
) -> bytes:
    """One report; empty when the program did not ask for such an event or the place cannot be told.

    `button`: 1 left, 2 middle, 3 right, 0 none, or a wheel code. Row and column count from 0.
    """
    wheel = button >= WHEEL_UP
    if not modes.mouse or (wheel and action != "press"):
        return b""
    if modes.mouse == 9 and (action != "press" or wheel):
        return b""
    if action == "move" and (modes.mouse < 1002 or (modes.mouse == 1002 and not button)):
        return b""
    code = button if wheel else button - 1 if button else 3
    if action == "move":
        code += _MOTION
    if modes.mouse != 9:
        code += _SHIFT * shift + _ALT * alt + _CTRL * ctrl
    if modes.mouse_sgr:
        return f"\x1b[<{code};{column + 1};{row + 1}{'m' if action == 'release' else 'M'}".encode()
    if row >= _LEGACY_REACH or column >= _LEGACY_REACH:
        return b""
    if action == "release":
        code = (code & ~3) | 3
    return b"\x1b[M" + bytes((code + 32, column + 33, row + 33))
