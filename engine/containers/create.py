"""`create`: from a request to a row and a bundle. Nothing runs yet."""

from __future__ import annotations

import json
import os
import time

from ..bundle import id_range, namespaces, spec, validate
from ..errors import ImageNotFound, NameInUse
from ..models import Container
from ..phases import Phases
from . import files, mounts, names, rebuild, rows
from .links import split_link
from .locks import LifecycleLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..images.config import ImageConfig
    from ..images.images import Images
    from ..models import CreateRequest, Phase
    from ..paths import Paths
    from ..store import Store
    from ..volumes.volumes import Volumes

NAME_TRIES = 20


def create(
    store: Store,
    paths: Paths,
    images: Images,
    volumes: Volumes,
    request: CreateRequest,
    on_phase: Callable[[Phase], None] | None = None,
) -> Container:
    """Make the container. Raises `ImageNotFound`, `InvalidRequest`, `NameInUse`; leaves nothing when it does."""
    phases = Phases(on_phase)
    validate.validate(request)
    request = namespaces.with_ids(request, lambda reference: rows.find(store, reference).id)
    for link in (*request.links, *(link for place in request.networks or () for link in place.links)):
        rows.find(store, split_link(link)[0])
    with phases.step("image"):
        image = images.config(request.image)
        _check_platform(request, image)
        images.ensure_unpacked(image)
    container = _row(request, image)
    with LifecycleLock(paths, container.id):  # so that nobody takes the half-made one for an orphan
        return _make(store, paths, images, volumes, request, image, container, phases)


def _make(
    store: Store,
    paths: Paths,
    images: Images,
    volumes: Volumes,
    request: CreateRequest,
    image: ImageConfig,
    container: Container,
    phases: Phases,
) -> Container:
    try:
        with phases.step("bundle"):
            if request.userns_mode == "auto":
                container = container.replace(id_base=id_range.free(rows.id_bases(store)))
            container = container.replace(mounts=mounts.resolve(store, images, volumes, image, request))
            write_bundle(paths, images, image, request, container)
        with phases.step("record"):
            inserted = _insert(store, container, request, phases)
            if inserted.id_base != container.id_base:
                write_bundle(paths, images, image, request, inserted)
            container = inserted
            rebuild.keep(paths, container, request)
    except BaseException:
        files.remove(paths, container.id)
        files.remove_anonymous_volumes(volumes, container)
        raise
    return container


def write_bundle(
    paths: Paths, images: Images, image: ImageConfig, request: CreateRequest, container: Container
) -> dict[str, Any]:
    """Write config.json, which is returned, and the files that it binds; also used again before each start."""
    bundle = paths.container(container.id)
    os.makedirs(bundle, mode=0o700, exist_ok=True)
    layers = tuple(images.layer_path(chain_id) for chain_id in image.chain_ids)
    config = spec.build(request, image, container, paths, layers)
    temporary = f"{bundle}/config.json.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(json.dumps(config))  # dump() would go the slow way, without the C encoder
    os.replace(temporary, f"{bundle}/config.json")
    return config


def _row(request: CreateRequest, image: ImageConfig) -> Container:
    entrypoint = image.entrypoint if request.entrypoint is None else request.entrypoint
    command = request.command
    if command is None:
        command = image.command if request.entrypoint is None else ()
    argv = (*(entrypoint or ()), *(command or ()))
    validate.command(argv, request.image)
    return Container(
        id=os.urandom(32).hex(),
        name=request.name.removeprefix("/"),
        image=request.image,
        image_id=image.id,
        command=argv,
        created_ns=time.time_ns(),
        tty=request.tty,
        open_stdin=request.open_stdin,
        auto_remove=request.auto_remove,
        labels={**image.labels, **request.labels},
        network=request.network,
        ports=request.ports,
        exposed_ports=tuple(dict.fromkeys((*image.exposed_ports, *request.expose))),
        resources=request.resources,
        restart=request.restart,
    )


def _check_platform(request: CreateRequest, image: ImageConfig) -> None:
    """An image that is here for another machine than was asked for is as good as none."""
    if not request.platform:
        return
    parts = request.platform.split("/")
    if parts[0] == "linux":
        parts.pop(0)
    wanted = {"x86_64": "amd64", "aarch64": "arm64"}.get(parts[0], parts[0]) if parts else image.architecture
    if image.os != "linux" or wanted != image.architecture:
        raise ImageNotFound(
            f"image with reference {request.image} was found but does not match the specified platform: "
            f"wanted {request.platform}, actual: {image.os}/{image.architecture}"
        )


def _insert(store: Store, container: Container, request: CreateRequest, phases: Phases) -> Container:
    for _attempt in range(NAME_TRIES):
        named = container.replace(name=container.name or names.suggestion(), phases=tuple(phases.recorded))
        try:
            with store.transaction() as tx:
                if named.id_base in rows.id_bases(tx):  # somebody was faster
                    named = named.replace(id_base=id_range.free(rows.id_bases(tx)))
                rows.insert(tx, named, request)
        except NameInUse:
            if container.name:
                raise
            continue
        return named
    raise NameInUse(f"no free name found in {NAME_TRIES} tries", hint="Give one with --name.")
