"""How long each output has been as it is, across restarts of the process: a file on tmpfs.

A process that ends in order writes it, so that a restart or an upgrade keeps a compressor's
min-off. A crash leaves no file, and no write is on the path of a switch: after it, as after a
kernel boot, nobody knows how long a load has been without power, and the guard takes the worst.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from rackgrid_firmware.boot_record import MISREAD, BootRecord
from rackgrid_firmware.link import OutputState


class DwellFile:
    """Remembers since when each output is as it is, across restarts of the process.

    Args:
        path: on tmpfs.
        boot_id: of the running kernel: what another boot wrote says nothing.
    """

    def __init__(self, path: Path, boot_id: str) -> None:
        self._record = BootRecord(path, boot_id, "outputs")

    def take(self) -> dict[str, tuple[bool, int]] | None:
        """Give (on, since in ns) for each output, once; None if nothing was left by this boot.

        The file is gone afterwards: what it says is true only until the next switch.
        """
        outputs = cast("dict[str, list[int]] | None", self._record.take())
        if outputs is None:
            return None
        try:
            return {name: (bool(on), int(since)) for name, (on, since) in outputs.items()}
        except MISREAD:
            return None

    def write(self, states: tuple[OutputState, ...]) -> None:
        """Remember.

        Raises:
            OSError: it cannot be written: the next start takes the worst.
        """
        self._record.write({state.name: (state.on, state.since_ns) for state in states})
