"""What is not here, said as an engine without it says it: a status that clients understand, never a made-up success."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..call import Answer, json_answer
from ..errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from ..call import Call

NOT_A_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


def not_implemented(what: str) -> Callable[[Call], Awaitable[Answer]]:
    """A handler that answers 501."""

    async def refuse(call: Call) -> Answer:
        raise ApiError(501, f"{what} is not implemented")

    return refuse


def empty(data: Any) -> Callable[[Call], Awaitable[Answer]]:
    """A handler for a list of something of which there never is any."""

    async def answer(call: Call) -> Answer:
        return json_answer(data)

    return answer


async def swarm(call: Call) -> Answer:
    raise ApiError(503, NOT_A_MANAGER)


async def leave_swarm(call: Call) -> Answer:
    raise ApiError(503, "This node is not part of a swarm")


async def plugin(call: Call) -> Answer:
    raise ApiError(404, f'plugin "{call.words["name"]}" not found')


async def session(call: Call) -> Answer:
    """A client that wants to build by sessions takes its older way then."""
    raise ApiError(404, "page not found")
