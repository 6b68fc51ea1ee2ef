"""What `help` and `--help` print; loaded for that alone, so that no command pays for the texts."""

from __future__ import annotations

from .options import SWITCH
from .report import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

GLOBAL = {
    "cgroup-manager": "cgroupfs, systemd, or disabled (as crun has it)",
    "criu": "the criu program, for checkpoint and restore",
    "debug": "tell the steps",
    "help": "show this",
    "log": "file that errors and warnings are appended to",
    "log-format": "text or json",
    "log-level": "accepted for crun's callers",
    "root": "directory of the containers' state, on a tmpfs",
    "rootless": "true, false, or auto: go on without a cgroup that may not be made",
    "systemd-cgroup": "let systemd make the cgroups; cgroupsPath is then slice:prefix:name",
    "version": "show the version",
}
_LIMITS = {
    "blkio-weight": "weight of block I/O, 10 to 1000",
    "cpu-burst": "microseconds of CPU that may be saved up",
    "cpu-idle": "1: run only when nobody else wants to",
    "cpu-period": "length of the CPU period in microseconds",
    "cpu-quota": "microseconds of CPU in each period",
    "cpu-rt-period": "the same for real-time processes",
    "cpu-rt-runtime": "the same for real-time processes",
    "cpu-share": "CPU weight against other containers",
    "cpuset-cpus": "CPUs to run on, as 0-3,7",
    "cpuset-mems": "memory nodes to use",
    "kernel-memory": "no longer in the kernel; accepted",
    "kernel-memory-tcp": "limit of TCP buffers",
    "l3-cache-schema": "schema of the L3 cache (Intel RDT)",
    "mem-bw-schema": "schema of memory bandwidth (Intel RDT)",
    "memory": "limit, in bytes or with k, m, g",
    "memory-reservation": "soft limit",
    "memory-swap": "memory and swap together, -1: no limit",
    "pids-limit": "number of processes",
    "resources": "take linux.resources from a file, - is standard input",
}
_CRIU = {
    "auto-dedup": "drop pages that a later dump has anew",
    "empty-ns": "namespace (network) whose properties are left out",
    "ext-unix-sk": "allow unix sockets to the outside",
    "file-locks": "handle file locks",
    "image-path": "directory of the images (default: checkpoint)",
    "lazy-pages": "restore memory when it is used",
    "leave-running": "let the container go on",
    "lsm-mount-context": "SELinux context of mounts in the restored container",
    "lsm-profile": "TYPE:NAME of the security profile to restore with",
    "manage-cgroups-mode": "soft, full, strict or ignore",
    "page-server": "ADDRESS:PORT that takes the memory pages",
    "parent-path": "images of an earlier pre-dump, relative to image-path",
    "pre-dump": "dump memory alone and let the container go on",
    "shell-job": "allow a terminal or session from outside",
    "status-fd": "descriptor to write a zero byte to when lazy pages are ready",
    "tcp-established": "allow open TCP connections",
    "work-path": "directory of criu's logs",
}
TEXTS = {
    **_LIMITS,
    **_CRIU,
    "additional-gids": "further group, may be repeated",
    "all": "every process of the container",
    "apparmor": "AppArmor profile",
    "bundle": "directory of config.json (default: here)",
    "cap": "capability to add, may be repeated",
    "cgroup": "[CONTROLLER,...:]PATH of a cgroup below the container's",
    "config": "file of the config in the bundle (default: config.json)",
    "console-socket": "unix socket that the terminal's master is sent to",
    "cwd": "working directory",
    "detach": "do not wait for the end",
    "env": "NAME=VALUE, may be repeated",
    "file": "name of the file to write (default: config.json)",
    "force": "kill what runs; no error when there is no such container",
    "format": "table or json",
    "ignore-paused": "start it although the container is paused",
    "interval": "time between two readings (default: 5s)",
    "keep": "do not delete the container at its end",
    "no-new-keyring": "keep the caller's session keyring",
    "no-new-privs": "forbid gaining privileges",
    "no-pivot": "chroot instead of pivot_root, for roots on an initramfs",
    "no-subreaper": "do not adopt orphans of the container",
    "pid-file": "file that the process id is written to",
    "pidfd-socket": "unix socket that a pidfd of the process is sent to",
    "preserve-fds": "number of descriptors from 3 on to pass on",
    "process": "file with a process object",
    "process-label": "SELinux label",
    "quiet": "ids alone",
    "rootless": "for a user other than root",
    "stats": "one reading, then end",
    "tty": "with a terminal",
    "user": "UID or UID:GID",
}


def overview(verbs: dict[str, tuple[str, str]]) -> str:
    """The whole program on one page."""
    lines = [f"{PROGRAM}: an OCI container runtime", ""]
    lines += [f"usage: {PROGRAM} [global options] COMMAND [options] [arguments]", "", "commands:"]
    lines += [f"    {name:<12}{text}" for name, (_module, text) in verbs.items()]
    lines += ["", "global options:", *(_line(f"--{name}", text) for name, text in GLOBAL.items())]
    return "\n".join(lines)


def command(verb: str, text: str, module: ModuleType) -> str:
    """One command with its options."""
    letters = {name: letter for letter, name in getattr(module, "ALIASES", {}).items()}
    lines = [f"{PROGRAM} {verb}: {text}", "", f"usage: {PROGRAM} {verb} [options] {module.USAGE}".rstrip()]
    if module.OPTIONS:
        lines += ["", "options:"]
    for name, kind in sorted(module.OPTIONS.items()):
        words = f"--{name}" if kind == SWITCH else f"--{name} VALUE"
        if name in letters:
            words += f", -{letters[name]}"
        lines.append(_line(words, TEXTS[name]))
    return "\n".join(lines)


def _line(words: str, text: str) -> str:
    return f"    {words:<28}{text}"
