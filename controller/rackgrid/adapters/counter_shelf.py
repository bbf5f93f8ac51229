"""What this node's meters have counted in all: what is published of them never falls.

A meter's own counter begins anew after a crash of the firmware and after a boot of the machine, a
plug's also with this process. Whoever reads a counter takes a fall for a new meter, and counts all
of it once more. So each meter has a sum here, which goes on where it was: by how far the meter's
counter went, or by all of it if that stands lower than before (`market.settlement`, as in the
ledger).

**Nothing is published that is not on the disk.** The disk holds, beside each sum, a *ceiling* some
way ahead, and no more than it is shown. After a power cut, or a kill, the sum may be older than
what was shown, but the ceiling is not: it is shown until the sum has passed it. So the figure runs
ahead by a minute and a half of the meter's power at most, once, and what follows makes it good; it
never falls. An orderly end writes the sum itself. While the disk cannot be written the figure
stands still at its ceiling, and catches up when it can.

One small file, written as a whole beside the loop, once a minute while anything is counted. A
damaged one is set aside, and that is the one case in which a counter begins at zero; of one that
the disk does not give nothing is published.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from rackgrid.adapters.aside import Aside
from rackgrid.adapters.store import set_aside
from rackgrid.market.settlement import gained_mj
from rackgrid_firmware.device import Reading

COUNTERS: Final = "counters"
"""The file below the node's `state_dir`."""
WRITE_NS: Final = 60_000_000_000
"""Between two writes, ns, while the ceilings are far."""
HASTE_NS: Final = 2_000_000_000
"""Between two writes, ns, when a load has started and a ceiling is near."""
AHEAD_S: Final = 90
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
        state_dir: where the file lies.
        kernel: boot id of the running kernel: another one's counters have begun anew.
    """

    def __init__(self, state_dir: Path, kernel: str) -> None:
        self._path, self._kernel = state_dir / COUNTERS, kernel
        self._file = Aside(self._path, self._not_kept, durable=True)
        self._is_readable = True
        self._said = ""
        self._counts = self._recalled()
        self._kept: Mapping[str, Count] = dict(self._counts)
        self._ceilings = {name: count.floor_mj for name, count in self._counts.items()}
        """On the disk."""
        self._asked: list[tuple[bytes, dict[str, int]]] = []
        """What was last to be written, with its ceilings, the oldest first."""
        self._ahead_mj: dict[str, int] = {}
        self._written_ns: int | None = None

    @property
    def shown_mj(self) -> dict[str, int]:
        """What may be published of each meter, mJ; none of one that is not on the disk yet."""
        self._look_at_the_disk()
        return {
            name: min(count.shown_mj, self._ceilings[name])
            for name, count in self._counts.items()
            if name in self._ceilings
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
        self._look_at_the_disk()
        since_ns = WRITE_NS if self._written_ns is None else now_ns - self._written_ns
        if since_ns >= WRITE_NS or (since_ns >= HASTE_NS and self._is_near()):
            self._written_ns = now_ns
            # What was asked for and is not there was refused, or the disk stalls.
            if self._asked or any(
                name not in self._kept or count.total_mj != self._kept[name].total_mj
                for name, count in self._counts.items()
            ):
                self._keep(self._ahead_mj)

    def close(self) -> None:
        """Keep the sums themselves; waits for the disk, but not for ever."""
        self._keep({})
        self._file.settle()

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
        return any(
            self._ceilings.get(name, 0) - self._counts[name].total_mj < ahead_mj // 4
            for name, ahead_mj in self._ahead_mj.items()
        )

    def _keep(self, ahead_mj: Mapping[str, int]) -> None:
        """Write the sums, with ceilings that are so far ahead of them."""
        if not self._is_readable:
            return
        present_last = sorted(self._counts, key=lambda name: name in self._ahead_mj)
        kept = {
            name: replace(
                count, floor_mj=max(count.floor_mj, count.total_mj + ahead_mj.get(name, 0))
            )
            for name in present_last[-METERS_MAX:]
            for count in (self._counts[name],)
        }
        self._kept, line = kept, _line(self._kernel, kept)
        # The oldest may still be on its way to a disk that stalls; those between never went.
        del self._asked[1:]
        self._asked.append((line, {name: count.floor_mj for name, count in kept.items()}))
        self._file.write(line)

    def _look_at_the_disk(self) -> None:
        written = self._file.written
        for at, (line, ceilings) in enumerate(self._asked):
            if line is written:
                self._ceilings = ceilings
                del self._asked[: at + 1]
                return

    def _recalled(self) -> dict[str, Count]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as fault:
            log.error(
                "cannot read %s (%s): no energy counter is published, since it might fall; mend "
                "the disk, or remove the file to begin at zero, and restart rackgrid",
                *(self._path, fault.strerror),
            )
            self._is_readable = False
            return {}
        found = _parsed(data)
        if found is None:
            set_aside(self._path)
            log.error("%s is damaged: energy counters begin at zero", self._path)
            return {}
        kernel, counts = found
        if kernel == self._kernel:
            return counts
        return {name: replace(count, seen_mj=0) for name, count in counts.items()}

    def _not_kept(self, fault: str) -> None:
        if fault != self._said:
            log.warning("%s: energy counters stand still until it can be", fault)
        self._said = fault


def _line(kernel: str, counts: Mapping[str, Count]) -> bytes:
    kept = {name: [each.total_mj, each.seen_mj, each.floor_mj] for name, each in counts.items()}
    text = f"{_FORMAT} {json.dumps([kernel, kept], separators=(',', ':'))}"
    return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


def _parsed(data: bytes) -> tuple[str, dict[str, Count]] | None:
    """Read what `_line` wrote; None if it did not write this."""
    text, _, check = data.decode("ascii", "replace").removesuffix("\n").rpartition(" ")
    body = text.removeprefix(f"{_FORMAT} ")
    if body == text or f"{zlib.crc32(text.encode()):08x}" != check:
        return None
    try:
        kernel, kept = cast("tuple[object, dict[str, tuple[int, int, int]]]", json.loads(body))
        counts = {name: Count(*numbers) for name, numbers in kept.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(kernel, str) or not all(map(_is_sound, counts.values())):
        return None
    return kernel, counts


def _is_sound(count: Count) -> bool:
    numbers = (count.total_mj, count.seen_mj, count.floor_mj)
    return all(type(each) is int for each in numbers) and min(numbers) >= 0
