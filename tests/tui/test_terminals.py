"""Terminal panes: every key of a live one reaches the program, and looking away ends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.modals.menu import Menu
from app.settings import Remembered

from ..support.fake_engine import FakeEngine, FakeTerminal
from ..support.tui_app import busy_engine, make_app, until

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from app.app import PydockApp


async def attached(pilot: Pilot[None], app: PydockApp, engine: FakeEngine) -> FakeTerminal:
    """Attach to the container `shell` and wait until its pane is live."""
    container = engine.containers.get("shell")
    app.dashboard.go_to_container(container.id, "logs")
    await pilot.press("a")
    await until(pilot, lambda: app.in_live_terminal, "a live terminal")
    return engine.containers.sessions[container.id][-1]


async def test_docker_detach_keys_are_not_eaten_by_the_app() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        terminal = await attached(pilot, app, engine)
        await pilot.press("ctrl+p", "x")
        await until(pilot, lambda: b"\x10x" in terminal.received, "ctrl+p and x typed")
        assert app.screen is app.dashboard
        await pilot.press("ctrl+c", "tab", "escape", "q", "ctrl+q")
        await until(pilot, lambda: b"\x03\t\x1bq\x11" in terminal.received, "ctrl+c tab escape q ctrl+q typed")
        assert app.is_running
        await pilot.press("ctrl+p", "ctrl+q")
        await until(pilot, lambda: not app.dashboard.dock.links(), "detached")
        assert engine.containers.get("shell").state == "running"
        assert b"\x10\x11" not in terminal.received


async def test_typing_is_shown_and_ctrl_bracket_leaves() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        terminal = await attached(pilot, app, engine)
        await pilot.press(*"echo hi", "enter")
        await until(pilot, lambda: b"echo hi\r" in terminal.received, "typed")
        pane = app.dashboard.dock.panes()[0]
        await until(pilot, lambda: "echo hi" in pane.text, "shown")
        await pilot.press("ctrl+right_square_bracket")
        await until(pilot, lambda: not app.in_live_terminal, "view")
        await pilot.press("s")
        await until(pilot, lambda: engine.containers.get("shell").state == "exited", "app keys count again")


async def test_a_second_shell_opens_beside_the_first() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(200, 60)) as pilot:
        await attached(pilot, app, engine)
        await pilot.press("ctrl+right_square_bracket", "e")
        await until(pilot, lambda: len(app.dashboard.dock.panes()) == 2, "two panes")
        first, second = app.dashboard.dock.panes()
        await until(pilot, lambda: second.region.width > 20 and first.region.width > 20, "both drawn")
        assert not first.region.overlaps(second.region)


async def test_terminals_stay_while_another_container_is_looked_at() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        terminal = await attached(pilot, app, engine)
        await pilot.press("ctrl+right_square_bracket", "1", "home")
        await until(pilot, lambda: app.dashboard.container and app.dashboard.container.name != "shell", "another")
        assert not app.dashboard.dock.panes()
        terminal.say(b"while away\r\n")
        app.dashboard.go_to_container(engine.containers.get("shell").id, "terminals")
        await until(pilot, lambda: app.dashboard.dock.panes(), "the pane again")
        pane = app.dashboard.dock.panes()[0]
        await until(pilot, lambda: "while away" in pane.text, "what came meanwhile")
        assert len(engine.containers.sessions[engine.containers.get("shell").id]) == 1


async def test_a_new_dashboard_opens_what_the_container_still_holds() -> None:
    engine = busy_engine()
    shell = engine.containers.get("shell")
    engine.containers._session(shell, "exec9")
    app = make_app(engine, remembered=Remembered(container=shell.id, tab="terminals"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: len(app.dashboard.dock.panes()) == 2, "attach pane and held shell")
        pane = app.dashboard.dock.panes()[0]
        await until(pilot, lambda: "/ #" in pane.text, "the last screen")
        assert not app.in_live_terminal


async def test_closing_a_shell_asks_and_keep_leaves_it_running() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        container = engine.containers.get("web")
        app.dashboard.go_to_container(container.id, "logs")
        await pilot.press("e")
        await until(pilot, lambda: app.in_live_terminal, "a shell")
        terminal = engine.containers.sessions[container.id][-1]
        await pilot.press("ctrl+right_square_bracket", "d")
        await until(pilot, lambda: isinstance(app.screen, Menu), "the question")
        await pilot.press("h")
        await until(pilot, lambda: terminal.signals == [1], "SIGHUP")
        await until(pilot, lambda: not app.dashboard.dock.panes(), "the pane closed")
        assert app.dashboard.detail.tab != "terminals"


async def test_the_end_of_a_program_is_told_in_its_pane() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        terminal = await attached(pilot, app, engine)
        terminal.end(3)
        await until(pilot, lambda: not app.in_live_terminal, "no longer live")
        pane = app.dashboard.dock.panes()[0]
        await until(pilot, lambda: pane.has_ended and "3" in str(pane.border_title) + str(pane.border_subtitle), "3")


async def test_at_80x24_a_terminal_has_the_screen_to_itself() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await attached(pilot, app, engine)
        pane = app.dashboard.dock.panes()[0]
        await until(pilot, lambda: pane.region.width == 80 and pane.region.height >= 22, "the room")
        await pilot.press("ctrl+right_square_bracket", "left_square_bracket")
        await until(pilot, lambda: app.dashboard.detail.tab == "overview", "the tab beside")


async def test_a_restart_opens_the_terminal_of_the_new_run_in_place_of_the_old() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        terminal = await attached(pilot, app, engine)
        terminal.end(0)
        engine.containers.stop("shell")
        await until(pilot, lambda: app.dashboard.dock.panes()[0].has_ended, "the end")
        engine.containers.start("shell")
        panes = app.dashboard.dock.panes
        await until(pilot, lambda: len(panes()) == 1 and not panes()[0].has_ended, "a pane of the new run")


async def test_terminals_that_others_open_are_left_to_them() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await attached(pilot, app, engine)
        shell = engine.containers.get("shell")
        engine.containers._session(shell, "exec7")
        engine.events.tell("container", "exec_start: sh", shell.id, name="shell")
        await until(pilot, lambda: app.model.events[-1].action.startswith("exec_start"), "the event")
        await pilot.pause(0.3)
        assert len(app.dashboard.dock.panes()) == 1
        await pilot.press("ctrl+right_square_bracket", "escape", "t")
        await until(pilot, lambda: len(app.dashboard.dock.panes()) == 2, "opened when asked for")


async def test_shell_keys_refuse_a_paused_container_in_words() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        app.dashboard.go_to_container(engine.containers.get("worker").id, "logs")
        await pilot.press("e")
        await pilot.pause(0.2)
        assert not app.dashboard.dock.links()
        assert app.screen is app.dashboard


async def test_keys_typed_while_a_shell_opens_go_to_the_shell() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        container = engine.containers.get("web")
        app.dashboard.go_to_container(container.id, "logs")
        await pilot.pause(0.1)
        app.dashboard.action_shell()
        for key in "rpsd":
            app.simulate_key(key)
        await until(pilot, lambda: engine.containers.sessions.get(container.id), "a shell")
        terminal = engine.containers.sessions[container.id][-1]
        await until(pilot, lambda: b"rpsd" in terminal.received, "all four in the shell")
        assert engine.containers.get("web").state == "running"
        assert app.screen is app.dashboard
