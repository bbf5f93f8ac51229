"""A load behind a relay's contact: what it asks of the rail, as a function of time.

The pin drives a coil, the coil a contact (`contact`), the contact gives power to the load, and a
gate inside (`gate`) may keep it waiting still. While it has both it *runs*: first its inrush, then
its steady draw, each as its kind has it (`kind`).

Steady draw wanders: a new value every second, taken from the seed and the second since the start,
so that the same switching gives the same watts in every run. It never passes the nameplate, unless
the profile says that the load lies.

A pin may also be modulated: then the load is switched `hz` times a second, on for `duty` of each
period, by a transistor and not by a contact. It starts once, when the duty leaves 0.

An undriven pin closes no contact: the SoC's pulls (about 50 kOhm, tens of microamperes) feed
neither an opto-coupler's input nor a coil driver, and the recommended wiring pulls to the open side
anyway.

Time is an argument, in ns. What a load does by itself it does in `advance`, at the moments that
`next_change_ns` names; between them its demand is constant.
"""

from __future__ import annotations

from rackgrid_firmware.mock.chance import seeded, uniform
from rackgrid_firmware.mock.contact import Contact
from rackgrid_firmware.mock.demand import Demand, Drawn, Ripple
from rackgrid_firmware.mock.gate import Thermostat, gate
from rackgrid_firmware.mock.kind import CURVE, KINDS, STEPS, remains, undone
from rackgrid_firmware.mock.wiring import LoadWiring

WANDER_NS = 1_000_000_000
HZ_MAX = 2000.0
"""The fastest switching whose edges are shown to the chips, 1/s."""
_OFF = Drawn()


