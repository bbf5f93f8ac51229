"""Energy of one meter: exact, never falling, and honest about the time that nobody measured.

Energy is counted in whole nanojoules and shown in mJ, so that no rounding is lost. It never falls:
what flows backwards, or is noise about zero, is first set off against what follows, but a debt of
more than a joule is forgiven, else a meter whose zero is a little low would swallow a load's first
minutes.

Between two readings that are further apart than one of them can stand for (the chip failed, the bus
hung, the process stood still) lies a *gap*. What flowed in it is estimated, as the mean of the
power at its two ends, and marked: a bill has it, and whoever reads the bill can see how much of it
nobody measured. A gap before the first reading, or one so long that its ends say nothing about it
(`GAP_MAX_NS`), is not counted at all: it is for whoever keeps the bill to say what a load counts
with while its meter is silent.

A process that ends in order leaves its counters to the next one of the same kernel boot, so that an
upgrade does not set them back. After a crash or a power cut they begin anew at zero: who reads them
must take a fall for that, as the ledger and the controller's published counters do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from rackgrid_firmware.boot_record import MISREAD, BootRecord

GAP_MAX_NS: Final = 60_000_000_000
"""The longest gap that is estimated, ns: a minute. A load may do anything in a longer one."""
_DEBT_MAX_NJ: Final = 1_000_000_000
_NJ_PER_MJ: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Energy:
    """What a meter has counted, mJ; the estimated part is in the whole."""

    energy_mj: int = 0
    estimated_mj: int = 0


class EnergyCounter:
    """Integrates power over time.

    Args:
        span_max_ns: the longest time that one reading may stand for, ns.
        before: what an earlier process had counted.
    """

    def __init__(self, span_max_ns: int, before: Energy | None = None) -> None:
        self._span_max_ns = span_max_ns
        self._last_ns: int | None = None
        self._last_w = 0.0
        self._owed_nj = 0
        self.counted = before or Energy()

    def add(
        self,
        t_ns: int,
        watts: float,
        begun_ns: int | None = None,
        span_max_ns: int | None = None,
    ) -> Energy:
        """Count what flowed since the last call.

        An averaging chip's reading is the mean of the time that ends with it, so the newest power
        stands for the time just past; for that before `begun_ns` it is no witness, and the one
        before it stands.

        Args:
            t_ns: of the reading, ns.
            watts: its power; may be negative.
            begun_ns: when the chip began to convert as it does now, ns: what it was converting
                then is lost, as when it changes its pace at a start. None: nobody knows.
            span_max_ns: the longest time that this reading may stand for, ns; None: as any other.

        Returns:
            The energy so far.
        """
        longest_ns = self._span_max_ns if span_max_ns is None else span_max_ns
        if self._last_ns is None:
            self._last_ns, self._last_w = t_ns, watts
        else:
            if begun_ns is not None and self._last_ns < begun_ns < t_ns:
                self._pass(begun_ns - self._last_ns, self._last_w, self._span_max_ns)
                self._last_ns = begun_ns
            self._pass(t_ns - self._last_ns, watts, longest_ns)
            self._last_ns, self._last_w = t_ns, watts
        return self.counted

    def _pass(self, span_ns: int, watts: float, longest_ns: int) -> None:
        span_ns = max(span_ns, 0)
        seen_ns = min(span_ns, longest_ns)
        gap_ns = span_ns - seen_ns
        guess_nj = 0
        if 0 < gap_ns <= GAP_MAX_NS:
            guess_nj = max(0, round((self._last_w + watts) / 2 * gap_ns))
        self._count(round(watts * seen_ns), guess_nj)  # W · ns is nJ

    def _count(self, seen_nj: int, guess_nj: int) -> None:
        owed_nj = self._owed_nj + seen_nj + guess_nj
        whole_mj = max(owed_nj, 0) // _NJ_PER_MJ
        self._owed_nj = max(owed_nj - whole_mj * _NJ_PER_MJ, -_DEBT_MAX_NJ)
        guessed_mj = min(guess_nj // _NJ_PER_MJ, whole_mj)
        before = self.counted
        self.counted = Energy(before.energy_mj + whole_mj, before.estimated_mj + guessed_mj)


class EnergyFile:
    """Carries counters from one process to the next of the same kernel boot.

    Args:
        path: on tmpfs.
        boot_id: of the running kernel: what another boot wrote says nothing.
    """

    def __init__(self, path: Path, boot_id: str) -> None:
        self._record = BootRecord(path, boot_id, "meters")

    def take(self) -> dict[str, Energy]:
        """Give what each meter had counted, once; the file is gone afterwards."""
        meters = cast("dict[str, list[int]]", self._record.take() or {})
        try:
            found = {name: Energy(int(mj), int(guess)) for name, (mj, guess) in meters.items()}
        except MISREAD:
            return {}  # whatever it is, it is no record of ours: the counters begin anew
        return {
            name: each for name, each in found.items() if 0 <= each.estimated_mj <= each.energy_mj
        }

    def write(self, counted: Mapping[str, Energy]) -> None:
        """Leave the counters.

        Raises:
            OSError: it cannot be written: the next process begins at zero.
        """
        self._record.write({n: (each.energy_mj, each.estimated_mj) for n, each in counted.items()})
