"""How long each output has been as it is, across restarts of the process: a file on tmpfs.

A process that ends in order writes it, so that a restart or an upgrade keeps a compressor's
min-off. A crash leaves no file, and no write is on the path of a switch: after it, as after a
kernel boot, nobody knows how long a load has been without power, and the guard takes the worst.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

from rackgrid_firmware.link import OutputState


class DwellFile:
    """Remembers since when each output is as it is, across restarts of the process.

    Args:
        path: on tmpfs.
        boot_id: of the running kernel: what another boot wrote says nothing.
    """

    def __init__(self, path: Path, boot_id: str) -> None:
        self._path = path
        self._boot_id = boot_id

    def take(self) -> dict[str, tuple[bool, int]] | None:
        """Give (on, since in ns) for each output, once; None if nothing was left by this boot.

        The file is gone afterwards: what it says is true only until the next switch.
        """
        try:
            record: object = json.loads(self._path.read_bytes())
            self._path.unlink()
            found = cast("dict[str, object]", record)
            if found["boot_id"] != self._boot_id:
                return None
            outputs = cast("dict[str, list[int]]", found["outputs"])
            return {str(name): (bool(on), int(since)) for name, (on, since) in outputs.items()}
        except (OSError, ArithmeticError, ValueError, TypeError, KeyError, AttributeError):
            # Whatever it is, it is no memory of ours: as after a kernel boot.
            return None

    def write(self, states: tuple[OutputState, ...]) -> None:
        """Remember.

        Raises:
            OSError: it cannot be written: the next start takes the worst.
        """
        outputs = {state.name: (state.on, state.since_ns) for state in states}
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"boot_id": self._boot_id, "outputs": outputs}))
        os.replace(new, self._path)


def kernel_boot_id() -> str:
    """Read what the kernel calls this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
