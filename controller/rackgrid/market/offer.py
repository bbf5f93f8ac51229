"""Offers: what a source gives, and at what price."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Offer:
    """One step of a source's supply curve.

    Attributes:
        source: the source's name; with the offering node it identifies the source.
        price_uc: what a kWh costs here, micro-currency; may be negative.
        power_mw: how much it gives, mW.
    """

    source: str
    price_uc: int
    power_mw: int

    def __post_init__(self) -> None:
        assert self.power_mw >= 0, "a source gives, or gives nothing"
