"""How hot each output's circuit may be when the firmware starts: its thermal image outlives it.

An overload that crashes the process (by the brown-out it makes, say), or a bug that does so again
and again, must not find a cold image each time: then no overload would ever trip. So the images are
left on tmpfs while the process runs, at once when one has become noticeably hotter and once a
second else, and whoever comes after goes on from there. What it does not know of cools nothing, as
everywhere (`trip`).

After a boot of the kernel nobody knows how hot anything was. It was no hotter than what trips;
since the boot an output has cooled, by its own time constant, if its contact is open where nobody
drives it. Else it is taken for as hot as it can be: at no more than its rating that trips nothing.
So a motor that takes seconds to start at a multiple of its rating may trip on its first start after
a boot; whoever clears that has looked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rackgrid_firmware.boot_record import MISREAD, BootRecord
from rackgrid_firmware.log import WARNING, log
from rackgrid_firmware.scribe import Scribe
from rackgrid_firmware.sight import Sights, Watch

WRITE_NS = 1_000_000_000
"""Between two writings of images that have hardly become hotter, at least, ns."""
SOON_NS = 100_000_000
"""Between any two, ns: a process that is ended again and again may live no second each time."""
RISE = 0.02
"""So much hotter than written last is noticeable."""
_STOP_S = 1.0
LIMIT = 1.0
"""The heat above which an image trips."""

Heats = dict[str, float]


def worst(watches: Sequence[Watch], closed: frozenset[str], booted_ns: int) -> Heats:
    """Say how hot each circuit can be that nothing is known of.

    Args:
        watches: what is watched.
        closed: outputs whose contact is closed where nobody drives it.
        booted_ns: since the kernel started, ns.
    """
    return {
        watch.name: LIMIT if watch.name in closed else LIMIT * math.exp(-booted_ns / watch.tau_ns)
        for watch in watches
        if watch.rating_a
    }


def heats_of(watches: Sequence[Watch], sights: Sights) -> Heats:
    """Read the images, of those outputs that have one."""
    pairs = zip(watches, sights.outputs, strict=True)
    return {watch.name: sight.heat for watch, sight in pairs if watch.rating_a}


class HeatFile:
    """The images of a board, across restarts of the process.

    Args:
        path: on tmpfs.
        boot_id: of the running kernel: what another boot wrote says nothing.
    """

    def __init__(self, path: Path, boot_id: str) -> None:
        self._record = BootRecord(path, boot_id, "heats")
        self._scribe = Scribe("heat", self._write)
        self._fault = ""
        self._due_ns = 0
        self._full_ns = 0
        self._told: Heats = {}

    def read(self) -> Heats | None:
        """Give what was left by this boot; None if nothing was, or nothing that can be read."""
        heats = self._record.read()
        try:
            return None if heats is None else {name: _heat(heat) for name, heat in heats.items()}
        except MISREAD:
            return None

    def is_due(self, now_ns: int) -> bool:
        """Whether it is worth while to look at the images again."""
        return now_ns >= self._due_ns

    def keep(self, now_ns: int, heats: Heats) -> None:
        """Have the images written, if they have changed; returns at once.

        What cannot be written is said, once, and tried again: protection goes on.
        """
        self._due_ns = now_ns + SOON_NS
        told = self._told
        is_hotter = any(heat >= told.get(name, 0.0) + RISE for name, heat in heats.items())
        if heats != told and (is_hotter or now_ns >= self._full_ns):
            self._told, self._full_ns = heats, now_ns + WRITE_NS
            self._scribe.tell(heats)

    def close(self) -> None:
        """Wait until what was told is written, for a second at most."""
        self._scribe.flush(_STOP_S)

    def _write(self, heats: Heats) -> None:
        try:
            self._record.write(heats)
        except OSError as fault:
            if str(fault) != self._fault:
                log(WARNING, "heat-not-kept", why=fault)
            self._fault, self._told = str(fault), {}
        else:
            self._fault = ""


def _heat(found: object) -> float:
    """Take a heat.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(found, float | int) or not 0 <= found < math.inf:
        raise ValueError("no heat")
    return float(found)
