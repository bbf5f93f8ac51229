"""What a plug meters, as a meter of the board: watts to be believed, energy that never falls.

(Never in the life of this process. It begins at zero, as a firmware's counter does after a crash;
what is published goes on where it was: `counter_shelf`.)

A plug's watts are means over a second or more: just after a switch they tell of before it. So for a
while after a switch they are stale, and the load counts at its nameplate.
"""

from __future__ import annotations

from rackgrid.adapters.plug.actuator import Sight
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.device import Quality, Reading

LAG_NS = 5 * SECOND_NS
"""So long after a switch its watts are not believed."""
GAP_NS = 5 * SECOND_NS
"""Over a longer silence no energy is made up."""
FRESH_NS = SECOND_NS
"""Older than this its watts are stale."""


class Tally:
    """The meter in one plug.

    Args:
        meter: what the readings are called.
    """

    def __init__(self, meter: str) -> None:
        self.meter = meter
        self._switched_ns = 0
        self._taken_ns = 0
        self._watts = 0.0
        self._volts = 0.0
        self._energy_mj = 0.0

    @property
    def is_metered(self) -> bool:
        """Whether the plug has ever said what it draws."""
        return bool(self._taken_ns)

    def switched(self, now_ns: int) -> None:
        """Note that it was switched."""
        self._switched_ns = now_ns

    def take(self, sight: Sight, asked_ns: int) -> None:
        """Take what the plug says, once for each asking."""
        if sight.watts is None or not sight.volts or asked_ns <= self._taken_ns:
            return
        span_ns = asked_ns - self._taken_ns
        if self._taken_ns and span_ns <= GAP_NS:
            self._energy_mj += max(0.0, self._watts) * span_ns / 1e6
        self._taken_ns, self._watts, self._volts = asked_ns, sight.watts, sight.volts

    def reading(self, now_ns: int) -> Reading | None:
        """Say what it meters; None if it has never said anything."""
        if not self._taken_ns:
            return None
        is_fresh = now_ns - self._taken_ns <= FRESH_NS and now_ns - self._switched_ns > LAG_NS
        return Reading(
            meter=self.meter,
            t_ns=self._taken_ns,
            volts=self._volts,
            amps=self._watts / self._volts,
            energy_mj=int(self._energy_mj),
            quality=Quality.FRESH if is_fresh else Quality.STALE,
        )
