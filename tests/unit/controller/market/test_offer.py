"""Offers: illegal ones do not exist."""

from __future__ import annotations

import pytest

from rackgrid.market.offer import Offer


def test_offer_of_less_than_nothing_is_refused() -> None:
    with pytest.raises(AssertionError):
        Offer("solar", price_uc=10, power_mw=-1)


@pytest.mark.parametrize(("price_uc", "power_mw"), [(10, 0), (-50, 1), (0, 2_000_000)])
def test_offer_of_any_price_and_of_nothing_is_allowed(price_uc: int, power_mw: int) -> None:
    offer = Offer("solar", price_uc, power_mw)
    assert (offer.source, offer.price_uc, offer.power_mw) == ("solar", price_uc, power_mw)


def test_offer_is_a_value() -> None:
    assert Offer("a", 1, 2) == Offer("a", 1, 2)
    assert len({Offer("a", 1, 2), Offer("a", 1, 2), Offer("b", 1, 2)}) == 2
