"""Nameplates that loads have proved wrong, by their own meters.

A load that takes more than its board profile says is believed to take that much from then on, also
while it is off and bids anew: else each of its starts would take watts that nobody gave it. What is
learned is the least that it took over a while, so that no single reading makes a nameplate. It is
forgotten after an hour: a load that was repaired, or a meter that was wrong, is not held back for
good, and one that still takes more says so again.

What was learned outlives the firmware's link and the process (`proofs`): a load that lies does not
start clean after each restart. It is taken up again only for the nameplate that it was learned of:
who has corrected that has looked at the load.

A load that modulates is not learned: what it takes at a level says nothing of its full power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from rackgrid.market.honesty import learned_mw
from rackgrid.value import replace

T = TypeVar("T")

LEARN_NS = 1_000_000_000
"""It has taken more for so long."""
FORGET_NS = 3_600_000_000_000
"""What was learned is believed for so long."""


@dataclass(frozen=True, slots=True)
class Above:
    """An output that takes more than is believed: the least of it, mW, and since when."""

    least_mw: int
    since_ns: int


@dataclass(frozen=True, slots=True)
class Nameplates:
    """What is known of outputs that take more than they should.

    Attributes:
        learned: output → what it has proved to take, mW; until: and until when that is believed.
        above: what is being learned.
    """

    learned: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    until: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    above: Mapping[str, Above] = field(default_factory=lambda: MappingProxyType({}))


UNTOUCHED = Nameplates()


@dataclass(frozen=True, slots=True)
class Proof:
    """What is kept of an output that took more than its nameplate said.

    Attributes:
        nominal_mw: by its board profile, mW.
        learned_mw: what it has proved to take, mW.
        until_ns: until when that is believed, CLOCK_MONOTONIC, ns.
    """

    nominal_mw: int
    learned_mw: int
    until_ns: int


Proofs = Mapping[str, Proof]
NO_PROOFS: Proofs = MappingProxyType({})


def proofs(plates: Nameplates, nominals_mw: Mapping[str, int]) -> Proofs:
    """Say what is worth keeping, by output.

    Args:
        nominals_mw: output → its nameplate, mW.
    """
    return {
        output: Proof(nominals_mw[output], learned, plates.until[output])
        for output, learned in plates.learned.items()
    }


def restored(kept: Proofs, nominals_mw: Mapping[str, int]) -> Nameplates:
    """Take up what was kept, of outputs whose nameplate is still the same.

    Args:
        nominals_mw: output → its nameplate, mW, of the outputs that can be learned.
    """
    same = {name: each for name, each in kept.items() if nominals_mw.get(name) == each.nominal_mw}
    if not same:
        return UNTOUCHED
    return Nameplates(
        learned={name: each.learned_mw for name, each in same.items()},
        until={name: each.until_ns for name, each in same.items()},
    )


def seen(
    plates: Nameplates, output: str, nominal_mw: int, settled_mw: int | None, now_ns: int
) -> Nameplates:
    """Look at an output.

    Args:
        nominal_mw: by its board profile, mW.
        settled_mw: what its own meter shows, mW; None unless that is fresh, the output on, and its
            start over.
    """
    if plates.until and now_ns >= plates.until.get(output, now_ns + 1):
        plates = replace(
            plates, learned=_less(plates.learned, output), until=_less(plates.until, output)
        )
    believed_mw = max(nominal_mw, plates.learned.get(output, 0))
    above = plates.above.get(output)
    if settled_mw is None or learned_mw(believed_mw, settled_mw) == believed_mw:
        return plates if above is None else replace(plates, above=_less(plates.above, output))
    least_mw = settled_mw if above is None else min(above.least_mw, settled_mw)
    since_ns = now_ns if above is None else above.since_ns
    if now_ns - since_ns < LEARN_NS:
        return replace(plates, above={**plates.above, output: Above(least_mw, since_ns)})
    return Nameplates(
        learned={**plates.learned, output: least_mw},
        until={**plates.until, output: now_ns + FORGET_NS},
        above=_less(plates.above, output),
    )


def _less(known: Mapping[str, T], output: str) -> Mapping[str, T]:
    return {name: each for name, each in known.items() if name != output}
