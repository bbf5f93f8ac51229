"""Fails if the chronicle grows without end, tells noise, or forgets a quiet load's last change."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from tests.unit.controller.adapters.story import SECOND, cleared, decided, judged, priced

from rackgrid.adapters import chronicle as chronicles
from rackgrid.adapters.chronicle import (
    CHANGES_MAX,
    EVENTS_MAX,
    LISTENERS_MAX,
    Chronicle,
    Listener,
    Told,
)
from rackgrid.core.action import Noted, PriceLost, PriceSent
from rackgrid.market.curve import Step
from rackgrid.wire.vocabulary import Why

LAMP = Step(400_000, 6000, 9000, running=True)
WALL_NS = 1_772_366_400 * SECOND


def chronicle(wall_ns: int | None = None) -> Chronicle:
    return Chronicle("pi-1", "0a", lambda: wall_ns, lambda: 100 * SECOND)


def kinds(of: Chronicle) -> list[str]:
    return [told.kind for told in of.since(0)]


def line_of(told: Told) -> dict[str, object]:
    return json.loads(told.data)


def test_chronicle_begins_with_the_start_of_the_node() -> None:
    (first,) = chronicle().since(0)
    line = line_of(first)
    assert (first.number, first.kind, line["boot"]) == (1, "start", "0a")
    assert (line["node"], line["event"], line["time"]) == ("pi-1", "start", None)


def test_chronicle_dates_events_once_the_time_of_day_is_known() -> None:
    made = chronicle(WALL_NS)
    made.publish(Noted("careful"), 99 * SECOND)
    line = line_of(made.since(1)[0])
    assert (line["time"], line["t_ns"]) == ("2026-03-01T11:59:59.000Z", 99 * SECOND)


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


def test_chronicle_tells_of_trust_before_the_round_that_it_counts_from() -> None:
    made = chronicle()
    made.publish(cleared(LAMP, round_=1), 1)
    made.publish(judged(2, 1400, is_news=False), 2)
    made.publish(cleared(LAMP, round_=2), 2)
    assert kinds(made)[1:] == ["round"], "it waits: neither says anything new"
    made.publish(cleared(replace(LAMP, worth_uc=300_000), round_=3), 3)
    assert kinds(made)[2:] == ["trust", "round"]
    assert line_of(made.since(2)[0])["round"] == 3
    made.publish(judged(), 4)
    made.publish(cleared(replace(LAMP, worth_uc=300_000), round_=4), 4)
    assert kinds(made)[4:] == ["trust", "round"], "although the round is as before"


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


def test_chronicle_hands_every_line_to_the_record_with_its_date() -> None:
    kept: list[tuple[bytes, str | None, int]] = []

    def keep(data: bytes, time: str | None, t_ns: int) -> None:
        kept.append((data, time, t_ns))

    made = Chronicle("pi-1", "0a", lambda: WALL_NS, lambda: 100 * SECOND, keep)
    made.publish(priced(), 99 * SECOND)
    made.publish(priced(round_=4), 99 * SECOND)
    assert [data for data, _, _ in kept] == [told.data for told in made.since(0)]
    assert kept[1][1:] == ("2026-03-01T11:59:59.000Z", 99 * SECOND)


# --- listeners -----------------------------------------------------------------------------------


def listening(of: Chronicle, number: int = 0) -> Listener:
    listener = of.listen(number)
    assert listener is not None
    return listener


def test_listener_takes_each_event_once_in_order() -> None:
    made = chronicle()
    listener = listening(made)
    made.publish(Noted("one"), 1)
    made.publish(Noted("two"), 1)
    assert [told.number for told in listener.take(2)[1]] == [1, 2]
    assert listener.behind == 1
    assert [told.number for told in listener.take(2)[1]] == [3]
    assert (listener.take(2), listener.behind) == ((0, []), 0)


def test_listener_that_falls_behind_is_told_what_it_lost() -> None:
    made = chronicle()
    listener = listening(made)
    for number in range(EVENTS_MAX + 9):
        made.publish(Noted(str(number)), 1)
    lost, found = listener.take(1)
    assert (lost, found[0].number) == (10, 11)
    assert listener.take(1)[0] == 0, "once"


def test_chronicle_of_long_events_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicles, "BYTES_MAX", 1000)
    made = chronicle()
    listener = listening(made)
    for _ in range(30):
        made.publish(Noted("x" * 100), 1)
    assert 0 < sum(len(told.data) for told in made.since(0)) <= 1000
    made.publish(Noted("x" * 2000), 1)
    assert made.since(0) == []
    assert listener.take(9) == (32, []), "it goes on, and knows that all of it is lost"
    assert listener.behind == 0


def test_listener_is_rung_by_an_event_and_by_the_end() -> None:
    async def play() -> None:
        made = chronicle()
        listener = listening(made, made.newest)
        waiting = asyncio.create_task(listener.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        made.publish(Noted("one"), 1)
        await asyncio.wait_for(waiting, 5)
        made.close()
        await asyncio.wait_for(listener.wait(), 5)
        assert listener.ended

    asyncio.run(play())


def test_listeners_are_a_few_and_each_that_leaves_makes_room() -> None:
    made = chronicle()
    listeners = [listening(made) for _ in range(LISTENERS_MAX)]
    assert made.listen(0) is None
    listeners[3].leave()
    assert made.listen(0) is not None
