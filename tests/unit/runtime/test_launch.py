"""The way to a cold command: launcher, sealing program, bundle of modules."""

from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
LAUNCH = REPOSITORY / "runtime/launch"
TOOLS = {"x86_64": "", "aarch64": "" if platform.machine() == "aarch64" else "aarch64-linux-gnu-"}
SEAL = LAUNCH / f"seal.{platform.machine()}"
IS_SEALED = "import os; print(bool(os.statvfs('/proc/self/exe').f_flag & os.ST_RDONLY))"


@pytest.mark.parametrize("machine", sorted(TOOLS))
def test_the_sealing_programs_are_what_their_sources_say(machine: str, tmp_path: Path) -> None:
    prefix = TOOLS[machine]
    if machine == "x86_64" and platform.machine() != "x86_64":
        prefix = "x86_64-linux-gnu-"
    if not all(shutil.which(f"{prefix}{tool}") for tool in ("as", "ld", "objcopy")):
        pytest.skip(f"needs binutils for {machine}")
    words = (
        f"{prefix}as -o seal.o {LAUNCH}/seal.{machine}.s",
        f"{prefix}ld -Ttext=0x400000 -o linked seal.o",
        f"{prefix}objcopy -O binary -j .text linked seal",
    )
    for line in words:
        subprocess.run(line.split(), cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "seal").read_bytes() == (LAUNCH / f"seal.{machine}").read_bytes()


def test_the_programs_can_be_executed() -> None:
    for name in ("pydock-runc", *(f"seal.{machine}" for machine in TOOLS)):
        assert (LAUNCH / name).stat().st_mode & 0o111 == 0o111
    assert all((LAUNCH / f"seal.{machine}").read_bytes().startswith(b"\x7fELF\2\1\1") for machine in TOOLS)


