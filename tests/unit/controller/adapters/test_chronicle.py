"""Fails if the chronicle grows without end, tells noise, or forgets a quiet load's last change."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.adapters.story import SECOND, cleared, decided, priced

from rackgrid.adapters.chronicle import CHANGES_MAX, EVENTS_MAX, Chronicle, Told
from rackgrid.core.action import Noted, PriceLost, PriceSent
from rackgrid.market.curve import Step
from rackgrid.wire.vocabulary import Why

LAMP = Step(400_000, 6000, 9000, running=True)
WALL_NS = 1_772_366_400 * SECOND


def chronicle(wall_ns: int | None = None) -> Chronicle:
    return Chronicle("pi-1", "0a", lambda: wall_ns, lambda: 100 * SECOND)


def kinds(of: Chronicle) -> list[str]:
    return [told.kind for told in of.since(0)]


def test_chronicle_begins_with_the_start_of_the_node() -> None:
    (first,) = chronicle().since(0)
    assert isinstance(first, Told)
    assert (first.number, first.kind, first.line["boot"]) == (1, "start", "0a")
    assert (first.line["node"], first.line["time"]) == ("pi-1", None)


def test_chronicle_dates_events_once_the_time_of_day_is_known() -> None:
    made = chronicle(WALL_NS)
    made.publish(Noted("careful"), 99 * SECOND)
    assert made.since(1)[0].line["time"] == "2026-03-01T11:59:59.000Z"
    assert made.since(1)[0].line["t_ns"] == 99 * SECOND


def test_chronicle_leaves_out_what_is_no_news() -> None:
    made = chronicle()
    for round_ in (3, 4, 5):
        made.publish(cleared(replace(LAMP, power_mw=6000 + round_), round_=round_), 1)
        made.publish(priced(round_=round_), 1)
        made.publish(PriceSent(priced().pair, round_, 250_000, 1), 1)
    assert kinds(made) == ["start", "round", "price"]
    made.publish(priced(300_000, round_=6), 1)
    made.publish(PriceLost(), 1)
    made.publish(priced(300_000, round_=6), 1)
    assert kinds(made)[3:] == ["price", "price", "price"]


def test_chronicle_is_bounded_and_says_what_is_gone() -> None:
    made = chronicle()
    made.publish(decided(), 1)
    for number in range(EVENTS_MAX + 5):
        made.publish(Noted(str(number)), 1)
    kept = made.since(0)
    assert len(kept) == EVENTS_MAX
    assert kept[0].number == made.newest - EVENTS_MAX + 1
    assert made.since(made.newest) == []
    assert len(made.changes("lamp", 5)) == 1, "a load's own changes are not pushed out by others"


def test_changes_are_the_last_ones_of_that_load_the_newest_last() -> None:
    made = chronicle()
    for number in range(CHANGES_MAX + 5):
        made.publish(decided("lamp", Why.NO_GRANT if number % 2 else Why.STARTING), number)
    made.publish(decided("pump"), 1)
    lamp = made.changes("lamp", 2)
    assert [change["t_ns"] for change in lamp] == [CHANGES_MAX + 3, CHANGES_MAX + 4]
    assert len(made.changes("lamp", CHANGES_MAX + 1)) == CHANGES_MAX
    assert made.changes("lamp", 0) == []
    assert made.changes("fan", 5) == []