class Load:
    """One load, its relay's contact and the pin that drives it.

    Args:
        wiring: what it is.
        seed: of its chance.
        volts: where it draws what its profile says, V.
        now_ns: when it is plugged in, ns.
    """

    def __init__(
        self, wiring: LoadWiring, seed: int, *, volts: float = 12.0, now_ns: int = 0
    ) -> None:
        self.wiring = wiring
        self.contact = Contact(wiring.load.contact, seed)
        self.gate = gate(now_ns, wiring.load)
        self.level: bool | None = None
        """The driven level of the pin; None when it is an input. While it pulses, the level that
        gives power."""
        self.draw_w = wiring.draw_w
        self._kind = KINDS[wiring.load.kind]
        self._seed = seed
        self._square = volts * volts
        self._inrush_ns = round(wiring.inrush_s * 1e9)
        self._modulation: Ripple | None = None
        self._has_power = False
        self._runs = False
        self._starts = 0
        self._started_ns = now_ns
        """When its inrush began, or will: until then a motor is locked."""
        self._stopped_ns = now_ns
        self._locked_ns = now_ns
        self._charge = 0.0
        """Of a supply's capacitor when it stopped: its voltage, as a share."""
        self._excess = 1.0

    # --- the pin and the contact ----------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Whether the contact is closed."""
        return self.contact.is_closed

    def drive(self, now_ns: int, level: bool | None) -> None:
        """Let the pin go to this level; None makes it an input."""
        self.advance(now_ns)
        self.level = level
        self._modulation = None
        wanted = level is not None and level == self.wiring.active_high
        self.contact.energise(now_ns, wanted)
        self._follow(now_ns)

    def modulate(self, now_ns: int, duty: float, hz: float) -> None:
        """Let the pin be high for `duty` of the time, 0 to 1, `hz` times a second.

        Raises:
            ValueError: no such duty or frequency.
        """
        if not 0 <= duty <= 1 or not 0 < hz <= HZ_MAX:
            raise ValueError(
                f"a duty of {duty:g} at {hz:g} Hz; allowed: 0 to 1, above 0 and up to {HZ_MAX:g} Hz"
            )
        share = duty if self.wiring.active_high else 1.0 - duty
        ripple = _ripple(now_ns, hz, share)
        if ripple is None:
            self.drive(now_ns, (share > 0.5) == self.wiring.active_high)
            return
        self.advance(now_ns)
        self.level = self.wiring.active_high
        self._modulation = ripple
        self.contact.energise(now_ns, True)
        self._follow(now_ns)

    def weld(self, now_ns: int, welded: bool) -> None:
        """Weld the contact: once closed it opens no more. Or repair it."""
        self.advance(now_ns)
        self.contact.weld(welded)
        self._follow(now_ns)

    def stick(self, now_ns: int, stuck: bool) -> None:
        """Let the contact stick open: it closes no more. Or repair it."""
        self.advance(now_ns)
        self.contact.stick(stuck)
        self._follow(now_ns)

    def surround(self, now_ns: int, ambient_c: float) -> None:
        """Let it stand in another temperature, degrees Celsius.

        Raises:
            ValueError: it has no temperature.
        """
        self.advance(now_ns)
        if not isinstance(self.gate, Thermostat):
            raise ValueError(f"load {self.wiring.name!r} has no temperature: it is not thermal")
        self.gate.surround(now_ns, ambient_c)

    # --- time -----------------------------------------------------------------------------------

    def advance(self, now_ns: int) -> None:
        """Let it do what it does by itself until now."""
        while (due_ns := _earliest(self.contact.next_ns, self.gate.next_ns)) is not None:
            if due_ns > now_ns:
                return
            self.contact.move(due_ns)
            if self.gate.next_ns == due_ns:
                self.gate.turn(due_ns)
            self._follow(due_ns)

    def next_change_ns(self, now_ns: int) -> int | None:
        """Say when the demand changes by itself, after `now_ns`; None if it does not."""
        moved_ns = _earliest(self.contact.next_ns, self.gate.next_ns)
        return _earliest(moved_ns, self._next_step_ns(now_ns)) if self._runs else moved_ns

    # --- the demand -----------------------------------------------------------------------------

    def drawn(self, now_ns: int) -> Drawn:
        """Give what it asks of the rail at this moment."""
        if not self._runs:
            return _OFF
        load = self.wiring.load
        own = _ripple(self._started_ns, load.hz, load.duty) if load.kind == "pwm" else None
        demand = self._demand(now_ns)
        if own is not None and self._modulation is not None:
            demand = Demand(demand.power_w * own.duty, demand.siemens * own.duty)
        return Drawn(demand, self._modulation or own)

    def watts(self, now_ns: int) -> float:
        """Give what it draws at the voltage that its profile is meant for, W; in the mean."""
        drawn = self.drawn(now_ns)
        return (drawn.demand.power_w + drawn.demand.siemens * self._square) * drawn.share

    def celsius(self, now_ns: int) -> float | None:
        """Give the temperature of what it heats or cools; None if it is not thermal."""
        return self.gate.celsius(now_ns) if isinstance(self.gate, Thermostat) else None

    def _demand(self, now_ns: int) -> Demand:
        since_ns, inrush_w = now_ns - self._started_ns, self.wiring.inrush_w
        if since_ns < 0:
            return Demand(siemens=inrush_w / self._square)
        if since_ns >= self._inrush_ns:
            return self._split(self._steady_w(since_ns))
        if not self._kind.falls:
            return self._split(inrush_w)
        running_w = self._bounded(self.draw_w)
        excess_w = max(0.0, inrush_w - running_w) * self._excess
        excess_w *= CURVE[since_ns * STEPS // self._inrush_ns]
        running = self._split(running_w)
        return Demand(running.power_w, running.siemens + excess_w / self._square)

    def _steady_w(self, since_ns: int) -> float:
        wander = uniform(seeded(self._seed, self._starts), since_ns // WANDER_NS)
        return self._bounded(self.draw_w * (1.0 + self.wiring.noise * wander))

    def _bounded(self, watts: float) -> float:
        return max(0.0, watts if self.wiring.load.lies else min(self.wiring.nominal_w, watts))

    def _split(self, watts: float) -> Demand:
        share = self._kind.resistive
        return Demand(watts * (1.0 - share), watts * share / self._square)

    def _next_step_ns(self, now_ns: int) -> int | None:
        since_ns, inrush_ns = now_ns - self._started_ns, self._inrush_ns
        if since_ns < 0:
            return self._started_ns
        if since_ns < inrush_ns:
            steps = since_ns * STEPS // inrush_ns + 1 if self._kind.falls else STEPS
            return self._started_ns - (-steps * inrush_ns // STEPS)
        if self.wiring.noise == 0.0:
            return None
        return now_ns + WANDER_NS - since_ns % WANDER_NS

    # --- starts and stops -----------------------------------------------------------------------

    def _follow(self, now_ns: int) -> None:
        """Start or stop as contact and gate have it."""
        if self.contact.is_closed != self._has_power:
            self._has_power = self.contact.is_closed
            self.gate.power(now_ns, self._has_power)
        runs = self._has_power and self.gate.is_on
        if runs != self._runs:
            self._runs = runs
            if runs:
                self._start(now_ns)
            else:
                self._stop(now_ns)

    def _start(self, now_ns: int) -> None:
        self._starts += 1
        self._started_ns = max(now_ns, self._locked_ns)
        if self._kind.recharges:
            draw_w, pause_s = self._bounded(self.draw_w), (now_ns - self._stopped_ns) / 1e9
            full_w = self.wiring.inrush_w - draw_w
            self._excess = undone(full_w, draw_w, self.wiring.inrush_s, pause_s, self._charge)

    def _stop(self, now_ns: int) -> None:
        since_ns = now_ns - self._started_ns
        self._stopped_ns = now_ns
        self._charge = 1.0 - self._excess * remains(since_ns, self._inrush_ns)
        if since_ns >= self._inrush_ns:  # it has come to speed, or to pressure
            self._locked_ns = now_ns + round(self.wiring.load.stall_s * 1e9)


def _ripple(begun_ns: int, hz: float, duty: float) -> Ripple | None:
    """Make a ripple; None if there is nothing to switch."""
    if hz <= 0:
        return None
    period_ns = round(1e9 / hz)
    on_ns = round(period_ns * duty)
    return Ripple(begun_ns, period_ns, on_ns) if 0 < on_ns < period_ns else None


def _earliest(first_ns: int | None, second_ns: int | None) -> int | None:
    if first_ns is None or second_ns is None:
        return second_ns if first_ns is None else first_ns
    return min(first_ns, second_ns)
