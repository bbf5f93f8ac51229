"""The nouns of protection: what is watched at each output, what was seen, and what comes of it.

Values only; `protection` moves them, and `trip` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid_firmware.device import LEVEL_FULL, Reading, Verdict

ZERO_A = 0.005
"""Less is never called a current: leakage and noise."""
WINDOW_NS = 200_000_000
"""A reading averages over no more than this before it (INA219: 136 ms); a slower chip's first
sample may reach back further, which the next ones in the row do not."""


GAP_NS = 2_000_000_000
"""A longer time between two readings is time that nobody measured."""
KERNEL_GAP_NS = 20_000_000_000
"""The same where a kernel driver reads the chip, and sets its pace: an INA226 that averages most
takes 16.9 s for a conversion (SBOS547A, table 7)."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be watched at one output.

    Attributes:
        name: of the output; meter: that sees it, or "".
        required: it is not taken off for being stuck: it is off already, against its will.
        most_w: nameplate, W.
        inrush_ns: how long it starts, ns; discharge_ns: how long it may draw once it has opened.
        leak_w, least_w: what flows when it is off, and at least when it is on, W.
        zero_a: what its meter may show when nothing flows (three standard deviations), A.
        trip_a, rating_a, tau_ns, below_v, below_ns, rank: of its trips; 0 A or 0 V for none.
        gap_ns: the longest time that a reading of its meter stands for, ns.
    """

    name: str
    meter: str
    required: bool
    most_w: float
    inrush_ns: int = 0
    discharge_ns: int = 1_000_000_000
    leak_w: float = 0.0
    least_w: float = 0.0
    zero_a: float = ZERO_A
    trip_a: float = 0.0
    rating_a: float = 0.0
    tau_ns: int = 60_000_000_000
    below_v: float = 0.0
    below_ns: int = 1_000_000_000
    rank: int = 0
    gap_ns: int = GAP_NS


@dataclass(frozen=True, slots=True)
class Sight:
    """What has been seen of one output.

    Attributes:
        on, since_ns: how it was switched, and when, ns.
        verdict: on its contact.
        is_cleared: whether it has been seen to be off since it was switched off.
        against, favour: samples in a row that accuse it, and that acquit it.
        heat, heat_ns: of the thermal image (1 trips), and when it was last brought up to date.
        low_since_ns, seen_ns, seen_v: since when its voltage is low (0: it is not), when that was
            seen, and how low, V.
        level, level_ns: the power that it is given while on, in thousandths, and since when, ns.
    """

    on: bool
    since_ns: int
    verdict: Verdict = Verdict.UNKNOWN
    is_cleared: bool = False
    against: int = 0
    favour: int = 0
    heat: float = 0.0
    heat_ns: int = 0
    low_since_ns: int = 0
    seen_ns: int = 0
    seen_v: float = 0.0
    level: int = LEVEL_FULL
    level_ns: int = 0

    @property
    def is_dimmed(self) -> bool:
        """Whether it pulses: what little it draws then proves nothing of its contact."""
        return self.on and self.level != LEVEL_FULL

    @property
    def moved_ns(self) -> int:
        """When it was last switched or given another level, ns: either may begin an inrush."""
        return max(self.since_ns, self.level_ns)

    def duty(self, now_ns: int) -> float:
        """Say for which part of the time that a reading of now stands for current flowed, 0 to 1.

        Readings that may reach back to the level before count as full.
        """
        if not self.is_dimmed or now_ns - self.moved_ns < WINDOW_NS:
            return 1.0
        return self.level / LEVEL_FULL


@dataclass(frozen=True, slots=True)
class Sights:
    """What has been seen: one for each watch, and when undervoltage last took something off, ns."""

    outputs: tuple[Sight, ...]
    shed_ns: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """A meter has a new reading; its time is the reading's own."""

    reading: Reading


@dataclass(frozen=True, slots=True)
class Moved:
    """An output was switched, or given another level (thousandths of full power)."""

    now_ns: int
    output: str
    on: bool
    level: int = LEVEL_FULL


@dataclass(frozen=True, slots=True)
class Cleared:
    """Somebody has looked into an output's fault."""

    output: str


@dataclass(frozen=True, slots=True)
class Trip:
    """Take this output off, and latch why.

    Attributes:
        is_welded: the contact gives power though its pin says no.
    """

    output: str
    reason: str
    is_welded: bool = False
