"""From the v1 numbers in config.json to the v2 files' ranges; pure functions."""

from __future__ import annotations

from math import ceil, log2


def shares_to_weight(shares: int) -> int:
    """`cpu.shares` (2 to 262144, default 1024) to `cpu.weight` (1 to 10000, default 100); 0 stays unset.

    The curve runs through minimum, default and maximum of both ranges: exponent (l² + 125 l) / 612 - 7/34 with
    l = log2(shares), base 10. It is what runc does since 1.3.2; the older straight line mapped the default of
    1024 to 39 and so gave containers less than half of a host process's share.
    """
    if shares == 0:
        return 0
    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    exponent = log2(shares)
    # 1024 must be 100 exactly, whatever the last bit of the float says.
    return ceil(round(10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34), 6))


def blkio_to_io_weight(weight: int) -> int:
    """`blkio.weight` (10 to 1000) to `io.weight` (1 to 10000), linearly; 0 stays unset.

    io.bfq.weight has the range of v1 and takes the number as it is.
    """
    if weight == 0:
        return 0
    return 1 + (weight - 10) * 9999 // 990


def swap_alone(limit: int, memory_plus_swap: int) -> int | None:
    """v1 limits memory plus swap, v2 swap alone. -1 is unlimited, None leaves the file as it is.

    Raises ValueError when the sum is less than the memory, or there is no memory limit to subtract.
    """
    if memory_plus_swap == 0:
        return -1 if limit == -1 else None
    if memory_plus_swap < 0:
        return -1
    if limit <= 0:
        raise ValueError("a limit of memory plus swap needs a memory limit")
    if memory_plus_swap < limit:
        raise ValueError("memory plus swap cannot be less than memory")
    return memory_plus_swap - limit
