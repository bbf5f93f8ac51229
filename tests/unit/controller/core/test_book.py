"""The book: what may still be granted, and what a new broker may not grant yet (P3, P6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import TIMING, report, step

from rackgrid.core import book
from rackgrid.core.book import Book, Choice
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import ClaimReport, Report, StepReport

ANNA, BERT, CARL = NodeId(1), NodeId(2), NodeId(3)
T_END = TIMING.stretched(TIMING.authority_ns)
G_END = TIMING.stretched(TIMING.grant_ns) + TIMING.margin_ns
NOW = 100 * SECOND_NS


def told(
    held: Book, node: NodeId, said: Report, *, sent_ns: int = NOW, boot: int = 1, now_ns: int = NOW
) -> Book:
    return book.reported(held, node, BootId(boot), said, sent_ns, now_ns, TIMING)


def holding(mw: int, ms: int = 2000, seq: int = 1) -> Report:
    return report(seq, holding_mw=mw, holding_ms=ms)


# --- accounts --------------------------------------------------------------------------------


def test_counted_all_accounts_add_up() -> None:
    held = told(told(Book(), ANNA, holding(4000)), BERT, holding(6000))
    assert held.counted_mw(NOW) == 10_000


def test_reported_first_word_of_a_node_is_what_may_be_inherited() -> None:
    held = told(Book(), ANNA, holding(4000, 2000), sent_ns=NOW - 5)
    held = told(held, ANNA, holding(9000, 2500, seq=2))
    first = held.inherited[ANNA]
    # The rest was rounded up to a whole ms, so one is taken off again: it lasts at least so long.
    assert (first.power_mw, first.lasts_ns) == (4000, NOW - 5 + 1999 * MS_NS)
    assert held.accounts[ANNA].report.holding_mw == 9000


def test_reported_new_boot_inherits_no_more_than_it_adopted() -> None:
    """Fails if a rebooted node may be given, while the book is closed, what its dead boot held."""
    held = told(Book(), ANNA, holding(4000), sent_ns=NOW - 1)
    held = told(held, ANNA, holding(1000), boot=2)
    assert held.inherited[ANNA].power_mw == 1000
    assert held.counted_mw(NOW) == 5000


def test_reported_new_boot_renews_no_more_than_its_dead_one_could() -> None:
    held = told(Book(), ANNA, holding(4000), sent_ns=NOW - 1)
    held = told(held, ANNA, holding(6000), boot=2)
    assert held.accounts[ANNA].renewable_mw(NOW) == 4000


# --- takeover --------------------------------------------------------------------------------


def closed(*nodes: tuple[NodeId, int, int]) -> Book:
    """A book past its first majority, with (node, mW, ms) as first reported."""
    held = Book()
    for node, mw, ms in nodes:
        held = told(held, node, holding(mw, ms))
    return book.majority_reached(held, NOW)


def test_majority_reached_is_noted_once() -> None:
    held = book.majority_reached(Book(), NOW)
    assert book.majority_reached(held, NOW + 1).first_majority_ns == NOW


def test_opens_before_the_first_majority_is_never() -> None:
    assert book.opens_ns(Book(), TIMING) is None
    nobody = book.settled(Book(), frozenset(), NOW, TIMING)
    assert not nobody.opened


def test_opens_after_every_older_authority_and_then_every_older_grant_is_over() -> None:
    opens = book.opens_ns(closed(), TIMING)
    assert opens == NOW + T_END + G_END


@pytest.mark.parametrize(("late_ns", "opened"), [(-1, False), (0, True)])
def test_settled_by_time_alone_opens_at_that_moment(late_ns: int, opened: bool) -> None:
    held, now_ns = closed((ANNA, 0, 0)), NOW + T_END + G_END + late_ns
    nodes = frozenset({ANNA, BERT})
    assert book.settled(held, nodes, now_ns, TIMING).opened is opened


def test_settled_every_rostered_node_acked_opens_at_once() -> None:
    held = closed((ANNA, 0, 0), (BERT, 5, 5))
    assert book.settled(held, frozenset({ANNA, BERT}), NOW, TIMING).opened


def test_settled_what_ended_before_all_had_acked_is_no_title() -> None:
    """Fails if what a predecessor may have given to another is renewed for the first, too."""
    held = closed((ANNA, 4000, 1), (BERT, 6000, 2000))
    held = book.settled(held, frozenset((ANNA, BERT)), NOW + MS_NS, TIMING)
    assert held.accounts[ANNA].kept_mw == 0
    assert held.accounts[BERT].kept_mw == 6000


def test_settled_first_word_after_the_opening_is_no_title() -> None:
    held = book.settled(closed((ANNA, 0, 0)), frozenset((ANNA,)), NOW, TIMING)
    assert told(held, BERT, holding(6000)).accounts[BERT].kept_mw == 0


def test_settled_open_book_stays_open() -> None:
    held = replace(closed(), opened=True)
    assert book.settled(held, frozenset({ANNA}), NOW, TIMING) is held


def test_limit_open_book_has_none() -> None:
    assert book.limit_mw(replace(closed(), opened=True), ANNA, TIMING) is None


def test_limit_closed_book_renews_what_lasts_beyond_every_older_authority() -> None:
    # h + rem >= end, where rem is 1 ms less than was said (it was rounded up).
    enough_ms = -(-T_END // MS_NS) + 1
    held = closed((ANNA, 4000, enough_ms), (BERT, 6000, enough_ms - 1))
    assert book.limit_mw(held, ANNA, TIMING) == 4000
    assert book.limit_mw(held, BERT, TIMING) == 0


def test_limit_closed_book_gives_nothing_to_whoever_has_not_reported() -> None:
    assert book.limit_mw(closed((ANNA, 4000, 2000)), BERT, TIMING) == 0


def test_limit_without_a_first_majority_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        book.limit_mw(Book(), ANNA, TIMING)


# --- handed over -----------------------------------------------------------------------------


def claims(node: NodeId, mw: int, *, ms: int = 2000, old_mw: int = 0, boot: int = 1) -> ClaimReport:
    return ClaimReport(node, BootId(boot), mw, ms if mw else 0, old_mw, ms if old_mw else 0)


def handed(held: Book, *table: ClaimReport) -> Book:
    return book.handed_over(held, table, NOW, TIMING)


def test_handed_over_book_is_open_and_counts_the_table() -> None:
    held = handed(Book(), claims(ANNA, 4000), claims(BERT, 6000, old_mw=500))
    assert held.opened
    assert (held.counted_mw(NOW), held.handed_mw(NOW)) == (10_500, 10_500)
    assert held.counted_mw(NOW + TIMING.stretched(2000 * MS_NS)) == 0


def test_handed_over_node_that_has_reported_counts_by_its_own_word() -> None:
    held = handed(closed((ANNA, 1000, 2000)), claims(ANNA, 4000, old_mw=300))
    assert held.handed == {}
    assert held.counted_mw(NOW) == 1300


def test_handed_over_node_that_has_reported_from_another_boot_counts_beside_it() -> None:
    """Fails if a reboot between two brokers forgets what the dead boot may draw."""
    held = handed(closed((ANNA, 1000, 2000)), claims(ANNA, 4000, old_mw=300, boot=7))
    assert held.counted_mw(NOW) == 5300


def test_handed_over_nobody_renews_more_than_the_table_counts() -> None:
    held = handed(closed((ANNA, 4000, 2000), (BERT, 6000, 2000)), claims(ANNA, 1000))
    assert (held.accounts[ANNA].kept_mw, held.accounts[BERT].kept_mw) == (1000, 0)


def test_reported_node_of_the_table_takes_its_own_boots_claim_over() -> None:
    table = handed(Book(), claims(ANNA, 4000, old_mw=300), claims(BERT, 6000))
    assert told(table, ANNA, holding(1000)).counted_mw(NOW) == 7300
    assert told(table, ANNA, holding(1000), boot=2).counted_mw(NOW) == 11_300
    assert told(table, ANNA, holding(1000)).handed.keys() == {BERT}


def test_table_tells_of_all_that_is_counted_and_of_nobody_else() -> None:
    held = handed(closed((ANNA, 4000, 2000), (CARL, 0, 0)), claims(BERT, 6000))
    word = book.table(held, NOW)
    assert {line.node: line.running_mw for line in word} == {ANNA: 4000, BERT: 6000}
    late_ns = NOW + 100 * SECOND_NS
    assert book.table(held, late_ns) == ()


CLAIMS = st.builds(
    ClaimReport,
    st.sampled_from((ANNA, BERT, CARL)),
    st.sampled_from((BootId(1), BootId(2))),
    st.integers(0, 900),
    st.integers(0, 3000),
    st.integers(0, 900),
    st.integers(0, 3000),
)
WORDS = st.lists(
    st.tuples(
        st.sampled_from((ANNA, BERT, CARL)),
        st.sampled_from((1, 2, 3)),
        st.integers(0, 900),
        st.integers(0, 3000),
    ),
    max_size=6,
)


@given(
    WORDS,
    st.lists(CLAIMS, max_size=3, unique_by=lambda c: c.node).map(tuple),
    WORDS,
    st.integers(0, 4000),
)
def test_handed_over_anything_is_counted_until_its_end_but_for_the_boots_own_word(
    before: list[tuple[NodeId, int, int, int]],
    table: tuple[ClaimReport, ...],
    after: list[tuple[NodeId, int, int, int]],
    later_ms: int,
) -> None:
    """What was handed over is less only by what the very boot has said of itself this term."""
    held, own = Book(), dict[NodeId, BootId]()
    for rows in (before, after):
        for seq, (node, boot, mw, ms) in enumerate(rows, 1 + 10 * (rows is after)):
            held = told(held, node, holding(mw, ms, seq), boot=boot)
        if rows is before:
            own = {node: held.accounts[node].boot for node in held.accounts}
            held = handed(held, *table)
    then_ns = NOW + later_ms * MS_NS

    def alive(mw: int, ms: int) -> int:
        return mw if NOW + TIMING.stretched(ms * MS_NS) > then_ns else 0

    for line in table:
        account, waiting = held.accounts.get(line.node), held.handed.get(line.node)
        counted = account.counted_mw(then_ns) if account else 0
        counted += waiting.counted_mw(then_ns) if waiting else 0
        least = alive(line.old_mw, line.old_ms)
        first = own.get(line.node) or next((BootId(b) for n, b, *_ in after if n == line.node), 0)
        if first != line.boot:
            least += alive(line.running_mw, line.running_ms)
        assert counted >= least


# --- choosing --------------------------------------------------------------------------------


def test_choose_room_for_everything_takes_everything() -> None:
    steps = (step(5, 1000), step(9, 2000))
    assert book.choose(steps, 0b11, 0, 3000, None) == Choice(3000, 0b11, wanting=False)


def test_choose_not_wanted_is_not_chosen() -> None:
    steps = (step(5, 1000), step(9, 2000))
    assert book.choose(steps, 0b01, 0, 3000, None) == Choice(1000, 0b01, wanting=False)


def test_choose_scarce_room_takes_running_first_and_then_the_dearest() -> None:
    steps = (step(9, 2000), step(5, 2000, running=True), step(7, 2000), step(8, 1000))
    assert book.choose(steps, 0b1111, 2000, 3000, None) == Choice(5000, 0b1011, wanting=True)


def test_choose_renewal_is_free_even_if_the_book_is_overbooked() -> None:
    steps = (step(5, 2000, running=True),)
    assert book.choose(steps, 1, 2000, -9000, None) == Choice(2000, 1, wanting=False)


def test_choose_starting_reserves_its_inrush() -> None:
    steps = (step(5, 2000, 3000),)
    assert book.choose(steps, 1, 0, 2999, None) == Choice(0, 0, wanting=True)


def test_choose_limit_stands_above_the_room() -> None:
    steps = (step(5, 2000, running=True), step(4, 1000, running=True))
    assert book.choose(steps, 0b11, 0, 9000, 2500) == Choice(2000, 0b01, wanting=True)


def test_choose_under_a_limit_renews_what_runs_and_starts_nothing() -> None:
    """What was reported as held may be a meter's error: it is no title to start a load."""
    steps = (step(5, 2000, running=True), step(9, 1000))
    assert book.choose(steps, 0b11, 0, 9000, 9000) == Choice(2000, 0b01, wanting=True)


def made_step(worth_uc: int, power_mw: int, more_mw: int, running: bool) -> StepReport:
    return StepReport(worth_uc, power_mw, power_mw + more_mw, running)


STEPS = st.lists(
    st.builds(made_step, st.integers(-5, 5), st.integers(0, 50), st.integers(0, 20), st.booleans()),
    max_size=8,
)


@given(
    STEPS,
    st.integers(0, 255),
    st.integers(0, 200),
    st.integers(-200, 200),
    st.none() | st.integers(0, 200),
)
def test_choose_anything_is_never_above_the_limit_nor_the_room_beyond_what_is_held(
    steps: list[StepReport], wanted: int, held: int, room: int, limit: int | None
) -> None:
    wanted &= (1 << len(steps)) - 1
    choice = book.choose(tuple(steps), wanted, held, room, limit)
    chosen = [s for i, s in enumerate(steps) if choice.mask >> i & 1]
    assert choice.power_mw == sum(s.reserve_mw for s in chosen)
    assert choice.power_mw <= held + max(0, room)
    assert limit is None or choice.power_mw <= limit
    assert limit is None or all(s.running for s in chosen)
    assert choice.mask & ~wanted == 0
    assert choice.wanting == (choice.mask != wanted)
