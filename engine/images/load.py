"""Reads images from a tar: an OCI layout, or what `docker save` writes, compressed or not.

Nothing in it is trusted. Its files go into a folder of ours under numbers, their names are only looked up; every blob
is hashed on the way and used only under the digest that it has; documents are read by `manifest`; layers are unpacked
by the confined unpacker and compared with what the configuration says. The index changes last, image by image.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import posixpath

from ..errors import CorruptContent, DiskFull, EngineError, InvalidRequest
from ..record import Record
from ..tars.read import open_archive, plain
from .assemble import LayerBlob
from .compose import compose, descriptor
from .content import PIECE, ContentStore
from .manifest import (
    CONFIG_LIMIT,
    MANIFEST_LIMIT,
    MAXIMUM_LAYERS,
    Manifest,
    as_oci,
    choose,
    layer_blobs,
    parse_config,
    parse_manifest,
    parse_platform,
)
from .pack import pack_layer
from .reference import parse
from .unpack import tar
from .unpack.errors import BadLayer
from .unpack.run import RESERVED_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..paths import Paths
    from .index import IndexEntry
    from .layers import LayerStore
    from .manifest import Descriptor
    from .reference import Reference
    from .unpack.source import Source

_FILES_MAX = 20_000
_NAME_MAX = 1024
_NESTED_MAX = 4
_PREFIX = "load-"
_IMAGE_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"
_DOCKER = "vnd.docker."
_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


class Loaded(Record):
    """An image that was loaded; `references` are the names it got, in familiar form."""

    id: str
    references: tuple[str, ...] = ()


def load(paths: Paths, store: LayerStore, read: Callable[[int], bytes], platform: str = "") -> list[Loaded]:
    """Load every image of the archive. Raises InvalidRequest for what is none, CorruptContent, DiskFull.

    The caller holds a PullsLock. Images that came before a bad one stay loaded.
    """
    _sweep(paths.tmp)
    folder = f"{paths.tmp}/{_PREFIX}{os.urandom(8).hex()}"
    os.mkdir(folder, 0o700)
    held_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(held_fd, fcntl.LOCK_EX)
    try:
        spooled = _Spool(folder)
        try:
            spooled.fill(open_archive(read))
        except BadLayer as error:
            raise InvalidRequest(f"this is no archive of images: {error}") from error
        except OSError as error:
            raise DiskFull(
                f"cannot store the archive below {paths.tmp}: {os.strerror(error.errno or 0).lower()}",
                hint="Free some space: remove images that are not needed.",
            ) from error
        if spooled.find("index.json") and spooled.find("oci-layout"):
            return _Layout(paths, store, spooled, platform).load()
        if spooled.find("manifest.json"):
            return _DockerArchive(paths, store, spooled).load()
        raise InvalidRequest(
            "this is no archive of images: it has neither manifest.json nor index.json",
            hint="pydock import makes an image of a file system's archive.",
        )
    finally:
        _remove(folder)
        os.close(held_fd)


def _sweep(parent: str) -> None:
    """Remove the folders of loads that were killed: nobody holds their lock any more."""
    for name in os.listdir(parent):
        if not name.startswith(_PREFIX):
            continue
        try:
            fd = os.open(f"{parent}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(f"{parent}/{name}")
        except BlockingIOError:
            pass
        finally:
            os.close(fd)


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


class _File:
    def __init__(self, path: str, size: int, digest: str) -> None:
        self.path = path
        self.size = size
        self.digest = digest


class _Spool:
    """The archive's files on disk, by the names that the archive gave them."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._links: dict[str, str] = {}
        self._by_digest: dict[str, _File] = {}
        disk = os.statvfs(folder)
        self._budget = disk.f_bavail * disk.f_frsize - RESERVED_BYTES

    def fill(self, source: Source) -> None:
        count = 0
        while (entry := tar.next_entry(source)) is not None:
            count += 1
            if count > _FILES_MAX:
                raise InvalidRequest(f"more than {_FILES_MAX} files are no archive of images")
            name = _cleaned(entry.name)
            left = entry.size + tar.padding(entry.size)
            if entry.kind == tar.REGULAR and name and entry.parts is None:
                left -= self._take(name, entry.size, source, count)
            elif entry.kind in (tar.SYMLINK, tar.HARD_LINK) and name:
                target = entry.link.decode(errors="surrogateescape")
                base = posixpath.dirname(name) if entry.kind == tar.SYMLINK else ""
                self._links[name] = posixpath.normpath(posixpath.join("/", base, target)).lstrip("/")
            source.skip(left, tar.show(entry.name))
        source.drain()

    def find(self, name: str) -> _File | None:
        """The file of this name, through links of the archive's own."""
        name = posixpath.normpath(posixpath.join("/", name)).lstrip("/")
        for _ in range(8):
            if name in self._files:
                return self._files[name]
            if name not in self._links:
                return None
            name = self._links[name]
        return None

    def blob(self, digest: str) -> _File | None:
        """The file with this content, wherever it lies."""
        return self._by_digest.get(digest)

    def read(self, name: str, limit: int) -> bytes:
        file = self.find(name)
        if file is None:
            raise CorruptContent(f"the archive has no {name[:120]!r}")
        return read_file(file, limit, name)

    def _take(self, name: str, size: int, source: Source, number: int) -> int:
        self._budget -= size
        if self._budget < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path = f"{self._folder}/{number}"
        digest = hashlib.sha256()
        left = size
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while left:
                part = source.some(left)
                if not part:
                    raise BadLayer(f"the archive ends inside {name[:120]}")
                left -= len(part)
                digest.update(part)
                while part:
                    part = part[os.write(fd, part) :]
        finally:
            os.close(fd)
        file = _File(path, size, f"sha256:{digest.hexdigest()}")
        self._files[name] = file
        self._by_digest[file.digest] = file
        return size


