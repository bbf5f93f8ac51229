"""Choosing the shunt's range by itself: wide when it must be, fine when it may be.

A single 12-bit sample steps by 80 µV in the widest range and by 10 µV in the finest, and the offset
is half as large; so a meter whose load idles should come down, and not only go up (pi-ina219 only
ever goes up, and one spike spoils it for good). Up it goes at once, and to the widest range: a
reading near the end stop says nothing about how much more there is.

Only for a converter that takes single samples. One that averages clips each of its samples but
reports their mean: a load that draws 3 A for a tenth of the time has a mean of 0.3 A, which fits
the finest range, and would read 0.04 A without any reading near an end stop. And it gains little,
for the mean of 128 samples has no coarse steps. So it stays in the widest range.

Pure: one call per sample.
"""

from __future__ import annotations

from typing import Final

from rackgrid_firmware.registers import Range

UP: Final = 0.95
"""From this part of full scale on: to the widest range."""
DOWN: Final = 0.4
"""A finer range is taken if it holds the most of `CALM` samples in this part of its full scale."""
CALM: Final = 64
"""Samples in a row."""


class AutoRange:
    """The range of one chip, as it should be."""

    def __init__(self) -> None:
        self.range = Range.MV_320
        self._most = self._calm = 0

    def widen(self) -> None:
        """Take the widest range at once: nobody knows what comes."""
        self.range = Range.MV_320
        self._most = self._calm = 0

    def judge(self, shunt_raw: int) -> Range:
        """Take a sample of the present range.

        Args:
            shunt_raw: LSB of 10 µV.

        Returns:
            The range from here on.
        """
        size = abs(shunt_raw)
        if size >= UP * self.range.raw_max:
            self.widen()
            return self.range
        self._most = max(self._most, size)
        self._calm += 1
        if self._calm >= CALM:
            finest = next((each for each in Range if self._most < DOWN * each.raw_max), self.range)
            self.range = min(self.range, finest)
            self._most = self._calm = 0
        return self.range
