"""Images in and out: push, save, load, commit, and what a registry has or takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...images.auth import Credentials
from ...images.reference import parse
from ..call import Answer, Call, json_answer
from ..errors import ApiError
from ..fields import Fields
from ..registry_auth import read_credentials
from ..transfer import progress_line, send_progress
from .archive import TAR
from .pull import changes_of, has_tag, named, refusing_corrupt_bodies

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transfer import Line

DOCKER_HUB = ("", "https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")


async def push(call: Call) -> None:
    """One tag, or without `tag` all of the repository."""
    images = call.engine.images
    name, tag = call.words["name"], call.text("tag")
    parse(name)
    credentials = read_credentials(call.headers.get("x-registry-auth", ""))

    def work(tell: Callable[[Line], None], cancelled: Callable[[], bool]) -> None:
        references = [named(name, tag)] if tag or has_tag(name) else images.tags_of(name)
        for reference in references:
            pushed = images.push(
                reference,
                on_progress=lambda progress: tell(progress_line(progress)),
                cancelled=cancelled,
                credentials=credentials,
            )
            aux = {"Tag": pushed.tag, "Digest": pushed.digest, "Size": pushed.size}
            tell({"progressDetail": {}, "aux": aux})

    await send_progress(call, work)


async def save(call: Call) -> None:
    """Of the path's name, or of each `names`."""
    names = [call.words["name"]] if "name" in call.words else call.texts("names")
    names = [name for text in names for name in text.split(",") if name]
    if not names:
        raise ApiError(400, "no images to save: names is missing")

    await call.send_pieces(lambda: ((), call.engine.images.save(names)), TAR)


async def load(call: Call) -> None:
    body = call.file()

    def work(tell: Callable[[Line], None], cancelled: Callable[[], bool]) -> None:
        with refusing_corrupt_bodies():
            loaded = call.engine.images.load(body.read, platform=call.text("platform"))
        for image in loaded:
            for reference in image.references:
                tell({"stream": f"Loaded image: {reference}\n"})
            if not image.references:
                tell({"stream": f"Loaded image ID: {image.id}\n"})

    await send_progress(call, work, held=0)


async def commit(call: Call) -> Answer:
    """The body's settings come in place of the container's own."""
    repository = call.text("repo")
    image = await call.threads.call_long(
        call.engine.containers.commit,
        call.text("container"),
        named(repository, call.text("tag")) if repository else "",
        author=call.text("author"),
        comment=call.text("comment"),
        changes=changes_of(call),
        pause=call.flag("pause", default=True),
        config=call.json(),
    )
    return json_answer({"Id": image.id}, 201)


async def distribution(call: Call) -> Answer:
    credentials = read_credentials(call.headers.get("x-registry-auth", ""))
    found = await call.threads.call_long(call.engine.images.distribution, call.words["name"], credentials=credentials)
    return json_answer(found)


async def auth(call: Call) -> Answer:
    """Whether a registry takes an account; nothing of it is kept."""
    fields = Fields(call.json(), "AuthConfig")
    credentials = Credentials(fields.text("username"), fields.text("password"), fields.text("identitytoken"))
    if not credentials:
        raise ApiError(400, "no account to log in with: username and password, or identitytoken, are wanted")
    address = fields.text("serveraddress")
    domain = "docker.io" if address in DOCKER_HUB else address.partition("://")[2] or address
    await call.threads.call_long(call.engine.images.check_login, domain.split("/")[0], credentials)
    return json_answer({"IdentityToken": "", "Status": "Login Succeeded"})