class _Layout:
    """An OCI layout: the index, manifests, and blobs by digest."""

    def __init__(self, paths: Paths, store: LayerStore, spooled: _Spool, platform: str) -> None:
        self._paths = paths
        self._store = store
        self._spool = spooled
        self._platform = parse_platform(platform)
        self._content = ContentStore(paths)

    def load(self) -> list[Loaded]:
        index = parse_manifest(self._spool.read("index.json", MANIFEST_LIMIT), "", "index.json")
        if isinstance(index, Manifest):
            raise CorruptContent("index.json is a manifest, not an index")
        loaded: dict[str, list[str]] = {}
        for found in index.manifests:
            reference = _name_of(found.annotations or {})
            entry = self._image(found, reference)
            names = loaded.setdefault(entry.config, [])
            if reference is not None:
                names.append(reference.familiar)
        return [Loaded(id=image, references=tuple(names)) for image, names in loaded.items()]

    def _image(self, found: Descriptor, reference: Reference | None) -> IndexEntry:
        data, manifest = self._manifest(found)
        where = f"image {manifest.config.digest}"
        config_data = read_file(self._blob(manifest.config.digest), CONFIG_LIMIT, where)
        config = parse_config(config_data, where)
        layers = layer_blobs(manifest, config, where)
        for layer in layers:
            if not self._content.has(layer.digest):
                self._content.take(self._blob(layer.digest).path, layer.digest)
        if any(_DOCKER in part.media_type for part in (manifest.config, *manifest.layers)):
            data = as_oci(manifest)
        return compose(self._paths, self._store, config=config_data, layers=layers, manifest=data, reference=reference)

    def _manifest(self, found: Descriptor) -> tuple[bytes, Manifest]:
        for _ in range(_NESTED_MAX):
            data = read_file(self._blob(found.digest), MANIFEST_LIMIT, found.digest)
            document = parse_manifest(data, found.media_type, f"manifest {found.digest}")
            if isinstance(document, Manifest):
                return data, document
            found = choose(document, self._platform, found.digest)
        raise CorruptContent("index.json: indexes inside indexes inside indexes")

    def _blob(self, digest: str) -> _File:
        file = self._spool.blob(digest)
        if file is None:
            if digest.startswith("sha256:") and self._content.has(digest):
                return _File(self._paths.blob(digest), self._content.size(digest), digest)
            raise CorruptContent(f"the archive has no blob {digest}, or what is there has another content")
        return file


