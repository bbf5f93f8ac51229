"""What the configuration says of an output beyond the board, in the guard's words.

The same facts as a board profile has of a relay, under the same names: `rackgrid_firmware.guard`
keeps them all, so that a rule holds for a plug as it does for a pin.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.adapters.plug.actuator import Actuator
from rackgrid_firmware.guard import Rule
from rackgrid_firmware.link import OutputSpec


@dataclass(frozen=True, slots=True)
class Socket:
    """An output beyond the board, as the configuration has it.

    Attributes:
        nominal_mw, inrush_mw: the most it draws once running, and while starting, mW.
        inrush_ns: how long starting lasts, ns.
        min_on_ns, min_off_ns: dwell, ns.
        hold_ns, switches_per_day, not_with, dead_ns, calm_until_ns: as in the guard's `Rule`; who
            excludes another is excluded by it.
        contact_life: how often its contact can close in its life; 0 if that is not known.
        is_judged: whether what it meters comes with its state, and so may judge its contact.
    """

    name: str
    actuator: Actuator
    nominal_mw: int
    inrush_mw: int
    inrush_ns: int
    min_on_ns: int
    min_off_ns: int
    hold_ns: int = 0
    switches_per_day: int = 0
    not_with: tuple[str, ...] = ()
    dead_ns: int = 0
    calm_until_ns: int = 0
    contact_life: int = 0
    is_judged: bool = False

    @property
    def rule(self) -> Rule:
        """What the guard is to hold it to."""
        return Rule(
            self.name,
            False,
            self.min_on_ns,
            self.min_off_ns,
            hold_ns=self.hold_ns,
            switches_per_day=self.switches_per_day,
            not_with=self.not_with,
            dead_ns=self.dead_ns if self.not_with else 0,
            calm_until_ns=self.calm_until_ns,
        )

    def spec(self, meter: str, *, is_floor: bool) -> OutputSpec:
        """Say what it is, in the words of the link.

        Args:
            meter: that sees it, or "".
            is_floor: whether nothing is known to end it.
        """
        return OutputSpec(
            name=self.name,
            required=is_floor,
            nominal_mw=self.nominal_mw,
            inrush_mw=max(self.inrush_mw, self.nominal_mw),
            # The word may take so long to arrive: until then it has not even begun to start.
            inrush_ns=self.inrush_ns + self.actuator.timer.deliver_ns,
            min_on_ns=self.min_on_ns,
            min_off_ns=self.min_off_ns,
            meter=meter,
            contact_life=self.contact_life,
        )
