"""The auditor against faults in the code that decides: an auditor that no fault trips is none.

Each sabotage is such as a careless change makes: the node goes on, its lines are whole and agree
with each other, and only somebody who works the decision out for himself can see it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from tests.simulation.rack import settled
from tests.simulation.recorder import recording

from rackgrid.audit.record import audit
from rackgrid.core import book, broker, judgement
from rackgrid.core.settings import LoadSettings
from rackgrid.market import clearing
from rackgrid.market.clearing import Clearing, clear
from rackgrid.market.curve import Bid
from rackgrid.market.offer import Offer
from rackgrid.simulation.feed import Capacity
from rackgrid.simulation.recipe import seconds

Patch = pytest.MonkeyPatch


def said(sabotage: Callable[[Patch], None] | None) -> list[str]:
    """What the auditor says of a rack whose feed shrinks and grows."""
    found: list[str] = []
    for seed in (3, 4):
        with recording() as recorder, pytest.MonkeyPatch.context() as patch:
            world = settled(seed, nodes=4, capacity_w=50)
            if sabotage is not None:
                sabotage(patch)
            for capacity_w in (40, 34, 46, 38, 50):
                Capacity(capacity_w * 1000).apply(world)
                world.run(world.now_ns + seconds(3))
        for lines in recorder.records().values():
            found += [finding.text for finding in audit(lines).findings]
    return found


def _grants_are_ignored(patch: Patch) -> None:
    def covered(*_: object) -> bool:
        return True

    patch.setattr(judgement, "_covers", covered)


def _worth_is_doubled(patch: Patch) -> None:
    def doubled(_agent: object, load: LoadSettings, *_: object) -> int:
        return 2 * (load.worth_uc or 0)

    patch.setattr(judgement, "bid_now", doubled)


def _worth_is_not_asked(patch: Patch) -> None:
    """A running load stays on at any price."""
    judge = judgement._judge

    def kept(*args: object) -> tuple[bool, object]:
        wanted, why = judge(*args)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        return (True, judgement.Why.WORTH_IT) if why.name == "PRICE_ABOVE_WORTH" else (wanted, why)

    patch.setattr(judgement, "_judge", kept)


def _cleared_by(patch: Patch, other: Callable[[Clearing], Clearing]) -> None:
    def cleared(
        bids: Sequence[Bid], offers: Sequence[Offer], floors: int, carried: int, room: int, cap: int
    ) -> Clearing:
        return other(clear(bids, offers, floors, carried, room, cap))

    patch.setattr(broker, "clear", cleared)


def _price_is_the_marginal_offers_alone(patch: Patch) -> None:
    _cleared_by(patch, lambda made: replace(made, price_uc=min(made.price_uc, 250_000)))


def _price_is_a_unit_too_high(patch: Patch) -> None:
    _cleared_by(patch, lambda made: replace(made, price_uc=made.price_uc + 1))


def _refusals_have_no_reason(patch: Patch) -> None:
    _cleared_by(patch, lambda made: replace(made, unfit={}))


def _room_is_counted_twice(patch: Patch) -> None:
    def cleared(
        bids: Sequence[Bid], offers: Sequence[Offer], floors: int, carried: int, room: int, cap: int
    ) -> Clearing:
        return clear(bids, offers, floors, carried, room // 2, cap)

    patch.setattr(broker, "clear", cleared)


def _merit_order_is_reversed(patch: Patch) -> None:
    """Whoever bids least is served first: everything fits, and all sums are right."""
    market = clearing._market

    def reversed_market(
        bids: Sequence[Bid], supply: clearing.Supply, room_mw: int, cap_uc: int
    ) -> clearing._Market:
        cheap = [
            replace(b, steps=tuple(replace(s, worth_uc=cap_uc // 2 - s.worth_uc) for s in b.steps))
            for b in bids
        ]
        return market(cheap, supply, room_mw, cap_uc)

    patch.setattr(clearing, "_market", reversed_market)


def _grants_are_more_than_was_served(patch: Patch) -> None:
    choose = book.choose

    def generous(steps: tuple[object, ...], _wanted: int, *rest: int) -> book.Choice:
        return choose(steps, (1 << len(steps)) - 1, *rest)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    patch.setattr(book, "choose", generous)


@pytest.mark.parametrize(
    ("sabotage", "words"),
    [
        (_grants_are_ignored, "by its inputs it should be off"),
        (_worth_is_doubled, "and no min-on holds it"),
        (_worth_is_not_asked, "by its inputs it should be off (price_above_worth)"),
        (_price_is_the_marginal_offers_alone, "price_uc: 250000, and by the book"),
        (_price_is_a_unit_too_high, "price_uc: "),
        (_refusals_have_no_reason, "marked: False"),
        (_room_is_counted_twice, "fits, and was refused"),
        (_merit_order_is_reversed, "plain merit order has"),
        (_grants_are_more_than_was_served, "is granted"),
    ],
)
def test_fault_in_what_decides_is_found(sabotage: Callable[[Patch], None], words: str) -> None:
    found = said(sabotage)
    assert any(words in text for text in found), sorted(set(found))[:10]


def test_without_a_fault_nothing_is_found() -> None:
    assert said(None) == []
