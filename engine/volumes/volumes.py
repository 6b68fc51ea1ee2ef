"""Volumes: directories with a name that outlive the containers that use them.

The row is the truth; the directory `volumes/NAME/_data` is made before it and removed after it, so that a
crash leaves at most an empty directory that nobody refers to. Who uses a volume is read from the containers'
rows, never counted.
"""

from __future__ import annotations

import json
import os
import time

from ..bundle.names import check_name
from ..errors import EngineError, InUse, VolumeNotFound
from ..models import Volume, VolumeUsage
from .hold import Hold

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from ..paths import Paths
    from ..store import Store, Transaction


class Volumes:
    """The volumes of one engine; safe from several threads and processes."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store = store
        self._paths = paths

    def create(
        self,
        name: str = "",
        labels: dict[str, str] | None = None,
        *,
        anonymous: bool = False,
        options: dict[str, str] | None = None,
    ) -> Volume:
        """Make a volume, or return the one of that name. Without a name it is anonymous, with a random one. `options`:
        `type`, `o` and `device` of the driver local. Raises InvalidRequest."""
        if not name:
            name, anonymous = os.urandom(32).hex(), True
        check_name(name, "volume")
        if options:
            from .local import check_options

            check_options(options)
        volume = Volume(
            name=name,
            path=self._paths.volume(name),
            created_ns=time.time_ns(),
            anonymous=anonymous,
            labels=labels or {},
            options=options or {},
        )
        try:
            os.makedirs(os.path.dirname(volume.path), mode=0o701, exist_ok=True)
            os.makedirs(volume.path, mode=0o755, exist_ok=True)
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise EngineError(f"cannot make volume {name} at {volume.path}: {reason}") from error
        with self._store.transaction() as tx:
            row = tx.execute("SELECT document FROM volumes WHERE name = ?", (name,)).fetchone()
            if row is not None:
                return self._volume(row[0])
            tx.execute("INSERT INTO volumes (name, document) VALUES (?, ?)", (name, json.dumps(volume.to_json())))
            tx.event("volume", "create", name, {"driver": "local"})
            self._keep(volume)
        return volume

    def list(self) -> list[Volume]:
        """All, by name."""
        rows = self._store.query("SELECT document FROM volumes ORDER BY name")
        return [self._volume(row[0]) for row in rows]

    def get(self, name: str) -> Volume:
        """Raises VolumeNotFound."""
        rows = self._store.query("SELECT document FROM volumes WHERE name = ?", (name,))
        if not rows:
            raise VolumeNotFound(f"no such volume: {name}", hint="pydock volume ls lists them.")
        return self._volume(rows[0][0])

    def inspect(self, name: str) -> dict[str, Any]:
        """In the shape of `docker volume inspect`."""
        volume = self.get(name)
        seconds, nanoseconds = divmod(volume.created_ns, 1_000_000_000)
        created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        labels = dict(volume.labels)
        if volume.anonymous:
            labels["com.docker.volume.anonymous"] = ""
        return {
            "CreatedAt": f"{created}.{nanoseconds:09d}Z",
            "Driver": "local",
            "Labels": labels,
            "Mountpoint": volume.path,
            "Name": volume.name,
            "Options": dict(volume.options) or None,
            "Scope": "local",
        }

    def users(self, name: str) -> tuple[str, ...]:
        """The names of the containers, running or not, that mount the volume."""
        rows = self._store.query("SELECT document FROM containers")
        return tuple(_users(name, [row[0] for row in rows]))

    def usage(self) -> dict[str, VolumeUsage]:
        """What every volume takes and who mounts it, by name. That of another machine or device is not measured."""
        from ..disk import tree_size

        rows = [row[0] for row in self._store.query("SELECT document FROM containers")]
        return {
            volume.name: VolumeUsage(
                size=-1 if volume.options else tree_size(volume.path), users=tuple(_users(volume.name, rows))
            )
            for volume in self.list()
        }

    def prune(
        self, *, all: bool = False, wanted: Callable[[Volume], bool] = lambda volume: True
    ) -> tuple[builtins.list[str], int]:
        """Delete what no container mounts: anonymous ones, with `all` the named as well; `wanted` says which may go.
        Their names, and the bytes freed."""
        usage = self.usage()
        gone, freed = [], 0
        for volume in self.list():
            used = usage.get(volume.name)
            if used is None or used.users or not (all or volume.anonymous) or not wanted(volume):
                continue
            try:
                self.remove(volume.name)
            except (InUse, VolumeNotFound):  # taken into use, or removed by somebody else
                continue
            gone.append(volume.name)
            freed += max(0, used.size)
        with self._store.transaction() as tx:
            tx.event("volume", "prune", "", {"reclaimed": str(freed)})
        return gone, freed

    def hold(self, names: Iterable[str]) -> Hold:
        """Mount those of these volumes that have options, and keep them so until the hold is closed; a container
        whose row says by then that it lives keeps them from there on. Raises EngineError."""
        held = Hold()
        try:
            for name in sorted(set(names)):
                rows = self._store.query("SELECT document FROM volumes WHERE name = ?", (name,))
                volume = self._volume(rows[0][0]) if rows else None
                if volume is not None and volume.options:
                    from .local import attach

                    held.add(attach(self._paths.mounted_volumes, name, volume.path, volume.options))
        except BaseException:
            held.close()
            raise
        return held

    def release(self) -> None:
        """Unmount the volumes with options that nobody needs any more."""
        try:
            if not os.listdir(self._paths.mounted_volumes):
                return
        except FileNotFoundError:
            return
        from .local import release

        release(self._paths.mounted_volumes, self._paths.volume, self._live)

    def export(self, name: str) -> Iterator[bytes]:
        """The volume's files as tar, in pieces, its own directory's owner and mode included. Raises VolumeNotFound."""
        from .archive import export

        return export(self.get(name).path, self.hold([name]))

    def import_archive(self, name: str, read: Callable[[int], bytes]) -> None:
        """Unpack a tar into the volume, over what is there; `read(n)` gives up to n bytes. Raises VolumeNotFound,
        InvalidRequest."""
        from .archive import import_archive

        volume = self.get(name)
        with self.hold([name]):
            import_archive(volume.path, read)

    def remove(self, name: str) -> None:
        """Delete volume and data. Raises VolumeNotFound, and InUse naming the containers. What a volume with options is
        mounted from is left alone."""
        self.release()
        with self._store.transaction() as tx:
            row = tx.execute("SELECT document FROM volumes WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise VolumeNotFound(f"no such volume: {name}", hint="pydock volume ls lists them.")
            self._refuse_if_used(tx, name)
            if self._volume(row[0]).options and self._is_mounted(name):
                raise InUse(f"remove {name}: volume is in use: it is mounted at {self._paths.volume(name)}")
            doomed = f"{self._paths.tmp}/volume-{os.urandom(8).hex()}"
            # Out of sight inside the transaction: a `create` of the same name waits for it and starts empty.
            try:
                os.rename(os.path.dirname(self._paths.volume(name)), doomed)
            except FileNotFoundError:
                doomed = ""
            tx.execute("DELETE FROM volumes WHERE name = ?", (name,))
            tx.event("volume", "destroy", name, {"driver": "local"})
        if doomed:
            import shutil

            shutil.rmtree(doomed, ignore_errors=True)

    def _keep(self, volume: Volume) -> None:
        """A copy of the row beside the data, for a database that is lost."""
        if volume.options or volume.labels:
            try:
                with open(self._paths.kept_volume(volume.name), "w", encoding="utf-8") as file:
                    file.write(json.dumps(volume.to_json()))
            except OSError:  # the disk is full: the database has it
                pass

    def _is_mounted(self, name: str) -> bool:
        from .local import is_mounted

        return os.path.isdir(os.path.dirname(self._paths.volume(name))) and is_mounted(self._paths.volume(name))

    def _live(self) -> set[str]:
        """The volumes that live containers mount."""
        states = "'running', 'paused', 'restarting', 'removing'"
        rows = self._store.query(f"SELECT document FROM containers WHERE state IN ({states})")
        found = (mount for row in rows for mount in json.loads(row[0]).get("mounts") or ())
        return {str(mount.get("source")) for mount in found if mount.get("type") == "volume"}

    def _refuse_if_used(self, tx: Transaction, name: str) -> None:
        rows = tx.execute("SELECT document FROM containers").fetchall()
        users = _users(name, [row[0] for row in rows])
        if users:
            raise InUse(
                f"remove {name}: volume is in use - [{', '.join(users)}]",
                hint="Remove these containers first; stopped ones count too.",
            )

    def _volume(self, document: str) -> Volume:
        # The data root may have been moved since the row was written.
        volume = Volume.from_json(json.loads(document))
        return volume.replace(path=self._paths.volume(volume.name))


def _users(name: str, documents: list[str]) -> list[str]:
    found = []
    for document in documents:
        # A look at the text first: decoding every row for each removal adds up with hundreds of containers.
        if f'"{name}"' not in document:
            continue
        row = json.loads(document)
        mounts = row.get("mounts") or ()
        if any(mount.get("type") == "volume" and mount.get("source") == name for mount in mounts):
            found.append(str(row.get("name")))
    return sorted(found)