class _DockerArchive:
    """`manifest.json`, and configurations and layers at the paths that it names."""

    def __init__(self, paths: Paths, store: LayerStore, spooled: _Spool) -> None:
        self._paths = paths
        self._store = store
        self._spool = spooled
        self._content = ContentStore(paths)
        self._packed: dict[str, tuple[LayerBlob, str]] = {}

    def load(self) -> list[Loaded]:
        try:
            images = json.loads(self._spool.read("manifest.json", MANIFEST_LIMIT))
            asked = [
                (str(image["Config"]), [str(layer) for layer in image["Layers"]], _tags(image.get("RepoTags")))
                for image in images
            ]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CorruptContent(f"manifest.json is not one of docker's: {error!r}"[:200]) from error
        return [self._image(*image) for image in asked]

    def _image(self, config_name: str, layer_names: list[str], names: list[Reference]) -> Loaded:
        config_data = self._spool.read(config_name, CONFIG_LIMIT)
        where = f"image {config_name[:120]}"
        config = parse_config(config_data, where)
        diff_ids = config.rootfs.diff_ids
        if len(layer_names) != len(diff_ids) or len(layer_names) > MAXIMUM_LAYERS:
            raise CorruptContent(f"{where}: {len(layer_names)} layers, the configuration says {len(diff_ids)}")
        layers, descriptors = [], []
        for name, diff_id in zip(layer_names, diff_ids, strict=True):
            layer, media_type = self._layer(name, diff_id)
            layers.append(layer)
            descriptors.append(descriptor(layer, media_type))
        entry = None
        for reference in names or [None]:  # type: ignore[list-item]
            entry = compose(
                self._paths,
                self._store,
                config=config_data,
                layers=layers,
                descriptors=descriptors,
                reference=reference,
            )
        assert entry is not None
        return Loaded(id=entry.config, references=tuple(name.familiar for name in names))

    def _layer(self, name: str, diff_id: str) -> tuple[LayerBlob, str]:
        """The layer in the content store: as it is when it is compressed, else compressed now."""
        file = self._spool.find(name)
        if file is None:
            raise CorruptContent(f"the archive has no layer {name[:120]!r}")
        if file.digest not in self._packed:
            self._packed[file.digest] = self._store_layer(file, diff_id)
        layer, media_type = self._packed[file.digest]
        if layer.diff_id != diff_id:
            raise CorruptContent(f"layer {name[:120]}: its content is {layer.diff_id}, the image says {diff_id}")
        return layer, media_type

    def _store_layer(self, file: _File, diff_id: str) -> tuple[LayerBlob, str]:
        with open(file.path, "rb") as stream:
            start = stream.read(6)
        suffix = "+gzip" if start[:2] == b"\x1f\x8b" else "+zstd" if start[:4] == b"\x28\xb5\x2f\xfd" else ""
        if suffix:
            if not self._content.has(file.digest):
                self._content.take(file.path, file.digest)
            # what is inside is compared with the diff id when it is unpacked
            return LayerBlob(digest=file.digest, size=file.size, diff_id=diff_id), f"{_OCI_LAYER}{suffix}"
        try:
            return pack_layer(self._content, plain(start, _pieces(file.path))), f"{_OCI_LAYER}+gzip"
        except BadLayer as error:
            raise CorruptContent(f"layer {file.digest}: {error}") from error


def read_file(file: _File, limit: int, what: str) -> bytes:
    """A document. Raises CorruptContent for one that is too large."""
    if file.size > limit:
        raise CorruptContent(f"{what[:120]}: a document of {file.size} bytes is larger than {limit}")
    with open(file.path, "rb") as stream:
        return stream.read()


def _pieces(path: str) -> Iterator[bytes]:
    with open(path, "rb") as stream:
        while piece := stream.read(PIECE):
            yield piece


def _name_of(annotations: dict[str, str]) -> Reference | None:
    """The name of an image in an index. A bare tag is no name: docker says the whole name in an annotation beside
    it."""
    for key in (_IMAGE_NAME, _REF_NAME):
        text = annotations.get(key, "")
        if text and (key == _IMAGE_NAME or "/" in text or ":" in text):
            try:
                reference = parse(text)
            except InvalidRequest:
                continue
            return reference if not reference.digest else None
    return None


def _tags(value: Any) -> list[Reference]:
    try:
        names = [parse(str(text)) for text in value or ()]
    except EngineError as error:
        raise CorruptContent(f"manifest.json: {error.message}") from error
    return [name for name in names if not name.digest]


def _cleaned(name: bytes) -> str:
    if len(name) > _NAME_MAX:
        raise InvalidRequest(f"a file with a name of {len(name)} bytes is in no archive of images")
    return posixpath.normpath(posixpath.join("/", name.decode(errors="surrogateescape"))).lstrip("/")
