"""What a node has learned of its own loads, on the disk: a restart forgets no nameplate that lied.

A load that takes more than its nameplate is believed for an hour to take that much
(`core.nameplate`). Lost with the process, it would be granted too little again after each restart.
The hour is of CLOCK_MONOTONIC: after a boot of the machine nobody knows how much of it is over, and
it begins anew.

One small file, written as a whole, beside the loop and at most once in a while. One that is damaged
is set aside, and nothing is taken for learned then: it is learned again within seconds of a start.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from rackgrid.adapters.aside import Aside
from rackgrid.adapters.checked_line import numbers_line, numbers_of
from rackgrid.adapters.store import FILE_BYTES_MAX, read_whole, set_aside
from rackgrid.core.board import METERED_MAX_MW
from rackgrid.core.nameplate import FORGET_NS, NO_PROOFS, Proof, Proofs

NAMEPLATES: Final = "nameplates"
"""The file below the node's `state_dir`."""
WRITE_NS: Final = 10_000_000_000
"""Between two writes, ns: a load that creeps up is learned once a second."""
_FORMAT: Final = "rackgrid nameplates 1"

log = logging.getLogger("rackgrid")


class NameplateShelf:
    """The file.

    Args:
        state_dir: where it lies.
        kernel: boot id of the running kernel.
    """

    def __init__(self, state_dir: Path, kernel: str) -> None:
        self._path, self._kernel = state_dir / NAMEPLATES, kernel
        self._file = Aside(self._path, _not_kept)
        self._kept: Proofs | None = None
        self._asked: Proofs = NO_PROOFS
        self._due_ns = 0

    def recall(self, now_ns: int) -> Proofs:
        """Read what was learned before this start, and is still believed.

        Args:
            now_ns: CLOCK_MONOTONIC, ns.
        """
        try:
            data = read_whole(self._path)
        except FileNotFoundError:
            return NO_PROOFS
        except OSError as fault:
            log.warning("cannot read %s: %s", self._path, fault.strerror)
            return NO_PROOFS
        found = _parsed(data)
        if found is None:
            set_aside(self._path)
            return NO_PROOFS
        kernel, kept = found
        latest_ns = now_ns + FORGET_NS
        recalled = {
            name: Proof(
                each.nominal_mw,
                each.learned_mw,
                min(each.until_ns, latest_ns) if kernel == self._kernel else latest_ns,
            )
            for name, each in kept.items()
            if kernel != self._kernel or each.until_ns > now_ns
        }
        for name, each in recalled.items():
            log.info(
                "output %s took %.1f W before this start, and its nameplate says %.1f W: it counts "
                "with what it took for up to %d min",
                *(name, each.learned_mw / 1000, each.nominal_mw / 1000),
                -(-(each.until_ns - now_ns) // 60_000_000_000),
            )
        self._kept = self._asked = recalled
        return recalled

    def look(self, proofs: Proofs, now_ns: int) -> None:
        """Keep what has been learned or forgotten, soon; never waits."""
        self._asked = proofs
        if now_ns >= self._due_ns:
            self._keep(now_ns)

    def close(self) -> None:
        """Keep what was not kept yet; waits for the disk, but not for ever."""
        self._keep(self._due_ns)
        self._file.settle()

    def _keep(self, now_ns: int) -> None:
        if self._asked is self._kept or self._asked == (self._kept or NO_PROOFS):
            return
        self._kept, self._due_ns = self._asked, now_ns + WRITE_NS
        self._file.write(_line(self._kernel, self._kept))


def _line(kernel: str, proofs: Proofs) -> bytes:
    """Write as many as the file has room for, those first that take most beyond their nameplate."""
    ranked = sorted(proofs.items(), key=lambda item: item[1].nominal_mw - item[1].learned_mw)
    kept: dict[str, list[int]] = {}
    line = b""
    for name, each in [("", None), *ranked]:
        if each is not None:
            kept[name] = [each.nominal_mw, each.learned_mw, each.until_ns]
        longer = numbers_line(_FORMAT, kernel, kept)
        if len(longer) > FILE_BYTES_MAX:
            break
        line = longer
    return line


def _parsed(data: bytes) -> tuple[str, Proofs] | None:
    """Read what `_line` wrote; None if it did not write this."""
    found = numbers_of(data, _FORMAT, 3)
    if found is None:
        return None
    proofs = {name: Proof(*numbers) for name, numbers in found[1].items()}
    return (found[0], proofs) if all(map(_is_sound, proofs.values())) else None


def _is_sound(proof: Proof) -> bool:
    return proof.nominal_mw < proof.learned_mw <= METERED_MAX_MW


def _not_kept(fault: str) -> None:
    log.warning("%s: after a restart a load that lied about its nameplate starts clean", fault)
