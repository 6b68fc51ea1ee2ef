"""Mount options as config.json and mount(8) spell them, sorted into what the kernel wants where.

Attributes of the one mount, attributes of the mount and all below it (the `r…` names of runtime-spec 1.1),
propagation, and the rest, which is for the file system to read.
"""

from __future__ import annotations

from ..errors import InvalidConfig
from ..kernel import constants as k

_SET = {
    "ro": k.MOUNT_ATTR_RDONLY,
    "nosuid": k.MOUNT_ATTR_NOSUID,
    "nodev": k.MOUNT_ATTR_NODEV,
    "noexec": k.MOUNT_ATTR_NOEXEC,
    "nodiratime": k.MOUNT_ATTR_NODIRATIME,
    "nosymfollow": k.MOUNT_ATTR_NOSYMFOLLOW,
}
_CLEAR = {
    "rw": k.MOUNT_ATTR_RDONLY,
    "suid": k.MOUNT_ATTR_NOSUID,
    "dev": k.MOUNT_ATTR_NODEV,
    "exec": k.MOUNT_ATTR_NOEXEC,
    "diratime": k.MOUNT_ATTR_NODIRATIME,
    "symfollow": k.MOUNT_ATTR_NOSYMFOLLOW,
}
# Exclusive modes: setting one means clearing the whole field. The kernel's default is relatime.
_ACCESS_TIME = {
    "noatime": k.MOUNT_ATTR_NOATIME,
    "relatime": k.MOUNT_ATTR_RELATIME,
    "strictatime": k.MOUNT_ATTR_STRICTATIME,
    "atime": k.MOUNT_ATTR_RELATIME,
    "norelatime": k.MOUNT_ATTR_STRICTATIME,
    "nostrictatime": k.MOUNT_ATTR_RELATIME,
}
PROPAGATION = {
    "shared": k.MS_SHARED,
    "slave": k.MS_SLAVE,
    "private": k.MS_PRIVATE,
    "unbindable": k.MS_UNBINDABLE,
}
_OF_FILESYSTEMS = ("async", "dirsync", "lazytime", "mand", "nolazytime", "nomand", "sync")
# mount(8) words without an effect through this interface.
_WITHOUT_EFFECT = frozenset(
    ("", "defaults", "acl", "noacl", "loud", "silent", "iversion", "noiversion", "user", "nouser")
)


class MountOptions:
    """The options of one mount, sorted. `data` is what the file system reads, in the order given."""

    __slots__ = (
        "bind",
        "clear",
        "copy_up",
        "data",
        "idmap",
        "propagation",
        "recursive",
        "recursive_clear",
        "recursive_set",
        "remount",
        "set",
    )

    def __init__(self) -> None:
        self.set = 0
        self.clear = 0
        self.recursive_set = 0
        self.recursive_clear = 0
        self.propagation: list[tuple[int, bool]] = []
        self.data: list[str] = []
        self.bind = False
        self.recursive = False
        self.copy_up = False
        self.idmap = ""
        self.remount = False


def parse_options(words: list[str], path: str) -> MountOptions:
    """Sort the options; `path` is their place in config.json. Later ones win over earlier ones."""
    options = MountOptions()
    for index, word in enumerate(words):
        if word in ("bind", "rbind"):
            options.bind = True
            options.recursive = word == "rbind" or options.recursive
        elif word in ("idmap", "ridmap"):
            if options.idmap:
                raise InvalidConfig("idmap and ridmap exclude each other", path=f"{path}[{index}]")
            options.idmap = word
        elif word == "tmpcopyup":
            options.copy_up = True
        elif word == "remount":
            options.remount = True
        elif word in PROPAGATION:
            options.propagation.append((PROPAGATION[word], False))
        elif word[:1] == "r" and word[1:] in PROPAGATION:
            options.propagation.append((PROPAGATION[word[1:]], True))
        elif not _parse_attribute(options, word) and word not in _WITHOUT_EFFECT:
            options.data.append(word)
    return options


def names() -> list[str]:
    """Every option that is not the file system's own, for `features`."""
    attributes = [*_SET, *_CLEAR, *_ACCESS_TIME]
    words = {*attributes, *(f"r{word}" for word in attributes), *PROPAGATION, *(f"r{word}" for word in PROPAGATION)}
    words |= {"bind", "rbind", "remount", "idmap", "ridmap", "tmpcopyup", *_OF_FILESYSTEMS, *_WITHOUT_EFFECT} - {""}
    return sorted(words)


def _parse_attribute(options: MountOptions, word: str) -> bool:
    found = _lookup(word)
    if found is not None:
        adds, clears = found
        options.set = options.set & ~clears | adds
        options.clear = options.clear & ~adds | clears
        return True
    if word[:1] == "r":
        found = _lookup(word[1:])
        if found is not None:
            adds, clears = found
            options.recursive_set = options.recursive_set & ~clears | adds
            options.recursive_clear = options.recursive_clear & ~adds | clears
            return True
    return False


def _lookup(word: str) -> tuple[int, int] | None:
    if word in _SET:
        return _SET[word], 0
    if word in _CLEAR:
        return 0, _CLEAR[word]
    if word in _ACCESS_TIME:
        return _ACCESS_TIME[word], k.MOUNT_ATTR__ATIME
    return None
