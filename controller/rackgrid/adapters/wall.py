"""The time of day, while somebody vouches for it.

A Pi has no clock that runs without power: until it has asked a time server it believes in the time
of its last shutdown, and a tariff by the hour would be wrong by days. So the time is not known
until the kernel's clock is synchronised. Nothing that switches or protects needs it; only what
people write in dates does.

Who vouches: systemd-timesyncd, by a file that it makes when it has synchronised (file-hierarchy
of systemd-timesyncd.service(8)), or the kernel's own flag, which chrony and ntpd set (adjtimex(2),
STA_UNSYNC). A sandbox may forbid the second, even for reading (systemd's ProtectClock does). Where
neither can be had and the clock is right all the same (a battery behind the RTC), the operator says
so: `trust_clock`.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

TIMESYNCD: Final = Path("/run/systemd/timesync/synchronized")
LOOK_NS: Final = 10_000_000_000
"""Between two looks at who vouches, ns."""
_STA_UNSYNC: Final = 0x40
_TIMEX_SIZE: Final = 208
"""Of `struct timex`, bytes, on 64-bit Linux; more than enough for 32-bit."""

_log = logging.getLogger("rackgrid.clock")


def kernel_is_synchronised() -> bool:
    """Ask the kernel; False also where it may not be asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_TIMEX_SIZE)  # modes = 0: nothing is set
    if libc.adjtimex(buffer) < 0:
        return False
    # modes is an int, then come longs: offset, freq, maxerror, esterror, and the status, an int.
    long = ctypes.sizeof(ctypes.c_long)
    at = long * 5
    return not int.from_bytes(buffer.raw[at : at + 4], "little") & _STA_UNSYNC


class WallClock:
    """Unix time in ns, or None while nobody vouches for it.

    Args:
        trusted: the operator vouches.
        timesyncd: the file of systemd-timesyncd.
        kernel: asks the kernel.
        monotonic: CLOCK_MONOTONIC, ns.
    """

    def __init__(
        self,
        *,
        trusted: bool,
        timesyncd: Path = TIMESYNCD,
        kernel: Callable[[], bool] = kernel_is_synchronised,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._is_set = trusted
        self._timesyncd = timesyncd
        self._kernel = kernel
        self._monotonic = monotonic
        self._looked_ns: int | None = None

    def __call__(self) -> int | None:
        """Tell the time."""
        return time.time_ns() if self._is_set or self._look() else None

    def _look(self) -> bool:
        """See whether somebody vouches by now; who once did is believed from there on."""
        now_ns = self._monotonic()
        if self._looked_ns is not None and now_ns - self._looked_ns < LOOK_NS:
            return False
        first = self._looked_ns is None
        self._looked_ns = now_ns
        self._is_set = self._timesyncd.exists() or self._kernel()
        if self._is_set and not first:
            _log.info("the clock is set: prices by time are used from now on")
        elif first and not self._is_set:
            _log.warning(
                "the clock is not synchronised: prices by time are not used until it is (if it is "
                "right all the same, say `trust_clock = true` under [node])"
            )
        return self._is_set
