"""Checkpoint and restore by criu's command line: a container's processes as files, and as processes again.

criu knows the kernel's side of a process; what it is told here is what it cannot know: which mounts come from
the host (`--external`), where the root is, and what the standard streams were. Beside criu's own images lies
`descriptors.json`, where runc puts it too.
"""

from __future__ import annotations

import os

from . import jsontext
from .errors import RuntimeFault, SetupFailed
from .kernel import constants as k
from .kernel import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DESCRIPTORS = "descriptors.json"
_LOG_LINES = 3


class Images:
    """Where the images lie, and what criu is told in either direction. `arguments` are the caller's own for criu."""

    def __init__(self, program: str, image_path: str, work_path: str, arguments: list[str]) -> None:
        self.program = program
        self.path = os.path.abspath(image_path)
        self.work_path = os.path.abspath(work_path or image_path)
        self.arguments = arguments

    def run(self, verb: str, words: list[str]) -> None:
        """One command of criu. SetupFailed with the last errors of its log."""
        log = f"{self.work_path}/{verb}.log"
        command = [self.program, verb, "--images-dir", self.path, "--work-dir", self.work_path]
        command += ["--log-file", f"{verb}.log", "-v4", *words, *self.arguments]
        try:
            pid = os.posix_spawnp(self.program, command, os.environ)
        except FileNotFoundError:
            raise RuntimeFault(
                f"{self.program} is not installed", hint="Install the package criu, or name it with --criu."
            ) from None
        _pid, status = os.waitpid(pid, 0)
        if status:
            raise SetupFailed(f"criu {verb} failed: {_last_errors(log)}", hint=f"All of it is in {log}")


def dump(images: Images, pid: int, config: dict[str, Any], freezer: str, *, before: bool = False) -> None:
    """Save the processes below `pid`; they end unless told otherwise. With `before` their memory alone."""
    os.makedirs(images.path, mode=0o700, exist_ok=True)
    os.makedirs(images.work_path, mode=0o700, exist_ok=True)
    if not before:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)]
        with open(f"{images.path}/{_DESCRIPTORS}", "w") as file:
            file.write(jsontext.dumps(links))
    words = ["--tree", str(pid), "--manage-cgroups=soft"]
    if freezer:
        words += ["--freeze-cgroup", freezer]
    for inside, _outside in external_mounts(config, f"/proc/{pid}/root"):
        words += ["--external", f"mnt[{inside}]:{inside}"]
    images.run("pre-dump" if before else "dump", words)


def restore(images: Images, config: dict[str, Any], rootfs: str, folder: str) -> int:
    """Make the processes again, as descendants of this one; the first one's pid. `folder` is for this alone."""
    os.makedirs(images.work_path, mode=0o700, exist_ok=True)
    try:
        with open(f"{images.path}/{_DESCRIPTORS}", "rb") as file:
            links = jsontext.loads(file.read())
    except (OSError, ValueError) as error:
        raise RuntimeFault(f"there is no checkpoint in {images.path}: {error}") from None
    root, pid_file = f"{folder}/criu-root", f"{folder}/criu-pid"
    words = ["--root", root, "--restore-detached", "--pidfile", pid_file, "--manage-cgroups=soft"]
    for inside, outside in external_mounts(config, rootfs):
        words += ["--external", f"mnt[{inside}]:{outside}"]
    for fd, link in enumerate(links):
        if link.startswith("pipe:"):
            words += ["--inherit-fd", f"fd[{fd}]:{link}"]
    # criu wants a mount point whose parent is not covered
    os.mkdir(root)
    mount_fd = mounts.open_tree(k.AT_FDCWD, rootfs, recursive=True)
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mounts.attach(mount_fd, root_fd)
        try:
            images.run("restore", words)
            with open(pid_file) as file:
                return int(file.read())
        finally:
            mounts.umount(root)
    finally:
        os.close(mount_fd)
        os.close(root_fd)
        os.rmdir(root)
        try:
            os.unlink(pid_file)
        except FileNotFoundError:
            pass


def external_mounts(config: dict[str, Any], root: str) -> list[tuple[str, str]]:
    """Mount points that show something of the host's, and what: binds of the config, and files that are masked."""
    found = []
    for mount in config.get("mounts") or []:
        options = mount.get("options") or []
        if mount.get("type") == "bind" or "bind" in options or "rbind" in options:
            found.append((mount["destination"], mount["source"]))
    for path in (config.get("linux") or {}).get("maskedPaths") or []:
        here = f"{'' if path.startswith('/proc') else root}{path}"
        if os.path.exists(here) and not os.path.isdir(here):
            found.append((path, "/dev/null"))
    return found


def _last_errors(log: str) -> str:
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = [line.partition("Error ")[2].strip() for line in file if "Error " in line]
    except OSError:
        return "it wrote no log"
    return "; ".join(lines[-_LOG_LINES:]) or "it named no error"
