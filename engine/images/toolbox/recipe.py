"""What goes into the toolbox image: which of this machine's programs, and the files that a shell expects.

The programs are looked for on this host's PATH; busybox, when the host has it, fills in for the missing ones.
"""

from __future__ import annotations

import os
import platform
import subprocess

from .elf import Libraries
from .tree import Tree, merged


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SHELLS = ("bash", "dash", "ash")
TOOLS = words(
    """
    [ arch awk base32 base64 basename bash cat chgrp chmod chown chroot chrt cksum clear cmp comm cp
    csplit curl cut dash date dd df diff dircolors dirname dmesg du echo egrep env expand expr factor
    false fallocate fgrep file find flock fmt fold free getent getopt grep groups gunzip gzip head hexdump
    hexedit hostid hostname htop id infocmp install ionice iostat ip join kill killall last less link ln
    locale logger login logname ls lsblk lscpu lsof lsns md5sum mkdir mkfifo mknod mktemp more mount
    mountpoint mv nano nc netstat nice nl nohup nproc nsenter numfmt od paste pathchk pgrep pidof ping
    pkill pmap pr printenv printf prlimit ps pstree ptx pwd pwdx readlink realpath renice reset rev rm
    rmdir script sed seq setpriv setsid sha1sum sha256sum sha512sum shred shuf slabtop sleep sort split ss
    stat stdbuf strace stress stress-ng stty su sum sync sysctl tac tail tar taskset tc tee test tic time
    timeout tload top touch tput tr tree true truncate tset tsort tty umount uname unexpand uniq unlink
    unshare uptime vi view vim.tiny vmstat w watch wc wget whereis which who whoami xargs xz yes zcat zstd
    """
)
TERMINALS = words(
    """
    alacritty ansi dumb foot linux rxvt rxvt-unicode-256color screen screen-256color tmux tmux-256color vt100 vt102
    vt220 xterm xterm-256color xterm-color xterm-ghostty xterm-kitty xterm-mono
    """
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_TERMINFO_FOLDERS = ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo")
_FOLDERS = words(
    """
    dev etc home media mnt opt proc run srv sys usr/bin usr/lib usr/lib64 usr/local/bin usr/local/sbin usr/sbin
    usr/share var/cache var/lib var/log
    """
)
_LOADED_AT_RUN_TIME = ("libnss_files.so.2", "libnss_dns.so.2", "libgcc_s.so.1")

_PASSWD = """\
root:x:0:0:root:/root:{shell}
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
user:x:1000:1000:user:/home/user:{shell}
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = """\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
kmem:x:15:
sudo:x:27:
www-data:x:33:
video:x:44:
staff:x:50:
users:x:100:
user:x:1000:
nogroup:x:65534:
"""
_NSSWITCH = """\
passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
"""
# One file for every shell: bash as itself, as sh (by $ENV) and dash, which knows no escapes in its prompt.
_SHELL_RC = """\
case $- in *i*) ;; *) return ;; esac
if [ -n "$BASH_VERSION" ]; then
    PS1='\\[\\e[1;36m\\]\\h\\[\\e[0m\\]:\\[\\e[1;34m\\]\\w\\[\\e[0m\\]\\$ '
    shopt -s checkwinsize
else
    _e=$(printf '\\033')
    PS1="$_e[1;36m$(hostname)$_e[0m:$_e[1;34m"'$PWD'"$_e[0m# "
