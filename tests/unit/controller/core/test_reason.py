"""Every rule has its sentence."""

from __future__ import annotations

import pytest

from rackgrid.core.reason import money, sentence
from rackgrid.wire.vocabulary import Why


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (Why.REQUIRED, "required: always on"),
        (Why.WORTH_IT, "worth 0.400 at price 0.250, granted 6.0 W"),
        (Why.PRICE_ABOVE_WORTH, "price 0.250 above worth 0.400"),
        (Why.DOES_NOT_FIT, "worth 0.400 at price 0.250, but does not fit under the capacity"),
        (Why.NO_GRANT, "worth 0.400 at price 0.250, waiting for a grant"),
        (Why.PRICE_UNKNOWN, "price unknown: no broker is heard"),
        (Why.MIN_ON, "kept on: inside its minimum on-time"),
        (Why.MIN_OFF, "kept off: inside its minimum off-time"),
        (Why.GRANT_EXPIRED, "the grant has expired"),
        (Why.FIRMWARE_LOST, "the firmware does not answer"),
        (Why.LEAVING, "the node is leaving the rack"),
        (Why.FAULT, "a fault is latched on its output"),
        (Why.STARTING, "switched on, not yet confirmed"),
    ],
)
def test_sentence_each_rule_says_its_numbers(why: Why, words: str) -> None:
    assert sentence(why, 250_000, 400_000, 6000) == words


def test_sentence_every_rule_has_one() -> None:
    assert len({sentence(why, None, None, 0) for why in Why}) == len(Why)


def test_money_unknown_is_said_and_zero_is_a_price() -> None:
    assert money(None) == "unknown"
    assert money(0) == "0.000"
    assert money(-12_500) == "-0.013"
