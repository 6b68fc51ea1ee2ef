"""What init and the processes of `exec` run from: a way to the host's interpreter, its memory or its descriptors
(CVE-2019-5736, CVE-2016-9962, CVE-2024-21626). The attacker has what privileged containers have."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]

INTERPRETER = os.path.realpath(sys.executable)
STRONG = ("CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_LINUX_IMMUTABLE")


def digest() -> str:
    return hashlib.sha256(Path(INTERPRETER).read_bytes()).hexdigest()


@pytest.fixture
def strong(bundle: Bundle) -> Bundle:
    """A container with capabilities that only privileged ones have."""
    for key in ("bounding", "permitted", "effective"):
        held = bundle.process["capabilities"][key]
        held += [name for name in STRONG if name not in held]
    return bundle


WATCH = """
try() { true 5>>$1 && echo $2 >> /tmp/won; } 2>/dev/null
later() { { exec 6<$1 && touch /tmp/kept && while sleep 0.01; do try /proc/self/fd/6 written-later; done; } & }
while :; do
    for p in /proc/[0-9]*; do
        [ $p = /proc/1 ] && continue
        case $(readlink $p/exe 2>/dev/null) in *python*) ;; *) continue;; esac
        echo $p >> /tmp/seen
        try $p/exe written-now
        [ -e /tmp/kept ] || later $p/exe 2>/dev/null
        for f in $p/fd/*; do
            case $(readlink $f 2>/dev/null) in *exec.fifo*|*state*|*/bundle) echo $f >> /tmp/won;; esac
        done
    done
done
"""


def test_a_privileged_watcher_gets_no_writable_interpreter(strong: Bundle) -> None:
    """With CAP_SYS_PTRACE the joining process can be looked into, and what it runs from still cannot be written: not
    while it runs (ETXTBSY is no protection), not later through a descriptor kept of it."""
    before = digest()
    strong.start_running("sh", "-c", WATCH)
    for _ in range(12):
        assert strong.exec(strong.id, "true").code == 0
    strong.ok("kill", strong.id, "KILL")
    assert not (strong.rootfs / "tmp/won").exists(), (strong.rootfs / "tmp/won").read_text()
    assert digest() == before


def test_the_watcher_of_the_test_works(strong: Bundle) -> None:
    """A process of the container's own whose executable is called python is seen and written to."""
    python = strong.rootfs / "bin/python3"
    python.write_bytes((strong.rootfs / "bin/busybox").read_bytes())
    python.chmod(0o755)
    strong.start_running("sh", "-c", WATCH)
    for _ in range(100):
        strong.exec(strong.id, "sh", "-c", "exec /bin/python3 sleep 0.3")
        if (strong.rootfs / "tmp/won").exists():
            break
    assert "written" in (strong.rootfs / "tmp/won").read_text()


def elf_with_interpreter(path: str) -> bytes:
    """A minimal ELF image that asks for this program interpreter."""
    name = path.encode() + b"\0"
    header = b"\x7fELF\2\1\1" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    interpreter = struct.pack("<IIQQQQQQ", 3, 4, 176, 0x4000B0, 0x4000B0, len(name), len(name), 1)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 176 + len(name), 176 + len(name), 0x1000)
    return header + interpreter + load + name


@pytest.mark.parametrize("how", ["entrypoint", "script", "interpreter"])
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_proc_self_exe_in_every_disguise(strong: Bundle, how: str, verb: str) -> None:
    """The program is /proc/self/exe, a script of it, or an ELF file whose loader it is."""
    before = digest()
    evil = strong.rootfs / "bin/evil"
    evil.write_bytes(b"#!/proc/self/exe\n" if how == "script" else elf_with_interpreter("/proc/self/exe"))
    evil.chmod(0o755)
    program = "/proc/self/exe" if how == "entrypoint" else "/bin/evil"
    code = (
        "import os; open('/tmp/ran','w').write(os.readlink('/proc/self/exe')); open('/proc/self/exe','r+b').write(b'x')"
    )
    if verb == "run":
        strong.run(program, "-c", code)
    else:
        strong.start_running()
        strong.exec(strong.id, program, "-c", code)
    assert digest() == before
    with open(INTERPRETER, "rb") as file:
        assert file.read(4) == b"\x7fELF"


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_nothing_but_the_standard_streams_is_open(bundle: Bundle, verb: str) -> None:
    """CVE-2024-21626: a directory of the host's among the descriptors."""
    script = "for f in /proc/self/fd/*; do echo ${f##*/} $(readlink $f); done; ls /proc/self/fd/ | wc -l"
    # busybox' own: the directory that it lists
    if verb == "run":
        out = bundle.sh(script)
    else:
        bundle.start_running()
        out = bundle.exec(bundle.id, "sh", "-c", script).out
    numbers = {line.split()[0] for line in out.splitlines()[:-1]}
    assert numbers - {"0", "1", "2"} <= {"3"}
    assert str(bundle.path) not in out
    assert "exec.fifo" not in out


def test_the_waiting_init_cannot_be_looked_into(bundle: Bundle) -> None:
    """CVE-2016-9962 and relatives: a second container in the same pid namespace looks at the init that waits."""
    bundle.create("sleep", "1000")
    pid = bundle.state()["pid"]
    look = (
        "import ctypes, os, sys\n"
        "ctypes.CDLL(None).unshare(0)\n"
        "pid = sys.argv[1]\n"
        "for name in ('exe', 'cwd', 'root'):\n"
        "    try: print(name, os.readlink(f'/proc/{pid}/{name}'))\n"
        "    except OSError: pass\n"
        "for name in ('mem', 'environ', 'maps'):\n"
        "    try: open(f'/proc/{pid}/{name}', 'rb').read(1); print(name)\n"
        "    except OSError: pass\n"
        "for name in os.listdir(f'/proc/{pid}/fd'):\n"
        "    try: print(name, os.readlink(f'/proc/{pid}/fd/{name}'))\n"
        "    except OSError: pass\n"
    )
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    # root without the capability to look into others, as a container has it
    words = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", python, "-IS", "-c", look, str(pid)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "setpriv" in done.stderr and done.returncode:
        pytest.skip("needs setpriv of util-linux")
    assert done.stdout == "", done
