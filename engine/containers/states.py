"""Which state of a container allows what: Docker's rules, and the words of a refusal, which names both states."""

from __future__ import annotations

from ..errors import WrongState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, ContainerState

# start and stop are missing: they leave one alone that is already as they want it, as does `wait`.
_WANTED: dict[str, tuple[ContainerState, ...]] = {
    "attach": ("running", "paused"),
    "exec": ("running",),
    "kill": ("running", "paused", "restarting"),
    "pause": ("running",),
    "reattach": ("running", "paused"),
    "resize": ("running", "paused"),
    "top": ("running", "paused"),
    "unpause": ("paused",),
    "update": ("created", "running", "paused", "restarting", "exited"),
}


def check(container: Container, action: str) -> None:
    """Raise `WrongState` when a container in this state does not take the action."""
    if container.state not in _WANTED[action]:
        raise refusal(container.name, container.state, action)


def refusal(name: str, state: str, action: str) -> WrongState:
    """Why a container in that state does not take the action. The beginning of each text is what scripts look for."""
    wanted = _WANTED[action]
    clause = f"{action} wants it {' or '.join(wanted)}"
    hint = f"pydock start {name}"
    if action == "unpause":
        text, hint = f"container {name} is not paused: it is {state}", ""
    elif state == "paused":
        already = "already " if action == "pause" else ""
        text, hint = f"container {name} is {already}paused, and {clause}", f"pydock unpause {name}"
    elif state in ("dead", "removing"):
        text, hint = f"container {name} is not running: it is {state}, and {clause}", f"pydock rm -f {name}"
    else:
        text = f"container {name} is not running: it is {state}, and {clause}"
        hint = "" if state == "restarting" else hint
    return WrongState(text, hint=hint, state=state, wanted=wanted)
