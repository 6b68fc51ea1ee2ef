"""What every terminal core must do, run over each that is installed."""

from collections.abc import Callable, Iterator

import pytest

from app.emulator.emulator import Emulator

ESC = "\x1b"
Make = Callable[[int, int], Emulator]


def make_ghostty(rows: int, columns: int) -> Emulator:
    from app.emulator import ghostty_abi
    from app.emulator.ghostty import GhosttyEmulator

    try:
        return GhosttyEmulator(rows, columns)
    except ghostty_abi.Unavailable as missing:
        pytest.skip(str(missing))


def make_bitt(rows: int, columns: int) -> Emulator:
    pytest.importorskip("bittty", reason="the core in Python is not installed")
    from app.emulator.bitt import BittEmulator

    return BittEmulator(rows, columns)


@pytest.fixture(params=[make_ghostty, make_bitt], ids=["ghostty", "bitt"])
def make(request: pytest.FixtureRequest) -> Make:
    factory: Make = request.param
    return factory


@pytest.fixture
def core(make: Make) -> Iterator[Emulator]:
    emulator = make(5, 20)
    yield emulator
    emulator.close()


def feed(core: Emulator, text: str) -> None:
    core.feed(text.encode())
    core.refresh()


def screen(core: Emulator) -> list[str]:
    core.refresh()
    return [core.line(row).text.rstrip() for row in range(core.rows)]


def test_text_appears_where_the_cursor_is(core: Emulator) -> None:
    feed(core, f"hello{ESC}[3;4Hthere")
    assert screen(core) == ["hello", "", "   there", "", ""]
    assert core.cursor[:3] == (2, 8, True)


def test_rows_are_exactly_as_wide_as_the_terminal(core: Emulator) -> None:
    feed(core, "e\u0301 中文 😀 \u2500\u2502 a\u200d\r\n" + "x" * 30)
    for row in range(core.rows):
        strip = core.line(row)
        assert strip.cell_length == 20
        assert sum(segment.cell_length for segment in strip) == 20


def test_only_changed_rows_are_reported(core: Emulator) -> None:
    feed(core, "one\r\ntwo")
    core.feed(f"{ESC}[1;1HONE".encode())
    assert list(core.refresh()) == [0]
    assert list(core.refresh()) == []


def test_colours_stay_ansi_and_defaults_stay_open(core: Emulator) -> None:
    feed(core, f"{ESC}[1;31mred{ESC}[0m plain {ESC}[38;2;1;2;3mtrue{ESC}[7mrev")
    looks = {segment.text.strip(): segment.style for segment in core.line(0)}
    red, true = looks["red"], looks["true"]
    assert red is not None
    assert red.bold
    assert red.color is not None
    assert red.color.number == 1
    assert looks["plain"] is None or (looks["plain"].color is None and looks["plain"].bgcolor is None)
    assert true is not None
    assert true.color is not None
    assert true.color.triplet == (1, 2, 3)
    assert any(segment.style is not None and segment.style.reverse for segment in core.line(0))


def test_sequences_may_be_cut_anywhere(make: Make) -> None:
    data = f"{ESC}[2J{ESC}[H{ESC}[1;32m中é{ESC}[0m ok {ESC}]2;title{ESC}\\{ESC}[3;1Hend".encode()
    whole, pieces = make(5, 20), make(5, 20)
    whole.feed(data)
    for byte in data:
        pieces.feed(bytes((byte,)))
    assert screen(whole) == screen(pieces)
    assert whole.title == pieces.title == "title"


def test_questions_are_answered_once(core: Emulator) -> None:
    feed(core, f"{ESC}[2;3H{ESC}[6n")
    assert core.take_replies() == b"\x1b[2;3R"
    assert core.take_replies() == b""
    feed(core, f"{ESC}[c")
    assert core.take_replies().startswith(b"\x1b[?6")


def test_scrollback_is_kept_and_can_be_looked_at(core: Emulator) -> None:
    feed(core, "\r\n".join(f"line {number}" for number in range(100)))
    assert core.scrollback == 95
    assert core.first == 95
    core.scroll_to(10)
    assert screen(core)[0] == "line 10"
    assert core.cursor.row == -1
    core.feed(b"\r\nmore")
    assert core.first == 10
    assert screen(core)[0] == "line 10"
    core.scroll_to(None)
    assert screen(core)[-1] == "more"
    assert core.text(0, 2) == ["line 0", "line 1", "line 2"]
    assert core.text(99, 500) == ["line 99", "more"]


def test_the_alternate_screen_leaves_the_first_one_alone(core: Emulator) -> None:
    feed(core, "shell")
    feed(core, f"{ESC}[?1049h{ESC}[2J{ESC}[Hvim")
    assert core.modes.alternate_screen
    assert screen(core)[0] == "vim"
    feed(core, f"{ESC}[?1049l")
    assert not core.modes.alternate_screen
    assert screen(core)[0] == "shell"


def test_modes_of_the_program(core: Emulator) -> None:
    assert core.modes.mouse == 0
    feed(core, f"{ESC}[?1h{ESC}[?2004h{ESC}[?1002h{ESC}[?1006h{ESC}[?1004h{ESC}[>1u")
    modes = core.modes
    assert (modes.application_cursor, modes.bracketed_paste, modes.focus_events) == (True, True, True)
    assert (modes.mouse, modes.mouse_sgr, modes.kitty_flags) == (1002, True, 1)
    feed(core, f"{ESC}[?1002l{ESC}[?2004l{ESC}[<u")
    assert (core.modes.mouse, core.modes.bracketed_paste, core.modes.kitty_flags) == (0, False, 0)


def test_cursor_shape_and_visibility(core: Emulator) -> None:
    feed(core, f"{ESC}[?25l")
    assert not core.cursor.visible
    feed(core, f"{ESC}[?25h{ESC}[6 q")
    assert core.cursor.visible
    assert core.cursor.shape == "bar"


def test_resize_keeps_the_text(core: Emulator) -> None:
    feed(core, "hello")
    core.resize(7, 30)
    assert (core.rows, core.columns) == (7, 30)
    assert "hello" in screen(core)
    assert core.line(0).cell_length == 30


def test_garbage_does_no_harm(core: Emulator) -> None:
    for chunk in (bytes(range(256)) * 4, b"\x1b[999999999999;1H", b"\x1b]" + b"x" * 5000, b"\x1bP" * 50):
        core.feed(chunk)
        core.refresh()
    core.feed(b"\x18\x1bc")
    feed(core, "alive")
    assert screen(core)[0] == "alive"


def test_the_native_core_is_chosen_where_it_is() -> None:
    from app.emulator.choose import new_emulator

    make_ghostty(1, 1).close()
    emulator = new_emulator(3, 10)
    assert type(emulator).__name__ == "GhosttyEmulator"
    emulator.close()


def test_the_core_in_python_steps_in(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.emulator import choose, ghostty_abi

    make_bitt(1, 1).close()

    def missing() -> None:
        raise ghostty_abi.Unavailable("not here")

    monkeypatch.setattr(ghostty_abi, "load", missing)
    assert type(choose.new_emulator(3, 10)).__name__ == "BittEmulator"


def test_the_native_core_does_not_import_its_slow_package() -> None:
    import subprocess
    import sys

    make_ghostty(1, 1).close()
    code = "import sys; from app.emulator.choose import new_emulator; new_emulator(2, 2); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'pyghostty'" not in done.stdout
    assert "'cffi'" not in done.stdout
