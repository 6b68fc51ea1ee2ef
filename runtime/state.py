"""What the runtime keeps of a container between commands: one directory with state.json, by id.

The directory's creation is what makes an id taken: two creates race to one mkdir. state.json is replaced by rename,
so that a reader finds the old or the new one. A deletion renames the directory first, to `@deleted.ID`: the id is free,
and what is still to be done, the poststop hooks, is known until it has been done. No container's name has an @. All of
it is on a tmpfs by convention and gone after a reboot.
"""

from __future__ import annotations

import fcntl
import os

from . import jsontext
from .errors import ContainerExists, ContainerNotFound, InvalidConfig, RuntimeFault, WrongStatus
from .spec import OCI_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-")
_ID_LIMIT = 1024
_STATE = "state.json"
FIFO_NAME = "exec.fifo"
"""In the state directory: what init waits at for `start`; its absence tells a started container from a created one."""


class StateDirectory:
    """The directory of one container. Owns `fd`, an O_PATH-free descriptor of it, used for the lock and for init."""

    def __init__(self, root: str, container_id: str) -> None:
        self.container_id = container_id
        self.path = f"{root}/{container_id}"
        self.fd = -1

    @staticmethod
    def make(root: str, container_id: str) -> StateDirectory:
        """A new one; ContainerExists when the id is taken."""
        check_id(container_id)
        try:
            os.makedirs(root, mode=0o711, exist_ok=True)
            directory = StateDirectory(root, container_id)
            os.mkdir(directory.path)
        except FileExistsError:
            raise ContainerExists(
                f'container "{container_id}" exists already', hint="Delete it, or choose another id."
            ) from None
        except OSError as error:
            raise RuntimeFault(f"cannot make the state directory: {error.strerror}", path=root) from error
        # The mode counts without the umask: init opens its fifo here as the container's user.
        os.chmod(directory.path, 0o711)
        directory._open()
        return directory

    @staticmethod
    def existing(root: str, container_id: str) -> StateDirectory:
        """An existing one; ContainerNotFound otherwise."""
        check_id(container_id)
        directory = StateDirectory(root, container_id)
        try:
            directory._open()
        except FileNotFoundError:
            raise ContainerNotFound(f'container "{container_id}" does not exist') from None
        except OSError as error:
            raise RuntimeFault(f"cannot open the state: {error.strerror}", path=directory.path) from error
        return directory

    def _open(self) -> None:
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def read(self) -> dict[str, Any]:
        """state.json; empty when the creator died before it could write it."""
        try:
            with open(f"{self.path}/{_STATE}", "rb") as file:
                data = jsontext.loads(file.read())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RuntimeFault(f"cannot be read: {error}", path=f"{self.path}/{_STATE}") from error
        return data if isinstance(data, dict) else {}

    def write(self, data: dict[str, Any]) -> None:
        """Replace state.json. Not fsynced: a power cut ends the containers too."""
        temporary = f"{self.path}/.{_STATE}.{os.getpid()}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, jsontext.dumps(data).encode())
        finally:
            os.close(fd)
        os.rename(temporary, f"{self.path}/{_STATE}")

    def lock(self, *, wait: bool = True) -> None:
        """Hold the container for one change of its status; released by `unlock` or with the descriptor."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise WrongStatus(f'container "{self.container_id}" is being changed by another command') from None

    def unlock(self) -> None:
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def retire(self) -> None:
        """Give the id back, and keep what is known until `remove`. ContainerNotFound when another has done so."""
        retired = _retired_path(self.path)
        try:
            os.rename(self.path, retired)
        except FileNotFoundError:
            raise ContainerNotFound(f'container "{self.container_id}" does not exist') from None
        self.path = retired

    @staticmethod
    def retired(root: str, container_id: str) -> StateDirectory | None:
        """What a deletion that was cut off has left, locked; None when there is nothing, or somebody is at it."""
        directory = StateDirectory(root, container_id)
        directory.path = _retired_path(directory.path)
        try:
            directory._open()
            directory.lock(wait=False)
        except (FileNotFoundError, WrongStatus):
            directory.close()
            return None
        return directory

    def remove(self) -> None:
        """Delete the directory and what is in it; silent when it is gone."""
        try:
            for name in os.listdir(self.path):
                os.unlink(f"{self.path}/{name}")
            os.rmdir(self.path)
        except FileNotFoundError:
            pass

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def is_id(text: str) -> bool:
    """Whether a container may be called so: a plain file name of letters, digits and `_ + - .`"""
    return 0 < len(text) <= _ID_LIMIT and _ID_CHARACTERS.issuperset(text) and text not in (".", "..")


def _retired_path(path: str) -> str:
    root, _slash, name = path.rpartition("/")
    return f"{root}/@deleted.{name}"


def check_id(container_id: str) -> None:
    """Refuse an id that is no plain file name (letters, digits, `_ + - .`)."""
    if not is_id(container_id):
        raise InvalidConfig(
            f'"{container_id}" is not a container id', hint="Use letters, digits, and the characters _ + - . only."
        )


def oci_state(data: dict[str, Any], container_id: str, status: str, pid: int) -> dict[str, Any]:
    """The OCI state object from a container's kept data."""
    config = data.get("config") or {}
    state = {
        "ociVersion": config.get("ociVersion") or OCI_VERSION,
        "id": container_id,
        "pid": pid,
        "status": str(status),
        "bundle": data.get("bundle") or "",
        "rootfs": data.get("rootfs") or "",
        "created": data.get("created") or "",
    }
    if config.get("annotations"):
        state["annotations"] = config["annotations"]
    state["owner"] = ""
    return state


def container_ids(root: str) -> list[str]:
    """The ids of all containers under a state root."""
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if is_id(name) and os.path.isdir(f"{root}/{name}"))


def start_time(pid: int) -> int:
    """When a process started, in clock ticks after boot, 0 when it is gone or a zombie (proc_pid_stat(5)).

    Together with the pid it names a process for good: pids are used again.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
