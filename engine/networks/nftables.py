"""The door to nf_tables: libnftables in this process, or the `nft` program where the library is not there.

For whole rule sets; what every start needs is in `nfnetlink.py`. One call is one transaction: all of it takes
effect or none. The library's context is made for each call (0.06 ms):
it holds a netlink socket, which two processes must not share across a fork. `load` may be called before a
fork, so that the children find the library mapped. Source: libnftables(3), nft(8).
"""

from __future__ import annotations

import ctypes

from ..errors import EngineError, HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OUTPUT_HANDLE = 1 << 3

_library: Any = None
_looked = False


class NftError(EngineError):
    """A transaction that the kernel or the parser refused; the message is nft's own."""


def load() -> bool:
    """Map the library; False when this host has none."""
    global _library, _looked
    if not _looked:
        _looked = True
        try:
            library = ctypes.CDLL("libnftables.so.1")
        except OSError:
            return False
        library.nft_ctx_new.argtypes = (ctypes.c_uint32,)
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_free.argtypes = (ctypes.c_void_p,)
        library.nft_ctx_free.restype = None
        library.nft_ctx_output_set_flags.argtypes = (ctypes.c_void_p, ctypes.c_uint)
        library.nft_ctx_output_set_flags.restype = None
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
            getattr(library, name).argtypes = (ctypes.c_void_p,)
            getattr(library, name).restype = ctypes.c_int
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(library, name).argtypes = (ctypes.c_void_p,)
            getattr(library, name).restype = ctypes.c_char_p
        library.nft_run_cmd_from_buffer.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
        library.nft_run_cmd_from_buffer.restype = ctypes.c_int
        _library = library
    return _library is not None


def run(commands: str, *, handles: bool = False) -> str:
    """Run nft commands as one transaction and return what they print, rules with their handles if asked. Raises
    NftError, HostUnfit."""
    if load():
        return _by_library(commands, handles)
    return _by_program(commands, handles)


def _by_library(commands: str, handles: bool) -> str:
    context = _library.nft_ctx_new(0)
    if not context:
        raise NftError("nftables: no context could be made")
    try:
        _library.nft_ctx_buffer_output(context)
        _library.nft_ctx_buffer_error(context)
        _library.nft_ctx_output_set_flags(context, _OUTPUT_HANDLE if handles else 0)
        failed = _library.nft_run_cmd_from_buffer(context, commands.encode())
        if failed:
            raise _refused((_library.nft_ctx_get_error_buffer(context) or b"").decode("utf-8", "replace"))
        return (_library.nft_ctx_get_output_buffer(context) or b"").decode("utf-8", "replace")
    finally:
        _library.nft_ctx_free(context)


def _by_program(commands: str, handles: bool) -> str:
    import subprocess

    try:
        done = subprocess.run(
            ["nft", *(["-a"] if handles else []), "-f", "-"], input=commands.encode(), capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise HostUnfit(
            "this host has neither libnftables nor the nft program, which bridge networks need",
            hint="apt install nftables, or run with --network host or none.",
        ) from error
    if done.returncode:
        raise _refused(done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "replace")


def _refused(told: str) -> NftError:
    lines = [line.strip() for line in told.splitlines() if "rror" in line]
    reason = (lines[0] if lines else told.strip() or "unknown error").removeprefix("Error: ")
    return NftError(f"nftables: {reason.lower()}")
