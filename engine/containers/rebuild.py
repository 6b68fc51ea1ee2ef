"""Makes rows again from what lies on disk, for a database that was lost: moved aside because it was damaged.

Each bundle has a copy of its row and request, as of its last start. Containers come back as they are, volumes by their
folders, and bridge networks as far as a container's place in them tells what they were.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time

from ..errors import EngineError
from ..models import Container, CreateRequest, Network, Volume
from ..networks.address import subnet_of
from ..networks.rows import write_endpoint
from . import rows
from .locks import shim_alive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Endpoint
    from ..paths import Paths
    from ..store import Store, Transaction

KEY = "rebuilt"


def keep(paths: Paths, container: Container, request: CreateRequest) -> None:
    """Put the copy beside the bundle's config.json. Not synced: it is for a rare day, and every start renews it."""
    path = paths.kept_row(container.id)
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(json.dumps({"container": container.to_json(), "request": request.to_json()}))
        os.replace(f"{path}.new", path)
    except OSError:  # the disk is full: the database has it
        pass


def rebuild_once(store: Store, paths: Paths) -> None:
    """Take in what a new database does not know."""
    with store.transaction() as tx:
        if tx.execute("SELECT 1 FROM meta WHERE key = ?", (KEY,)).fetchone():
            return
        for name in sorted(os.listdir(paths.containers)):
            _container(tx, paths, name)
        for name in sorted(os.listdir(paths.volumes)):
            _volume(tx, paths, name)
        tx.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (KEY, str(time.time_ns())))


def _container(tx: Transaction, paths: Paths, name: str) -> None:
    try:
        with open(paths.kept_row(name), encoding="utf-8") as file:
            kept = json.load(file)
        container = Container.from_json(kept["container"])
        request = CreateRequest.from_json(kept["request"])
    except (OSError, ValueError, TypeError, KeyError):  # a creation that was cut off, or damage here too
        return
    if container.id != name or tx.execute("SELECT 1 FROM containers WHERE id = ?", (name,)).fetchone():
        return
    for endpoint in container.endpoints:
        _network(tx, endpoint)
    container = _as_of_now(paths, container)
    if tx.execute("SELECT 1 FROM containers WHERE name = ?", (container.name,)).fetchone():
        container = container.replace(name=f"{container.name}-{name[:12]}")
    try:
        rows.insert(tx, container, request)
        for endpoint in container.endpoints:
            write_endpoint(tx, container.id, endpoint)
    except (sqlite3.Error, EngineError):  # of no sense to the database
        pass


def _as_of_now(paths: Paths, container: Container) -> Container:
    """One whose shim lives is what the runtime says; another that has ever run is left to be settled."""
    if shim_alive(paths, container.id):
        from runtime.container import Container as RuntimeContainer
        from runtime.errors import RuntimeFault

        try:
            found = RuntimeContainer.load(paths.runtime, container.id)
            paused = found.status() == "paused"
            return container.replace(state="paused" if paused else "running", pid=found.pid)
        except RuntimeFault:  # it is ending
            pass
    ran = any(os.path.exists(path) for path in (paths.ring(container.id), paths.exit_record(container.id)))
    return container.replace(state="running" if ran else "created", pid=0, endpoints=(), health="")


def _network(tx: Transaction, place: Endpoint) -> None:
    if place.driver != "bridge" or not place.network_id or not place.gateway:
        return
    network = Network(
        id=place.network_id,
        name=place.network,
        driver=place.driver,
        bridge=place.bridge,
        subnet=str(subnet_of(place.gateway, place.prefix_length)),
        gateway=place.gateway,
        internal=place.internal,
        created_ns=time.time_ns(),
        ipv6=bool(place.gateway6),
        subnet6=str(subnet_of(place.gateway6, place.prefix_length6)) if place.gateway6 else "",
        gateway6=place.gateway6,
    )
    tx.execute(
        "INSERT OR IGNORE INTO networks (id, name, document) VALUES (?, ?, ?)",
        (network.id, network.name, json.dumps(network.to_json())),
    )


def _volume(tx: Transaction, paths: Paths, name: str) -> None:
    path = paths.volume(name)
    if not os.path.isdir(path) or tx.execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone():
        return
    anonymous = len(name) == 64 and not name.strip("0123456789abcdef")
    made_ns = os.stat(path).st_ctime_ns
    volume = Volume(name=name, path=path, created_ns=made_ns, anonymous=anonymous)
    try:
        with open(paths.kept_volume(name), encoding="utf-8") as file:
            volume = Volume.from_json(json.load(file)).replace(name=name, path=path)
    except (OSError, ValueError, TypeError, KeyError):  # it had neither labels nor options, or this is damaged too
        pass
    tx.execute("INSERT INTO volumes (name, document) VALUES (?, ?)", (name, json.dumps(volume.to_json())))
