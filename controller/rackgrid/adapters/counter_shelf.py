"""What this node's meters have counted in all: what is published of them never falls.

A meter's own counter begins anew after a crash of the firmware and after a boot of the machine, a
plug's also with this process. Whoever reads a counter takes a fall for a new meter, and counts all
of it once more. So each meter has a sum here, which goes on where it was: by how far the meter's
counter went, or by all of it if that stands lower than before (`market.settlement`, as in the
ledger).

**Nothing is published that is not kept.** Two files keep it. The one on tmpfs holds each sum as it
is published, once a second: it outlives the death of every process, so that a kill costs nothing
that was shown. The one on the disk outlives a power cut, and is written every five minutes; so it
holds, beside each sum, a *ceiling* some way ahead, and no more than that is shown. After a power
cut the sum may be older than what was shown, but the ceiling is not: it is shown until the sum has
passed it. So the figure runs ahead by some seven minutes of the meter's power at most, once, and
what follows makes it good; it never falls. An orderly end writes the sum itself. While a file
cannot be written the figure stands still, and catches up when it can.

Both are small, and written as a whole beside the loop, while anything is counted. If the one on the
disk is damaged it is set aside, and that is the one case in which a counter begins at zero; of one
that the disk does not give nothing is published.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rackgrid.adapters.aside import Aside
from rackgrid.adapters.checked_line import numbers_line, numbers_of
from rackgrid.adapters.store import set_aside
from rackgrid.market.settlement import gained_mj
from rackgrid_firmware.device import Reading

COUNTERS: Final = "counters"
"""The file below the node's `state_dir`."""
COUNTERS_NOW: Final = "counters.now"
"""The file below its `runtime_dir`."""
RECENT_NS: Final = 1_000_000_000
"""Between two writes to tmpfs, ns: what is published is at most so old."""
WRITE_NS: Final = 300_000_000_000
"""Between two writes to the disk, ns, while the ceilings are far: a flash card wears by them."""
HASTE_NS: Final = 2_000_000_000
"""... and when a load has started and a ceiling is near."""
AHEAD_S: Final = 450
"""A ceiling is ahead by what the meter's power makes in so long, s."""
AHEAD_MJ: Final = 10_000
"""... and by so much at least, mJ."""
METERS_MAX: Final = 256
"""More than this node can have: of those that it no longer has the file keeps that many."""
_FORMAT: Final = "rackgrid counters 1"

log = logging.getLogger("rackgrid")


@dataclass(frozen=True, slots=True)
class Count:
    """What one meter has counted.

    Attributes:
        total_mj: in all.
        seen_mj: where its own counter stood then.
        floor_mj: shown until the sum has passed it. On the disk this is the ceiling: no more was
            shown by whoever wrote it.
    """

    total_mj: int
    seen_mj: int
    floor_mj: int

    @property
    def shown_mj(self) -> int:
        """What to show of it, if that is on the disk."""
        return max(self.total_mj, self.floor_mj)


