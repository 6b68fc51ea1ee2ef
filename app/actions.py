"""What the keys, menus and the palette do to containers: one worker per object, confirm, spinner, result.

An object has one action at a time; while it runs the model says so in place of the state ("stopping"). The result
arrives as an event like everybody else's changes: nothing is drawn from the answer of the call.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import EngineError

from .modals.confirm import ConfirmDialog
from .modals.signals import SignalPicker
from .presentation.units import precise_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.models import Container

    from .screens.dashboard import DashboardScreen
    from .settings import Settings


class Verb(NamedTuple):
    """Words for one action: name (and confirm level), what is being done, what was done."""

    name: str
    doing: str
    done: str


START = Verb("start", "starting", "started")
STOP = Verb("stop", "stopping", "stopped")
RESTART = Verb("restart", "restarting", "restarted")
PAUSE = Verb("pause", "pausing", "paused")
RESUME = Verb("pause", "resuming", "resumed")
REMOVE = Verb("remove", "removing", "removed")
KILL = Verb("kill", "signalling", "signalled")

LIVE_STATES = ("running", "paused", "restarting")


def toggle_verb(container: Container) -> Verb:
    """What `s` does to it now."""
    return STOP if container.state in LIVE_STATES else START


def pause_verb(container: Container) -> Verb:
    """What `p` does to it now."""
    return RESUME if container.state == "paused" else PAUSE


class Actions:
    """Bound to the dashboard, whose workers and status line it uses."""

    def __init__(self, screen: DashboardScreen, settings: Settings) -> None:
        self._screen = screen
        self._settings = settings

    async def perform(self, name: str, targets: Sequence[Container]) -> None:
        """Do the named action (toggle pause restart remove signal) to the targets, asking first where set so."""
        if not targets:
            self._screen.flash("no container is selected", "warning")
        elif name == "signal":
            await self._signal(targets)
        elif name == "remove":
            await self._remove(targets)
        elif name == "restart":
            await self._each(RESTART, targets)
        else:
            choose = toggle_verb if name == "toggle" else pause_verb
            # Marked together, a mixed set becomes what its first member becomes.
            verb = choose(targets[0])
            await self._each(verb, [target for target in targets if choose(target) is verb])

    async def _each(self, verb: Verb, targets: Sequence[Container]) -> None:
        if not await self._confirmed(verb, targets):
            return
        containers = self._screen.engine.containers
        calls: dict[str, Callable[[str], object]] = {
            "starting": containers.start,
            "stopping": containers.stop,
            "restarting": containers.restart,
            "pausing": containers.pause,
            "resuming": containers.unpause,
        }
        for target in targets:
            self._begin(verb, target, calls[verb.doing])

    async def _remove(self, targets: Sequence[Container]) -> None:
        live = [target for target in targets if target.state in LIVE_STATES]
        with_volumes = False
        if self._asks(REMOVE, targets):
            text = f"{_names(targets)} will be gone, with everything written inside."
            if live:
                text += f" {_names(live)} {'is' if len(live) == 1 else 'are'} still running and will be killed."
            answer = await self._screen.ask(
                ConfirmDialog(
                    f"Remove {_subject(targets)}?",
                    text,
                    confirm="remove",
                    danger=True,
                    option="remove anonymous volumes too" if _has_anonymous_volumes(targets) else "",
                )
            )
            if answer is None:
                return
            with_volumes = answer.option
        containers = self._screen.engine.containers
        for target in targets:
            force = target.state in LIVE_STATES

            def remove(container_id: str, force: bool = force) -> None:
                containers.remove(container_id, force=force, volumes=with_volumes)

            self._begin(REMOVE, target, remove)

    async def _signal(self, targets: Sequence[Container]) -> None:
        live = [target for target in targets if target.state in LIVE_STATES]
        if not live:
            self._screen.flash(f"{_names(targets)}: not running", "warning")
            return
        number = await self._screen.ask(SignalPicker(_subject(live)))
        if number is None:
            return
        containers = self._screen.engine.containers
        for target in live:
            self._begin(KILL, target, lambda container_id: containers.kill(container_id, number))

    def _begin(self, verb: Verb, target: Container, call: Callable[[str], object]) -> None:
        doing = self._screen.model.pending.get(target.id)
        if doing and verb is not KILL:
            self._screen.flash(f"{target.name} is {doing} already", "warning")
            return
        self._screen.run_worker(
            self._act(verb, target, call),
            name=f"{verb.name} {target.name}",
            group=f"container-{target.id}",
            exit_on_error=False,
        )

    async def _act(self, verb: Verb, target: Container, call: Callable[[str], object]) -> None:
        screen = self._screen
        screen.model.pending[target.id] = verb.doing
        screen.status.busy(target.id, f"{verb.doing} {target.name}")
        screen.containers_changed()
        began = time.perf_counter_ns()
        try:
            await screen.bridge.call(call, target.id)
        except EngineError as error:
            screen.fail(f"{target.name}: {error.message}", error.hint)
        else:
            screen.flash(f"{target.name} {verb.done} in {precise_duration(time.perf_counter_ns() - began)}")
        finally:
            screen.model.pending.pop(target.id, None)
            screen.status.done(target.id)
            screen.containers_changed()

    def _asks(self, verb: Verb, targets: Sequence[Container]) -> bool:
        level = self._settings.confirm[verb.name]
        return level == "always" or (level == "running" and any(target.state in LIVE_STATES for target in targets))

    async def _confirmed(self, verb: Verb, targets: Sequence[Container]) -> bool:
        if not self._asks(verb, targets):
            return True
        answer = await self._screen.ask(
            ConfirmDialog(f"{verb.name.capitalize()} {_subject(targets)}?", _names(targets), confirm=verb.name)
        )
        return answer is not None


def _names(targets: Sequence[Container]) -> str:
    names = [target.name for target in targets]
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _subject(targets: Sequence[Container]) -> str:
    return targets[0].name if len(targets) == 1 else f"{len(targets)} containers"


def _has_anonymous_volumes(targets: Sequence[Container]) -> bool:
    return any(
        mount.type == "volume" and (not mount.source or len(mount.source) == 64)
        for target in targets
        for mount in target.mounts
    )
