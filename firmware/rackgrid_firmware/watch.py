"""Protection as the board's outputs have it: the profile in its words, and what it has seen so far.

Only outputs whose pins we have are watched: the others are off, and nobody can take them off.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rackgrid_firmware import protection
from rackgrid_firmware.accuracy import COVERAGE, accuracy_of
from rackgrid_firmware.device import LEVEL_FULL, Reading, Verdict
from rackgrid_firmware.heat import heats_of
from rackgrid_firmware.part import KERNEL_DRIVERS
from rackgrid_firmware.profile import MeterProfile, OutputProfile, Profile
from rackgrid_firmware.protection import ZERO_A, Cleared, Moved, Read, Trip, Watch
from rackgrid_firmware.sight import GAP_NS, KERNEL_GAP_NS


def watches_of(profile: Profile, claimed: Collection[str]) -> tuple[Watch, ...]:
    """Put what a profile says of protection into its words, for the outputs that we have."""
    meters = {meter.name: meter for meter in profile.meters}
    return tuple(
        _watch(output, meters.get(output.meter))
        for output in profile.outputs
        if output.name in claimed
    )


def zero_a(meter: MeterProfile | None) -> float:
    """Say what a meter may show when nothing flows: three standard deviations of its zero, A."""
    accuracy = None if meter is None else accuracy_of(meter)
    return ZERO_A if accuracy is None else 3 * accuracy.of_amps(0.0) / COVERAGE


class Watchman:
    """Watches the outputs of one board.

    Args:
        watches: what is to be watched.
        is_on: how the outputs are switched now.
        now_ns: since when, ns.
        heats: of the thermal images, by output; else they are cold.
    """

    def __init__(
        self,
        watches: tuple[Watch, ...],
        is_on: Mapping[str, bool],
        now_ns: int,
        heats: Mapping[str, float] | None = None,
    ) -> None:
        self._watches = watches
        self._sights = protection.begin(watches, is_on, now_ns, heats)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """What the meters make of the contacts."""
        return protection.verdicts(self._watches, self._sights)

    @property
    def heats(self) -> dict[str, float]:
        """The thermal images, by output."""
        return heats_of(self._watches, self._sights)

    def read(self, reading: Reading) -> tuple[Trip, ...]:
        """Take a reading in; say what must go off."""
        self._sights, trips = protection.step(self._watches, self._sights, Read(reading))
        return trips

    def moved(self, now_ns: int, output: str, *, on: bool, level: int = LEVEL_FULL) -> None:
        """Note that an output was switched, or given another level."""
        moved = Moved(now_ns, output, on, level)
        self._sights, _ = protection.step(self._watches, self._sights, moved)

    def cleared(self, output: str) -> None:
        """Note that somebody has looked into an output's fault."""
        self._sights, _ = protection.step(self._watches, self._sights, Cleared(output))


def _watch(output: OutputProfile, meter: MeterProfile | None) -> Watch:
    trip = output.trip
    return Watch(
        name=output.name,
        meter=output.meter,
        required=output.required,
        most_w=output.nominal_w,
        inrush_ns=round(output.inrush_s * 1e9),
        discharge_ns=round(trip.discharge_s * 1e9),
        leak_w=trip.leak_w,
        least_w=trip.least_w,
        zero_a=zero_a(meter),
        trip_a=trip.trip_a,
        rating_a=trip.rating_a,
        tau_ns=round(trip.trip_tau_s * 1e9),
        below_v=trip.trip_below_v,
        below_ns=round(trip.trip_below_s * 1e9),
        rank=trip.shed_rank,
        gap_ns=KERNEL_GAP_NS if meter and meter.driver in KERNEL_DRIVERS else GAP_NS,
    )