fi
alias ls='ls --color=auto'
alias ll='ls -l'
alias la='ls -A'
alias grep='grep --color=auto'
"""


class Toolbox:
    """The tree, and what the host could not give. Raises FileNotFoundError when the host has no shell."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.left_out: list[str] = []
        self.shell = ""
        self._libraries = Libraries()
        self._collect()

    def _collect(self) -> None:
        for folder in _FOLDERS:
            self.tree.folder(folder)
        for link in ("bin", "sbin", "lib", "lib64"):
            self.tree.nodes.pop(link, None)
            self.tree.link(link, f"usr/{link}")
        for folder in ("tmp", "var/tmp"):
            self.tree.folder(folder, 0o1777)
        self.tree.folder("root", 0o700)
        self.tree.folder("home/user", 0o755)
        self.tree.link("var/run", "../run")
        self.tree.link("var/lock", "../run/lock")
        for tool in TOOLS:
            path = _which(tool)
            if not path or not self._add_program(tool, path):
                self.left_out.append(tool)
        self._add_busybox()
        self._add_shell()
        self._add_loaded_libraries()
        self._add_terminals()
        self._add_locale()
        self._add_files()

    def _add_program(self, tool: str, path: str) -> bool:
        real = os.path.realpath(path)
        with open(real, "rb") as file:
            beginning = file.read(256)
        if beginning[:4] == b"\x7fELF":
            needed, missing = self._libraries.needed_by(real)
            if missing:
                return False
            for library in needed:
                self.tree.host_file(library)
        elif not beginning.startswith((b"#!/bin/sh", b"#! /bin/sh", b"#!/usr/bin/sh", b"#!/bin/bash")):
            return False  # a script of a language that is not taken along
        place = self.tree.host_file(real)
        name = merged(path)
        if name != place:
            self.tree.link(name, os.path.relpath(place, os.path.dirname(name)))
        return True

    def _add_busybox(self) -> None:
        path = _which("busybox")
        if not path:
            return
        needed, missing = self._libraries.needed_by(os.path.realpath(path))
        if missing:
            return
        for library in needed:
            self.tree.host_file(library)
        place = self.tree.host_file(os.path.realpath(path))
        listing = subprocess.run([path, "--list"], capture_output=True, text=True, check=False).stdout
        for applet in listing.split():
            if not any(self.tree.has(f"usr/{folder}/{applet}") for folder in ("bin", "sbin")):
                self.tree.link(f"usr/bin/{applet}", f"/{place}")
        self.left_out = [tool for tool in self.left_out if not self.tree.has(f"usr/bin/{tool}")]

    def _add_shell(self) -> None:
        for shell in SHELLS:
            if self.tree.has(f"usr/bin/{shell}"):
                self.shell = f"/bin/{shell}"
                # bash answers to sh as well, and edits lines, which dash does not.
                self.tree.nodes.pop("usr/bin/sh", None)
                self.tree.link("usr/bin/sh", shell)
                return
        path = _which("sh")
        if not path or not self._add_program("sh", path):
            raise FileNotFoundError("this host has no shell that could be taken along")
        self.shell = "/bin/sh"

    def _add_loaded_libraries(self) -> None:
        for name in _LOADED_AT_RUN_TIME:
            for place in [node.host_path for node in self.tree.nodes.values() if "/libc.so" in node.host_path]:
                library = os.path.join(os.path.dirname(place), name)
                if os.path.exists(library):
                    self.tree.host_file(library)

    def _add_terminals(self) -> None:
        for terminal in TERMINALS:
            for folder in _TERMINFO_FOLDERS:
                for initial in (terminal[0], f"{ord(terminal[0]):x}"):
                    path = f"{folder}/{initial}/{terminal}"
                    place = f"usr/share/terminfo/{terminal[0]}/{terminal}"
                    if os.path.isfile(path) and not self.tree.has(place):
                        with open(path, "rb") as file:
                            content = file.read()
                        self.tree.text(place, "")
                        self.tree.nodes[place] = self.tree.nodes[place].replace(data=content)

    def _add_locale(self) -> None:
        for folder, _, files in os.walk("/usr/lib/locale/C.utf8"):
            for name in files:
                self.tree.host_file(f"{folder}/{name}")

    def _add_files(self) -> None:
        text = self.tree.text
        text("etc/passwd", _PASSWD.format(shell=self.shell))
        text("etc/group", _GROUP)
        text("etc/shadow", "root:*:::::::\nuser:*:::::::\n", 0o600)
        text("etc/nsswitch.conf", _NSSWITCH)
        text("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
        text("etc/hostname", "toolbox\n")
        text("etc/resolv.conf", "")
        text("etc/shells", "/bin/sh\n" + (f"{self.shell}\n" if self.shell != "/bin/sh" else ""))
        text("etc/profile", f'export PATH={PATH}\nif [ -n "$PS1" ]; then . /etc/shrc; fi\n')
        text("etc/shrc", _SHELL_RC)
        text("etc/bash.bashrc", ". /etc/shrc\n")
        text("root/.bashrc", '[ -n "$PS1" ] && . /etc/shrc\n')
        text("root/.profile", ". /etc/profile\n")
        text("etc/os-release", _os_release())
        # Without its share of files, which are ten times its size, a full vim must not look for them.
        text("etc/vim/vimrc", "let skip_defaults_vim = 1\nset nocompatible ruler backspace=indent,eol,start\n")
        for path in ("/etc/services", "/etc/protocols"):
            if os.path.isfile(path):
                self.tree.host_file(path)


def _which(tool: str) -> str:
    for folder in dict.fromkeys([*PATH.split(":"), *os.environ.get("PATH", "").split(":")]):
        path = f"{folder}/{tool}"
        if folder.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            # One tool under two names of one folder (/bin, /usr/bin) is one tool.
            return os.path.join(os.path.realpath(folder), tool)
    return ""


def _os_release() -> str:
    try:
        host = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        host = "Linux"
    return f'NAME="pydock toolbox"\nID=toolbox\nPRETTY_NAME="pydock toolbox, made from {host}"\n'