class CounterShelf:
    """The sums of all meters.

    Args:
        state_dir: where the file on the disk lies.
        runtime_dir: where that on tmpfs does.
        kernel: boot id of the running kernel: another one's counters have begun anew.
    """

    def __init__(self, state_dir: Path, runtime_dir: Path, kernel: str) -> None:
        self._path, self._kernel = state_dir / COUNTERS, kernel
        self._is_readable = True
        self._said = ""
        self._counts, ceilings = self._recalled(runtime_dir / COUNTERS_NOW)
        self._disk = _Copy(Aside(self._path, self._not_kept, durable=True), ceilings)
        shown = {name: count.shown_mj for name, count in self._counts.items()}
        self._recent = _Copy(Aside(runtime_dir / COUNTERS_NOW, self._not_kept), shown)
        self._kept: Mapping[str, Count] = {}
        self._ahead_mj: dict[str, int] = {}
        self._written_ns: int | None = None
        self._left_ns: int | None = None

    @property
    def shown_mj(self) -> dict[str, int]:
        """What may be published of each meter, mJ; none of one that is not kept yet."""
        ceilings_mj = self._disk.there()
        return {
            name: min(shown_mj, ceilings_mj[name])
            for name, shown_mj in self._recent.there().items()
            if name in ceilings_mj
        }

    def look(self, readings: Iterable[Reading], now_ns: int) -> None:
        """Count what the meters have counted; never waits.

        Args:
            readings: the newest of each meter.
            now_ns: CLOCK_MONOTONIC, ns.
        """
        for reading in readings:
            if reading.t_ns:  # one that was never read stands at zero, and has counted nothing
                self._take(reading)
        if self._left_ns is None or now_ns - self._left_ns >= RECENT_NS:
            self._left_ns = now_ns
            self._leave()
        since_ns = WRITE_NS if self._written_ns is None else now_ns - self._written_ns
        if since_ns >= WRITE_NS or (since_ns >= HASTE_NS and self._is_near()):
            self._written_ns = now_ns
            # What was asked for and is not there was refused, or the disk stalls.
            if self._disk.is_behind or any(
                name not in self._kept or count.total_mj != self._kept[name].total_mj
                for name, count in self._counts.items()
            ):
                self._keep(self._ahead_mj)

    def close(self) -> None:
        """Keep the sums themselves; waits for the disk, but not for ever."""
        self._leave()
        self._keep({})
        self._recent.settle()
        self._disk.settle()

    def _take(self, reading: Reading) -> None:
        name, now_mj = reading.meter, reading.energy_mj
        before = self._counts.get(name) or Count(0, 0, 0)
        if now_mj != before.seen_mj or name not in self._counts:
            total_mj = before.total_mj + gained_mj(before.seen_mj, now_mj)
            self._counts[name] = replace(before, total_mj=total_mj, seen_mj=now_mj)
        power_mj = round(max(0.0, reading.watts) * 1000) * AHEAD_S
        self._ahead_mj[name] = AHEAD_MJ + power_mj

    def _is_near(self) -> bool:
        """Whether a sum will soon reach its ceiling, or a meter has none yet."""
        ceilings_mj = self._disk.there()
        return any(
            ceilings_mj.get(name, 0) - self._counts[name].total_mj < ahead_mj // 4
            for name, ahead_mj in self._ahead_mj.items()
        )

    def _leave(self) -> None:
        """Leave on tmpfs what is to be shown."""
        if self._is_readable:
            shown = {
                name: replace(count, floor_mj=count.shown_mj)
                for name, count in self._present().items()
            }
            self._recent.write(self._kernel, shown)

    def _keep(self, ahead_mj: Mapping[str, int]) -> None:
        """Write the sums, with ceilings that are so far ahead of them."""
        if self._is_readable:
            self._kept = {
                name: replace(
                    count, floor_mj=max(count.floor_mj, count.total_mj + ahead_mj.get(name, 0))
                )
                for name, count in self._present().items()
            }
            self._disk.write(self._kernel, self._kept)

    def _present(self) -> dict[str, Count]:
        """Give as many counts as a file takes, those of meters that are there before all others."""
        if len(self._counts) <= METERS_MAX:
            return self._counts
        present_first = sorted(self._counts, key=lambda name: name not in self._ahead_mj)
        return {name: self._counts[name] for name in present_first[:METERS_MAX]}

    def _recalled(self, recent: Path) -> tuple[dict[str, Count], dict[str, int]]:
        """Read what was counted, and the ceilings that are on the disk."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}, {}
        except OSError as fault:
            log.error(
                "cannot read %s (%s): no energy counter is published, since it might fall; mend "
                "the disk, or remove the file to begin at zero, and restart rackgrid",
                *(self._path, fault.strerror),
            )
            self._is_readable = False
            return {}, {}
        found = _parsed(data)
        if found is None:
            set_aside(self._path)
            log.error("%s is damaged: energy counters begin at zero", self._path)
            return {}, {}
        kernel, counts = found
        ceilings = {name: count.floor_mj for name, count in counts.items()}
        if kernel != self._kernel:
            counts = {name: replace(count, seen_mj=0) for name, count in counts.items()}
        return counts | self._left(recent), ceilings

    def _left(self, recent: Path) -> dict[str, Count]:
        """Read what a process of this kernel boot left; nothing if there is nothing to believe."""
        try:
            found = _parsed(recent.read_bytes())
        except OSError:
            return {}  # none was left, as after a boot: the ceilings on the disk hold
        return found[1] if found is not None and found[0] == self._kernel else {}

    def _not_kept(self, fault: str) -> None:
        if fault != self._said:
            log.warning("%s: energy counters stand still until it can be", fault)
        self._said = fault


class _Copy:
    """One of the two files, and what is known to be in it.

    Args:
        file: that is written.
        there: what was in it at the start: the figure of each meter, mJ.
    """

    def __init__(self, file: Aside, there: dict[str, int]) -> None:
        self._file = file
        self._there = there
        self._asked: list[tuple[bytes, dict[str, int]]] = []
        """What was last to be written, the oldest first."""

    def write(self, kernel: str, counts: Mapping[str, Count]) -> None:
        """Write soon; what waits to be written is left out then."""
        line = _line(kernel, counts)
        # The oldest may still be on its way to a disk that stalls; those between never went.
        del self._asked[1:]
        self._asked.append((line, {name: count.floor_mj for name, count in counts.items()}))
        self._file.write(line)

    def there(self) -> dict[str, int]:
        """Say what is in the file, by meter, mJ."""
        written = self._file.written
        for at, (line, figures) in enumerate(self._asked):
            if line is written:
                self._there = figures
                del self._asked[: at + 1]
                break
        return self._there

    @property
    def is_behind(self) -> bool:
        """Whether something that was to be written is not there."""
        self.there()
        return bool(self._asked)

    def settle(self) -> None:
        """Wait for the disk, but not for ever."""
        self._file.settle()


def _line(kernel: str, counts: Mapping[str, Count]) -> bytes:
    kept = {name: (each.total_mj, each.seen_mj, each.floor_mj) for name, each in counts.items()}
    return numbers_line(_FORMAT, kernel, kept)


def _parsed(data: bytes) -> tuple[str, dict[str, Count]] | None:
    """Read what `_line` wrote; None if it did not write this."""
    found = numbers_of(data, _FORMAT, 3)
    return found and (found[0], {name: Count(*numbers) for name, numbers in found[1].items()})