@pytest.mark.skipif(not SEAL.exists(), reason="no sealing program for this machine")
def test_sealing_passes_everything_on() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    code = f"import sys; {IS_SEALED}; print(sys.argv[1:], sys.executable, os.environ['X'])"
    words = [str(SEAL), sys.executable, "-IS", "-c", code, "", "a b"]
    done = subprocess.run(words, env={**os.environ, "X": "1"}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True", f"['', 'a b'] {sys.executable} 1"]


@pytest.mark.skipif(not SEAL.exists(), reason="no sealing program for this machine")
def test_without_rights_the_program_runs_all_the_same() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    with tempfile.TemporaryDirectory() as folder:  # this checkout may be nothing for another user's eyes
        os.chmod(folder, 0o755)
        seal = shutil.copy(SEAL, folder)
        words = [seal, "/bin/echo", "ran"]
        done = subprocess.run(words, user=65534, capture_output=True, text=True, cwd="/", check=False)
    assert done.stdout == "ran\n", done.stderr


@pytest.mark.skipif(not SEAL.exists(), reason="no sealing program for this machine")
@pytest.mark.parametrize("arguments", [[], ["/no/such/program"], ["/etc"]])
def test_sealing_nothing_fails(arguments: list[str]) -> None:
    assert subprocess.run([str(SEAL), *arguments], check=False).returncode == 127


class Installation:
    """A copy of the package and the launcher as an installer would lay them out."""

    def __init__(self, folder: Path, *, editable: bool = False) -> None:
        self.bin = folder / "env/bin"
        self.bin.mkdir(parents=True)
        packages = folder / "env/lib/python3.99/site-packages"
        packages.mkdir(parents=True)
        self.home = folder / "checkout" if editable else packages
        shutil.copytree(REPOSITORY / "runtime", self.home / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
        if editable:
            (packages / "_editable_impl_pydock_tui.pth").write_text(str(self.home))
        (self.bin / "python3").symlink_to(sys.executable)
        self.launcher = self.bin / "pydock-runc"
        shutil.copy(LAUNCH / "pydock-runc", self.launcher)

    def call(self, *words: str, program: Path | None = None) -> str:
        done = subprocess.run(
            [str(program or self.launcher), *words], capture_output=True, text=True, check=True, cwd="/"
        )
        assert done.stderr == ""
        return done.stdout

    def bundle(self) -> Path:
        return self.home / f"runtime/__pycache__/bundle.{sys.implementation.cache_tag}-1"


@pytest.mark.parametrize("editable", [False, True])
def test_the_launcher_finds_what_it_is_installed_with(tmp_path: Path, editable: bool) -> None:
    installed = Installation(tmp_path, editable=editable)
    main = installed.home / "runtime/cli/main.py"
    main.write_text(main.read_text().replace('VERSION = "', 'VERSION = "copied-'))
    assert "copied-" in installed.call("--version")
    link = tmp_path / "linked"
    link.symlink_to(installed.launcher)
    assert "copied-" in installed.call("--version", program=link)
    shell = ["sh", "-c", "PATH=$1:$PATH pydock-runc --version", "sh", str(installed.bin)]
    assert "copied-" in subprocess.run(shell, capture_output=True, text=True, check=True).stdout


def test_the_launcher_passes_words_as_they_are(tmp_path: Path) -> None:
    installed = Installation(tmp_path)
    root = tmp_path / "a root * $x"
    installed.call("--root", str(root), "list")
    done = subprocess.run([installed.launcher, "state", "*"], capture_output=True, text=True, check=False)
    assert '"*"' in done.stderr


def test_a_command_runs_sealed(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not SEAL.exists():
        pytest.skip("needs root, and a sealing program for this machine")
    installed = Installation(tmp_path)
    state = installed.home / "runtime/cli/state.py"
    state.write_text(
        state.read_text() + f"\n\ndef run(options: object, context: object) -> int:\n    {IS_SEALED}\n    return 0\n"
    )
    assert installed.call("state") == "True\n"


def test_the_second_command_reads_the_bundle(tmp_path: Path) -> None:
    installed = Installation(tmp_path)
    installed.call("--version")
    assert installed.bundle().exists()
    assert stat.S_IMODE(installed.bundle().stat().st_mode) & 0o022 == 0
    before = installed.bundle().stat()
    state = installed.home / "runtime/cli/state.py"
    state.write_text(
        "import sys\nOPTIONS = {}\nUSAGE = ''\ndef run(options, context):\n"
        "    print(*(type(m.__loader__).__name__ for n, m in sys.modules.items() if n.startswith('runtime.cli.')))\n"
        "    return 0\n"
    )
    first, second = installed.call("state").split(), installed.call("state").split()
    assert set(first) == {"Bundle", "SourceFileLoader"}  # state.py itself had changed
    assert second.count("SourceFileLoader") == 1  # the bundle's own module
    assert installed.bundle().stat().st_mtime_ns > before.st_mtime_ns


def test_a_changed_module_counts(tmp_path: Path) -> None:
    installed = Installation(tmp_path)
    installed.call("--version")
    main = installed.home / "runtime/cli/main.py"
    for word in ("one", "three"):
        text = (REPOSITORY / "runtime/cli/main.py").read_text()
        main.write_text(text.replace('VERSION = "', f'VERSION = "{word}-'))
        assert f"{word}-" in installed.call("--version")
        assert f"{word}-" in installed.call("--version")


def test_a_bundle_cut_short_is_replaced(tmp_path: Path) -> None:
    installed = Installation(tmp_path)
    installed.call("--version")
    good = installed.bundle().read_bytes()
    end = int.from_bytes(good[:8], "little") + 8
    for content in (good[:end], good[:end].ljust(len(good), b"\0")):
        installed.bundle().write_bytes(content)
        assert "version" in installed.call("--version")
        assert installed.bundle().read_bytes() == good


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff" * 100, b"\x10" + b"\0" * 7 + b"x" * 16, b"short"])
def test_a_broken_bundle_is_replaced(tmp_path: Path, content: bytes) -> None:
    installed = Installation(tmp_path)
    installed.call("--version")
    good = installed.bundle().read_bytes()
    installed.bundle().write_bytes(content)
    assert "version" in installed.call("--version")
    assert installed.bundle().read_bytes() == good


def test_a_bundle_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    installed = Installation(tmp_path)
    (installed.home / "runtime/__pycache__").write_text("a file, so that nothing can be put there")
    assert "version" in installed.call("--version")


def test_the_bundle_has_every_module(tmp_path: Path) -> None:
    installed = Installation(tmp_path)
    installed.call("--version")
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from runtime.cli.bundle import Bundle;"
        "print(json.dumps(sorted(Bundle(sys.argv[1])._entries)))"
    )
    words = [sys.executable, "-IS", "-c", code, str(installed.home)]
    names = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    sources = [path.relative_to(REPOSITORY).with_suffix("") for path in (REPOSITORY / "runtime").rglob("*.py")]
    wanted = {".".join(path.parts).removesuffix(".__init__") for path in sources} - {"runtime.cli.sealed"}
    assert set(names) == wanted
