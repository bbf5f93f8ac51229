"""What a process leaves on tmpfs for the next one of the same kernel boot.

CLOCK_MONOTONIC and the meters' counters begin with that boot, so what another one wrote says
nothing; nor does anything that cannot be read: it is no record of ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

MISREAD = (ArithmeticError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What it raises to read a record that is none."""


class BootRecord:
    """A small file: a value for each name, and the boot that they belong to.

    Args:
        path: on tmpfs.
        boot_id: of the running kernel.
        what: the names are of, as the file says it.
    """

    def __init__(self, path: Path, boot_id: str, what: str) -> None:
        self._path = path
        self._boot_id = boot_id
        self._what = what

    def read(self) -> dict[str, object] | None:
        """Give what was left by this boot, value by name; None if there is nothing to believe."""
        try:
            found = cast("dict[str, object]", json.loads(self._path.read_bytes()))
            if found["boot_id"] != self._boot_id:
                return None
            return dict(cast("dict[str, object]", found[self._what]))
        except (OSError, *MISREAD):
            return None

    def take(self) -> dict[str, object] | None:
        """Give it once: the file is gone afterwards; None also where it cannot be removed."""
        found = self.read()
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return None
        return found

    def write(self, values: Mapping[str, object]) -> None:
        """Leave these, as a whole.

        Raises:
            OSError: it cannot be written.
        """
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"boot_id": self._boot_id, self._what: values}))
        os.replace(new, self._path)


def kernel_boot_id() -> str:
    """Read what the kernel calls this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
