"""The dashboard over the in-memory engine: lists, keys, dialogs, and what they make of the engine's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.command import CommandPalette
from textual.widgets import Input

from app.keymap import Keymap
from app.modals.confirm import ConfirmDialog, QuitDialog
from app.modals.help import HelpScreen
from app.modals.menu import Menu
from app.modals.prompt import TextPrompt
from app.modals.run import RunDialog
from app.modals.signals import SignalPicker
from app.screens.panels import ContainersPanel
from app.settings import Remembered, Settings

from ..support.fake_engine import FakeEngine
from ..support.tui_app import busy_engine, make_app, until

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from app.app import PydockApp


def shown(app: PydockApp) -> list[str]:
    """Names in the container list, top to bottom."""
    panel = app.dashboard.panels["containers"]
    return [app.model.containers[row.key].name for row in panel.table.rows]


async def go_to(pilot: Pilot[None], app: PydockApp, name: str) -> None:
    """Put the cursor on a container by moving it there."""
    await pilot.press("1", "home")
    for _ in range(20):
        if app.dashboard.container is not None and app.dashboard.container.name == name:
            return
        await pilot.press("j")
    raise AssertionError(f"{name} is not in the list: {shown(app)}")


async def test_a_stopped_container_is_started_with_s_and_stopped_again() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "web")
        await pilot.press("s")
        await until(pilot, lambda: engine.containers.get("web").state == "exited", "web stopped")
        await until(pilot, lambda: app.model.containers[engine.containers.get("web").id].state == "exited", "seen")
        await go_to(pilot, app, "web")
        await pilot.press("s")
        await until(pilot, lambda: engine.containers.get("web").state == "running", "web started")


async def test_p_pauses_and_resumes_and_the_footer_label_follows() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "web")
        assert "pause" in str(app.dashboard.footer.render())
        await pilot.press("p")
        await until(pilot, lambda: engine.containers.get("web").state == "paused", "paused")
        await until(pilot, lambda: "resume" in str(app.dashboard.footer.render()), "label resume")
        await pilot.press("p")
        await until(pilot, lambda: engine.containers.get("web").state == "running", "resumed")


async def test_remove_asks_first_and_escape_keeps_the_container() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "web")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog), "the question")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.dashboard, "the dialog gone")
        assert engine.containers.get("web").state == "running"
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog), "the question")
        await pilot.press("enter")
        await until(pilot, lambda: "web" not in shown(app), "web gone")
        assert ("remove", "web", "force", "") in engine.containers.calls


async def test_marked_containers_are_acted_upon_together() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        for name in ("api", "web"):
            await go_to(pilot, app, name)
            await pilot.press("space")
        await pilot.press("s")
        await until(
            pilot,
            lambda: {engine.containers.get(name).state for name in ("api", "web")} == {"exited"},
            "both stopped",
        )
        assert engine.containers.get("db").state == "running"


async def test_the_signal_picker_sends_the_chosen_signal() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "db")
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, SignalPicker), "the picker")
        await pilot.press("1", "enter")
        await until(pilot, lambda: ("kill", "db", "1") in engine.containers.calls, "SIGHUP sent")


async def test_slash_filters_the_list_and_escape_ends_it() -> None:
    app = make_app(busy_engine())
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: len(shown(app)) == 6, "six rows")
        await pilot.press("slash", *"wor")
        await until(pilot, lambda: shown(app) == ["worker"], "one row")
        await pilot.press("enter")
        await until(pilot, lambda: app.dashboard.panels["containers"].table.has_focus, "focus back")
        await pilot.press("escape")
        await until(pilot, lambda: len(shown(app)) == 6, "all rows again")


def type_fast(app: PydockApp, *keys: str) -> None:
    """All keys at once, as a paste or quick hands give them: nothing is waited for in between."""
    with app._context():  # as the terminal's driver does
        for key in keys:
            app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_keys_typed_fast_go_where_the_keys_before_them_lead() -> None:
    """`/worker` typed at once is a search, not a shell, an attach and a removal."""
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: len(shown(app)) == 6, "six rows")
        before = list(engine.containers.calls)
        type_fast(app, "slash", *"worker", "enter")
        await until(pilot, lambda: shown(app) == ["worker"], "one row")
        assert app.dashboard.panels["containers"].filter_text == "worker"
        await until(pilot, lambda: app.dashboard.panels["containers"].table.has_focus, "focus back")
        type_fast(app, "escape", "l", "tab", "slash", *"slow", "enter")
        await until(pilot, lambda: app.dashboard.detail.logs._search_text == "slow", "a search in the log")
        assert list(engine.containers.calls) == before


async def test_sorting_and_hiding_stopped_ones() -> None:
    app = make_app(busy_engine())
    async with app.run_test(size=(120, 40)) as pilot:
        panel = app.dashboard.panels["containers"]
        assert isinstance(panel, ContainersPanel)
        await pilot.press("A")
        await until(pilot, lambda: "migrate" not in shown(app), "the dead one hidden")
        before = panel.sort
        await pilot.press("S")
        assert panel.sort != before
        while panel.sort != "name":
            await pilot.press("S")
        assert shown(app) == sorted(shown(app))


async def test_an_oom_kill_is_told_in_the_row() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "db")
        engine.containers.oom("db")
        container_id = engine.containers.get("db").id

        def row_text() -> str:
            rows = {row.key: row for row in app.dashboard.panels["containers"].table.rows}
            return str(rows[container_id].cells["state"])

        await until(pilot, lambda: "oom 137" in row_text(), "oom 137 in the row")


async def test_changes_made_by_others_appear_by_event() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: len(shown(app)) == 6, "six rows")
        engine.run("late")
        await until(pilot, lambda: "late" in shown(app), "the new row")
        engine.containers.remove("late", force=True)
        await until(pilot, lambda: "late" not in shown(app), "the row gone")


async def test_logs_are_followed_and_belong_to_the_selected_container() -> None:
    engine = busy_engine()
    app = make_app(engine)
    seen: list[str] = []
    async with app.run_test(size=(120, 40)) as pilot:
        append = app.dashboard.detail.logs.append

        def record(lines: list) -> None:  # type: ignore[type-arg]
            seen.extend(line.text for line in lines)
            append(lines)

        app.dashboard.detail.logs.append = record  # type: ignore[method-assign, assignment]
        await go_to(pilot, app, "web")
        await pilot.press("l")
        await until(pilot, lambda: any("GET / 200" in text for text in seen), "the old lines")
        engine.containers.say("web", "fresh line [bold]not markup[/]")
        await until(pilot, lambda: any("fresh line [bold]" in text for text in seen), "the new line")


async def test_the_run_dialog_previews_checks_and_creates() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, RunDialog), "the dialog")
        dialog = app.screen
        assert isinstance(dialog, RunDialog)
        dialog.query_one("#image", Input).value = "toolbox"
        dialog.query_one("#name", Input).value = "fresh"
        dialog.query_one("#ports", Input).value = "99999:80"
        await pilot.pause()
        assert "pydock run -it --name fresh -p 99999:80 toolbox" in str(dialog.query_one("#preview").render())
        await pilot.press("enter")
        await until(pilot, lambda: "99999" in str(dialog.query_one("#complaint").render()), "the complaint")
        assert app.screen is dialog
        dialog.query_one("#ports", Input).value = "8080:80"
        await pilot.press("enter")
        await until(pilot, lambda: "fresh" in engine.to_json(), "the container")
        request = engine.containers.requests[engine.containers.get("fresh").id]
        assert (request.tty, request.ports[0].host_port, request.ports[0].container_port) == (True, 8080, 80)
        await until(pilot, lambda: app.in_live_terminal, "its terminal is live")


async def test_without_images_two_keys_are_offered_and_t_makes_the_toolbox() -> None:
    engine = FakeEngine()
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.dashboard.detail.tab == "welcome"
        footer = str(app.dashboard.footer.render())
        assert "pull" in footer
        assert "toolbox" in footer
        await pilot.press("t")
        await until(pilot, lambda: engine.images.list(), "the image")
        await until(pilot, lambda: app.dashboard.image is not None, "the image in the list")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunDialog), "the run dialog")
        assert app.screen.query_one("#image", Input).value == "toolbox:latest"


async def test_pull_suggests_an_image_and_a_failure_is_one_line() -> None:
    engine = FakeEngine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, TextPrompt), "the prompt")
        field = app.screen.query_one(Input)
        assert field.value == "alpine:latest"
        field.value = "UPPER CASE"
        await pilot.press("enter")
        assert isinstance(app.screen, TextPrompt)
        field.value = "nosuch:latest"
        await pilot.press("enter")
        await until(pilot, lambda: app.model.jobs and not app.model.jobs[0].running, "the job's end")
        assert "not found" in app.model.jobs[0].error


async def test_help_is_made_from_the_keymap_and_can_be_filtered() -> None:
    app = make_app(busy_engine())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen), "help")
        assert "container.pause" in str(app.screen.query_one("#keys").render())
        await pilot.press(*"signal")
        await until(pilot, lambda: "container.pause" not in str(app.screen.query_one("#keys").render()), "filtered")
        assert "container.signal" in str(app.screen.query_one("#keys").render())
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.dashboard, "closed")


async def test_the_menu_runs_the_action_of_its_key() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "api")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Menu), "the menu")
        await pilot.press("p")
        await until(pilot, lambda: engine.containers.get("api").state == "paused", "paused")


async def test_quit_says_that_containers_run_on_and_stops_none() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, QuitDialog), "the question")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.dashboard, "still here")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, QuitDialog), "the question")
        await pilot.press("enter")
        await until(pilot, lambda: not app.is_running or app.return_code is not None, "the end")
    assert engine.containers.get("web").state == "running"
    assert not [call for call in engine.containers.calls if call[0] == "die"]


async def test_container_keys_do_nothing_from_the_list_of_images() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        before = engine.to_json()
        await pilot.press("2", "s", "X")
        await pilot.pause(0.2)
        assert app.screen is app.dashboard
        assert engine.to_json() == before


async def test_the_view_of_the_last_time_is_taken_up() -> None:
    engine = busy_engine()
    remembered = Remembered(container=engine.containers.get("db").id, tab="overview", sort="name")
    app = make_app(engine, remembered=remembered)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.dashboard.container is not None, "a selection")
        assert app.dashboard.container is not None
        assert app.dashboard.container.name == "db"
        assert app.dashboard.detail.tab == "overview"
        assert app.dashboard.remember().container == remembered.container


@pytest.mark.parametrize("tab", ["logs", "overview", "timeline", "inspect"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (84, 50), (60, 16), (120, 24)])
async def test_every_tab_draws_at_every_size(size: tuple[int, int], tab: str) -> None:
    app = make_app(busy_engine(), remembered=Remembered(tab=tab))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.dashboard.detail.tab == tab, tab)
        await pilot.pause(0.2)
        assert app.dashboard.detail.content.region.height > 2
        assert app.dashboard.panels["containers"].table.region.height >= 2


@pytest.mark.parametrize("size", [(20, 5), (59, 40), (100, 15)])
async def test_a_terminal_too_small_says_so(size: tuple[int, int]) -> None:
    app = make_app(busy_engine())
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.1)
        assert app.dashboard.query_one("#too-small").display
        assert not app.dashboard.query_one("#workspace").display
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.dashboard.query_one("#workspace").display, "drawn again")


async def test_ascii_states_when_asked_for() -> None:
    app = make_app(busy_engine(), settings=Settings(ascii=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.1)
        glyphs = {str(row.cells["glyph"]) for row in app.dashboard.panels["containers"].table.rows}
        assert all(glyph.isascii() for glyph in glyphs)


async def test_the_palette_finds_actions_containers_and_themes() -> None:
    engine = busy_engine()
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "web")
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette), "the palette")
        await pilot.press(*"pause or")
        await pilot.pause(0.5)
        await pilot.press("down", "enter")
        await until(pilot, lambda: engine.containers.get("web").state == "paused", "paused by the palette")
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette), "the palette again")
        await pilot.press(*"theme pydock-light")
        await pilot.pause(0.5)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.theme == "pydock-light", "the light theme")
        assert not app.current_theme.dark


async def test_presets_rekey_the_running_app() -> None:
    engine = busy_engine()
    app = make_app(engine, keymap=Keymap("k9s"))
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "web")
        await pilot.press("u")
        await until(pilot, lambda: engine.containers.get("web").state == "exited", "u stops")
        await go_to(pilot, app, "api")
        await pilot.press("s")
        await until(pilot, lambda: app.in_live_terminal, "s opens a shell")
        assert engine.containers.get("api").state == "running"


async def test_hostile_names_and_lines_are_drawn_as_they_are() -> None:
    engine = busy_engine()
    engine.run("[red]not[/red]")
    engine.containers.say("[red]not[/red]", "\x1b]0;title\x07\x1b[2J[link=file:///etc]x[/link]")
    app = make_app(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, app, "[red]not[/red]")
        await until(
            pilot, lambda: "[red]not[/red]" in str(app.dashboard.detail.border_title).replace("\\", ""), "title"
        )
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Menu), "the menu")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.dashboard, "closed")
        await until(pilot, lambda: "[link=file:///etc]x[/link]" in app.dashboard.detail.logs.text, "the line as text")
        assert "\x1b" not in app.dashboard.detail.logs.text
