"""What the configuration says of an output beyond the board, in the guard's words.

The same facts as a board profile has of a relay, under the same names: `rackgrid_firmware.guard`
keeps them all, so that a rule holds for a plug as it does for a pin.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.adapters.plug.actuator import Actuator
from rackgrid_firmware.guard import Rule


@dataclass(frozen=True, slots=True)
class Socket:
    """An output beyond the board, as the configuration has it.

    Attributes:
        nominal_mw, inrush_mw: the most it draws once running, and while starting, mW.
        inrush_ns: how long starting lasts, ns.
        min_on_ns, min_off_ns: dwell, ns.
    """

    name: str
    actuator: Actuator
    nominal_mw: int
    inrush_mw: int
    inrush_ns: int
    min_on_ns: int
    min_off_ns: int

    @property
    def rule(self) -> Rule:
        """What the guard is to hold it to."""
        return Rule(self.name, False, self.min_on_ns, self.min_off_ns)
