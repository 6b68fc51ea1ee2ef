"""The history of a container's figures in a file of fixed size (950 kB, sparse until filled).

    header   64 bytes: magic, version, record size, slots of both tiers
    latest   one record: a copy of the newest, so that a table of 500 containers costs one pread each
    tier 1   900 records, one a second: 15 minutes; slot = sequence number modulo 900
    tier 2   1440 records, one in 15 s: 6 hours; slot = (time / 15 s) modulo 1440

A record is a sequence number, a `Sample` with room for four interfaces and four devices, and a CRC-32 over it all.
The writer never reads back what it wrote, and holds no state but the sequence number: killed at any byte, it leaves
at most one record that is torn, which readers know by its CRC and skip. There is one writer (the shim); readers take
no lock.
"""

from __future__ import annotations

import binascii
import os
import struct

from .sample import Device, Interface, Sample

MAGIC = b"pydkstat"
VERSION = 2
SECONDS_SLOTS = 900
QUARTER_SLOTS = 1440
QUARTER_NS = 15 * 10**9

_HEADER = struct.Struct("<8sHHII44x")
_FIGURES = struct.Struct("<I14q3d4q")
_INTERFACE = struct.Struct("<16sqq")
_DEVICE = struct.Struct("<IIqq")
_ROOM = 4
_INTERFACES_AT = _FIGURES.size
_DEVICES_AT = _INTERFACES_AT + _ROOM * _INTERFACE.size
_BODY_BYTES = _DEVICES_AT + _ROOM * _DEVICE.size
_CRC = struct.Struct("<I")
RECORD_BYTES = _BODY_BYTES + _CRC.size
_LATEST_AT = _HEADER.size
_SECONDS_AT = _LATEST_AT + RECORD_BYTES
_QUARTERS_AT = _SECONDS_AT + SECONDS_SLOTS * RECORD_BYTES
FILE_BYTES = _QUARTERS_AT + QUARTER_SLOTS * RECORD_BYTES


class Ring:
    """The writer's side. Close it when done."""

    def __init__(self, fd: int, sequence: int, last_quarter: int) -> None:
        self._fd = fd
        self._sequence = sequence
        self._last_quarter = last_quarter

    @classmethod
    def create(cls, path: str) -> Ring:
        """A new, empty ring in place of whatever was there. Raises OSError."""
        temporary = f"{path}.{os.getpid()}"
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, FILE_BYTES)
            os.pwrite(fd, _HEADER.pack(MAGIC, VERSION, RECORD_BYTES, SECONDS_SLOTS, QUARTER_SLOTS), 0)
            os.rename(temporary, path)
        except OSError:
            os.close(fd)
            raise
        return cls(fd, 0, -1)

    @classmethod
    def open(cls, path: str) -> Ring:
        """The ring to go on with after a restart; made anew when there is none, or another version's."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return cls.create(path)
        data = os.pread(fd, FILE_BYTES, 0)
        if not _is_ours(data):
            os.close(fd)
            return cls.create(path)
        newest = max(_tier(data, _SECONDS_AT, SECONDS_SLOTS), default=None)
        if newest is None:
            return cls(fd, 0, -1)
        return cls(fd, newest[0], newest[1].time_ns // QUARTER_NS)

    def append(self, sample: Sample) -> None:
        """Add the figures of this second: two or three writes of 400 bytes. Raises OSError (a full disk)."""
        self._sequence += 1
        record = _encode(self._sequence, sample)
        os.pwrite(self._fd, record, _SECONDS_AT + self._sequence % SECONDS_SLOTS * RECORD_BYTES)
        os.pwrite(self._fd, record, _LATEST_AT)
        quarter = sample.time_ns // QUARTER_NS
        if quarter != self._last_quarter:
            self._last_quarter = quarter
            os.pwrite(self._fd, record, _QUARTERS_AT + quarter % QUARTER_SLOTS * RECORD_BYTES)

    def close(self) -> None:
        os.close(self._fd)


def latest(path: str) -> Sample | None:
    """The newest sample by one pread; None when there is no ring, or nothing in it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.pread(fd, _SECONDS_AT, 0)
        if not _is_ours(data):
            return None
        if record := _decode(data, _LATEST_AT):
            return record[1]
        if not data[_LATEST_AT:].strip(b"\0"):
            return None
        # Caught in the middle of a write, now or when the writer was killed: the tier has it too.
        records = _tier(os.pread(fd, FILE_BYTES, 0), _SECONDS_AT, SECONDS_SLOTS)
        return max(records)[1] if records else None
    finally:
        os.close(fd)


def history(path: str) -> list[Sample]:
    """All that is kept, oldest first: 15 s apart for up to 6 hours, then 1 s apart for the last 15 minutes.

    Where the container did not run there is a gap; totals start at 0 again after it.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES)
    except OSError:
        return []
    if not _is_ours(data):
        return []
    seconds = sorted(_tier(data, _SECONDS_AT, SECONDS_SLOTS))
    if not seconds:
        return []
    first, oldest = seconds[0][0], seconds[-1][1].time_ns - QUARTER_SLOTS * QUARTER_NS
    # By number and not by time: the clock may have been set back.
    quarters = sorted(record for record in _tier(data, _QUARTERS_AT, QUARTER_SLOTS) if record[0] < first)
    return [sample for _number, sample in quarters if sample.time_ns > oldest] + [sample for _number, sample in seconds]


def _is_ours(data: bytes) -> bool:
    if len(data) < _SECONDS_AT:
        return False
    return _HEADER.unpack_from(data)[:3] == (MAGIC, VERSION, RECORD_BYTES)


def _tier(data: bytes, start: int, slots: int) -> list[tuple[int, Sample]]:
    """The whole records of one tier with their sequence numbers, in slot order."""
    found = []
    for at in range(start, min(start + slots * RECORD_BYTES, len(data) - RECORD_BYTES + 1), RECORD_BYTES):
        if record := _decode(data, at):
            found.append(record)
    return found


def _encode(sequence: int, sample: Sample) -> bytes:
    interfaces = [_INTERFACE.pack(name.encode(), *rest) for name, *rest in sample.interfaces[:_ROOM]]
    devices = [_DEVICE.pack(*device) for device in sample.devices[:_ROOM]]
    body = (
        _FIGURES.pack(sequence, *sample[:-2])
        + b"".join(interfaces).ljust(_DEVICES_AT - _INTERFACES_AT, b"\0")
        + b"".join(devices).ljust(_BODY_BYTES - _DEVICES_AT, b"\0")
    )
    return body + _CRC.pack(binascii.crc32(body))


def _decode(data: bytes, at: int) -> tuple[int, Sample] | None:
    end = at + _BODY_BYTES
    (crc,) = _CRC.unpack_from(data, end)
    if not crc or binascii.crc32(data[at:end]) != crc:
        return None
    sequence, *figures = _FIGURES.unpack_from(data, at)
    interfaces = []
    for name, received, sent in _INTERFACE.iter_unpack(data[at + _INTERFACES_AT : at + _DEVICES_AT]):
        if name[0]:
            interfaces.append(Interface(name.rstrip(b"\0").decode(errors="replace"), received, sent))
    devices = [Device(*fields) for fields in _DEVICE.iter_unpack(data[at + _DEVICES_AT : end]) if fields[0]]
    return sequence, Sample._make((*figures, tuple(interfaces), tuple(devices)))
