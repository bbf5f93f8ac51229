"""Nameplates that loads prove wrong: learned after a while, from the least, and forgotten."""

from __future__ import annotations

import pytest

from rackgrid.core import nameplate
from rackgrid.core.nameplate import FORGET_NS, LEARN_NS, UNTOUCHED, Nameplates, Proof

NOW = 10**12
NOMINAL_MW = 6000


def looked(plates: Nameplates, *shown: tuple[float, int | None]) -> Nameplates:
    """Look at the lamp at these moments, s."""
    for at_s, settled_mw in shown:
        now_ns = NOW + round(at_s * 10**9)
        plates = nameplate.seen(plates, "lamp", NOMINAL_MW, settled_mw, now_ns)
    return plates


def test_load_that_takes_what_it_says_leaves_everything_as_it_is() -> None:
    assert looked(UNTOUCHED, (0, 6000), (1, 6300), (2, None)) is UNTOUCHED


def test_load_that_takes_more_for_a_while_is_believed_with_the_least_of_it() -> None:
    plates = looked(UNTOUCHED, (0, 9000), (0.5, 8000), (0.999, 9500))
    assert dict(plates.learned) == {}
    plates = looked(plates, (LEARN_NS / 10**9, 9100))
    assert (dict(plates.learned), dict(plates.above)) == ({"lamp": 8000}, {})
    # The rest is learned in turn.
    assert looked(plates, (2, 9100), (3, 9200)).learned["lamp"] == 9100


@pytest.mark.parametrize("between_mw", [None, 6000])
def test_while_begins_anew_when_it_is_not_above(between_mw: int | None) -> None:
    plates = looked(UNTOUCHED, (0, 9000), (0.9, between_mw), (1.0, 9000), (1.9, 9000))
    assert dict(plates.learned) == {}


def test_what_was_learned_is_believed_for_a_while_and_never_below_the_nameplate() -> None:
    plates = looked(UNTOUCHED, (0, 9000), (1, 9000))
    until_s = 1 + FORGET_NS / 10**9
    assert looked(plates, (100, 3000), (until_s - 1, None)).learned["lamp"] == 9000
    assert looked(plates, (until_s, None)) == UNTOUCHED


def test_outputs_are_learned_apart() -> None:
    plates = looked(UNTOUCHED, (0, 9000), (1, 9000))
    plates = nameplate.seen(plates, "pump", 4000, 8000, NOW)
    plates = nameplate.seen(plates, "pump", 4000, 8000, NOW + LEARN_NS)
    assert dict(plates.learned) == {"lamp": 9000, "pump": 8000}


def test_what_was_learned_is_taken_up_again_for_the_same_nameplate_only() -> None:
    """Fails if who has corrected a nameplate is held to what was learned of the wrong one."""
    plates = looked(UNTOUCHED, (0, 9000), (1, 9000))
    kept = nameplate.proofs(plates, {"lamp": NOMINAL_MW, "pump": 4000})
    assert kept == {"lamp": Proof(NOMINAL_MW, 9000, NOW + 10**9 + FORGET_NS)}
    assert nameplate.restored(kept, {"lamp": NOMINAL_MW, "pump": 4000}) == plates
    assert nameplate.restored(kept, {"lamp": 9000}) is UNTOUCHED
    assert nameplate.restored(kept, {}) is UNTOUCHED
    assert nameplate.restored(nameplate.NO_PROOFS, {"lamp": NOMINAL_MW}) is UNTOUCHED
