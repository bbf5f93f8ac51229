"""The agent: it bids, takes grants (P2), applies prices, and says why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.desk import (
    END,
    LAMP_ON,
    NOW,
    TOLD,
    G,
    agent,
    granted,
    price,
    priced,
)
from tests.unit.controller.core.stage import (
    BOOT,
    LOADS,
    ME,
    SPECS,
    UC,
    attached,
    board,
    boards,
    line,
    output,
    pair,
    reading,
    spec,
)

from rackgrid.core import agent as agents
from rackgrid.core.action import PriceApplied, PriceLost
from rackgrid.core.agent import BIDS_MAX, Agent, SentBid
from rackgrid.core.settings import MS_NS, SECOND_NS, LoadSettings
from rackgrid.identity import BootId, Pair, Term
from rackgrid.market.offer import Offer
from rackgrid.wire.message import Allotment, OfferReport
from rackgrid.wire.vocabulary import LoadKind


def allotment(bid_seq: int, mw: int = 9000, accepted: int = 1, boot: BootId = BOOT) -> Allotment:
    return Allotment(ME, boot, bid_seq, mw, accepted)


def bid_at(held: Agent, now_ns: int) -> Agent:
    return agents.bid(held, TOLD, now_ns)[0]


# --- bidding ---------------------------------------------------------------------------------


def test_bid_every_startable_load_is_a_step_with_its_inrush() -> None:
    held, said = agents.bid(agent(), TOLD, NOW)
    assert [(s.worth_uc, s.power_mw, s.reserve_mw, s.running) for s in said.steps] == [
        (400_000, 6000, 9000, False),
        (300_000, 4000, 6000, False),
    ]
    assert (said.bid_seq, held.bids[-1].loads, held.bids[-1].sent_ns) == (1, ("lamp", "pump"), NOW)


def test_bid_reports_what_is_held_drawn_and_offered() -> None:
    held = granted(agent(LAMP_ON), "lamp", power_mw=6000, until_ns=NOW + 3 * MS_NS)
    held = replace(held, broker=pair(1), taken=(pair(1), 7), offers=(Offer("sun", 5, 100),))
    said = agents.bid(held, TOLD, NOW)[1]
    assert (said.holding_mw, said.holding_ms, said.round_taken) == (6000, 1000, 7)
    assert (said.draw_mw, said.required_mw) == (11_000, 5000)
    assert said.offers == (OfferReport("sun", 5, 100),)
    assert said.capacity_mw == 60_000


def test_with_whole_floor_adds_what_is_drawn_beyond_the_line_and_within_the_own_floor() -> None:
    told, of = agents.bid(agent(), TOLD, NOW)[1], board()
    for reserved_mw, drawn_mw, excess_mw in (
        (5000, 5000, 0),
        (4000, 5000, 1000),
        (4000, 3000, 0),
        (4000, 9000, 1000),
    ):
        said = replace(told, required_mw=drawn_mw)
        whole = agents.with_whole_floor(said, of, line(ME, reserved_mw))
        assert whole == replace(said, excess_mw=excess_mw)


def test_bid_load_inside_its_min_off_is_no_step() -> None:
    resting = output("lamp", may_switch_ns=NOW + 1)
    assert [s.power_mw for s in agents.bid(agent(resting), TOLD, NOW)[1].steps] == [4000]


def test_bid_load_inside_its_min_on_bids_the_cap() -> None:
    held = agent(replace(LAMP_ON, may_switch_ns=NOW + 1))
    step = agents.bid(held, TOLD, NOW)[1].steps[0]
    assert (step.worth_uc, step.running) == (TOLD.price_cap_uc, True)
    assert agents.bid_now(held, LOADS[1], TOLD, NOW) == TOLD.price_cap_uc
    assert agents.bid_now(held, LOADS[1], TOLD, NOW + 1) == 400_000


def test_bid_leaving_node_bids_nothing() -> None:
    assert agents.bid(replace(agent(), leaving=True), TOLD, NOW)[1].steps == ()


def test_bid_load_without_an_output_or_required_by_the_board_is_no_step() -> None:
    specs = (SPECS[0], spec("lamp", 6000, required=True))
    held = Agent(board=boards.attached(attached((output("lamp", on=True),), specs)))
    assert agents.bid(held, TOLD, NOW)[1].steps == ()


def test_bid_remembers_a_limited_number() -> None:
    held = agent()
    for _ in range(BIDS_MAX + 3):
        held = bid_at(held, NOW)
    assert [b.seq for b in held.bids] == list(range(4, BIDS_MAX + 4))


def test_bid_without_the_firmware_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        agents.bid(Agent(), TOLD, NOW)


# --- beyond the grant (P8) -------------------------------------------------------------------


def test_beyond_without_the_firmware_or_within_the_grant_is_nothing() -> None:
    assert agents.beyond_mw(Agent(), NOW) == 0
    assert agents.beyond_mw(agent(), NOW) == 0
    assert agents.beyond_mw(granted(agent(LAMP_ON), "lamp", power_mw=6000), NOW) == 0


def test_beyond_running_load_that_draws_more_than_was_granted_counts() -> None:
    held = granted(agent(LAMP_ON), "lamp", power_mw=6000)
    assert held.board is not None
    lies = boards.read(held.board, {"m-lamp": reading("m-lamp", 7.5, NOW)})
    assert agents.beyond_mw(replace(held, board=lies), NOW) == 1500
    assert agents.beyond_mw(replace(held, grant=None), NOW) == 6000


def test_beyond_includes_what_no_grant_can_end() -> None:
    held = agent()
    assert held.board is not None
    held = replace(held, board=replace(held.board, excess_mw=6000))
    assert agents.beyond_mw(held, NOW) == 6000
    assert agents.bid(held, TOLD, NOW)[1].excess_mw == 6000


# --- taking grants (P2) ----------------------------------------------------------------------


def took(held: Agent, seq: int, round_: int, *, at: int = NOW, of: Pair | None = None) -> Agent:
    return agents.allotted(held, of or pair(1), round_, allotment(seq), G, at)


def following() -> Agent:
    return agents.followed(bid_at(bid_at(agent(), NOW), NOW + 5), pair(1))


def test_allotted_own_bid_expires_g_after_it_was_sent() -> None:
    held = took(following(), 1, 1, at=NOW + 10**9)
    assert held.grant is not None
    assert held.grant.deadline_ns == NOW + G
    assert held.grant.loads == {"lamp"}
    assert held.refused == {"pump"}
    assert (held.taken, held.taken_bid) == ((pair(1), 1), 1)


def test_allotted_more_than_was_asked_for_is_taken_as_what_was_asked_for() -> None:
    held = following()
    asked_mw = held.bids[1].asked_mw
    assert asked_mw == sum(step.reserve_mw for step in agents.bid(held, TOLD, NOW)[1].steps) > 0
    lot = replace(allotment(2), grant_mw=4_294_967_295)
    held = agents.allotted(held, pair(1), 1, lot, G, NOW + 10)
    assert held.grant is not None
    assert held.grant.power_mw == agents.holding_mw(held, NOW + 10) == asked_mw


@pytest.mark.parametrize(
    ("seq", "round_", "at", "why"),
    [
        (3, 6, NOW, "a bid that was never sent"),
        (0, 6, NOW, "no bid"),
        (1, 6, NOW, "an older bid than the one answered last"),
        (2, 5, NOW, "the round that was taken last"),
        (2, 4, NOW, "an older round"),
        (2, 6, NOW + 5 + G, "a bid whose grant has expired"),
    ],
)
def test_allotted_grant_that_p2_forbids_is_not_taken(
    seq: int, round_: int, at: int, why: str
) -> None:
    held = took(following(), 2, 5)
    assert took(held, seq, round_, at=at) is held, why


def test_allotted_lower_pair_than_the_one_taken_from_is_not_taken() -> None:
    held = took(agents.followed(following(), pair(2)), 2, 1, of=pair(2))
    assert took(held, 2, 9, of=pair(1)) is held


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2 * G)), max_size=12)
)
def test_allotted_any_order_never_outlives_its_bid_nor_goes_back(
    offered: list[tuple[int, int, int]],
) -> None:
    held, sent = agents.followed(agent(), pair(1)), dict[int, int]()
    for number in range(1, 5):
        held = bid_at(held, NOW + number)
        sent[number] = NOW + number
    for seq, round_, after in offered:
        before = held
        held = took(held, seq, round_, at=NOW + 4 + after)
        if held is before:
            continue
        assert held.grant is not None
        assert held.grant.deadline_ns == sent[seq] + G > NOW + 4 + after
        assert held.taken > before.taken
        assert held.taken_bid >= before.taken_bid


def test_followed_new_broker_counts_its_rounds_anew_and_the_grant_runs_on() -> None:
    held = took(following(), 2, 5)
    new = agents.followed(held, pair(2))
    assert (new.grant, new.taken_bid) == (held.grant, 2)
    assert agents.followed(new, pair(2)) is new
    assert [agents.bid(who, TOLD, NOW + 9)[1].round_taken for who in (held, new)] == [5, 0]


def test_followed_lower_pair_again_its_earlier_rounds_stay_taken() -> None:
    """A late copy of round 4 may hold watts that the broker has given away since round 5."""
    held = took(following(), 2, 5)
    back = agents.followed(agents.followed(held, pair(3)), pair(1))
    assert took(back, 2, 4) is back
    assert agents.bid(back, TOLD, NOW + 9)[1].round_taken == 5
    assert took(back, 2, 6).taken == (pair(1), 6)


def test_followed_lower_pair_after_one_that_was_never_acked_can_be_taken_from() -> None:
    """A node that only heard a COORDINATOR, and then a lower broker, must not stay dark."""
    held = agents.followed(agents.followed(following(), pair(3)), pair(2))
    assert took(held, 2, 1, of=pair(2)).grant is not None


# --- prices ----------------------------------------------------------------------------------


def test_priced_first_price_is_applied_for_its_validity() -> None:
    held, actions = agents.priced(agent(), price(), NOW)
    assert actions == [PriceApplied(pair(1), 1, 250_000, 2000 * MS_NS, scarce=False)]
    assert held.price is not None
    assert held.price.until_ns == NOW + 2000 * MS_NS


@pytest.mark.parametrize("round_", [3, 4])
def test_priced_repeated_or_older_round_is_not_applied_nor_prolonged(round_: int) -> None:
    held, _ = agents.priced(agent(), price(4), NOW)
    again, actions = agents.priced(held, price(round_, 999), NOW + 5)
    assert (again.price, actions) == (held.price, [])


def test_priced_new_pair_begins_at_any_round() -> None:
    held, _ = agents.priced(agent(), price(4), NOW)
    _, actions = agents.priced(held, price(1, 777, of=pair(2)), NOW)
    assert [a.price_uc for a in actions if isinstance(a, PriceApplied)] == [777]


def test_lapsed_expired_price_is_unknown_and_never_the_last_one() -> None:
    held, _ = agents.priced(agent(), price(), NOW)
    until = NOW + 2000 * MS_NS
    assert agents.lapsed(held, until - 1) == (held, [])
    gone, actions = agents.lapsed(replace(held, refused=frozenset({"lamp"})), until)
    assert gone.price is None
    assert gone.refused == frozenset()
    assert actions == [PriceLost()]
    assert agents.lapsed(gone, until + 1) == (gone, [])


def test_lapsed_grant_ends_at_its_deadline() -> None:
    held = granted(agent(), "lamp")
    assert agents.lapsed(held, END - 1)[0].grant is not None
    assert agents.lapsed(held, END)[0].grant is None


def test_next_deadline_is_the_first_end_or_none() -> None:
    assert agents.next_deadline_ns(agent()) is None
    held = priced(granted(agent(), until_ns=END - 5), 1)
    assert agents.next_deadline_ns(held) == END - 5
    assert agents.next_deadline_ns(replace(held, grant=None)) == END


# --- adopting (more of it beside the judging) -----------------------------------------------


def test_attached_again_keeps_a_grant_of_this_boot() -> None:
    held = took(following(), 2, 5)
    again = agents.attached(held, board(LAMP_ON), TOLD, NOW)
    assert again.grant == held.grant
    assert dict(again.commanded) == {}


def test_attached_adopted_grant_gives_way_to_the_first_real_one() -> None:
    held = agents.attached(Agent(), board(LAMP_ON), TOLD, NOW)
    new = took(agents.followed(bid_at(held, NOW), pair(1)), 1, 1)
    assert new.grant is not None
    assert new.grant.pair == pair(1)


@pytest.mark.parametrize(
    ("accepted", "loads", "stages"),
    [
        (0b0111, {"pump", "lamp"}, {"lamp": 2}),
        (0b1011, {"pump", "lamp"}, {}),
        (0b1101, {"pump"}, {}),
        (0b1111, {"pump", "lamp"}, {"lamp": 3}),
        (0b0000, set[str](), {}),
    ],
)
def test_allotted_stage_rests_on_those_before_it(
    accepted: int, loads: set[str], stages: dict[str, int]
) -> None:
    held = replace(agent(), bids=(SentBid(5, NOW, ("pump", "lamp", "lamp", "lamp"), 9000),))
    lot = Allotment(ME, BOOT, 5, 9000, accepted)
    grant = agents.allotted(held, Pair(Term(3), ME, BOOT), 1, lot, SECOND_NS, NOW).grant
    assert grant is not None
    assert (grant.loads, dict(grant.stages)) == (loads, stages)


# --- what a start costs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "off_uc"), [(LoadKind.FLEXIBLE, 400_000 - 60_000), (LoadKind.DEADLINE, 400_000)]
)
def test_worth_of_a_load_counts_what_a_start_costs(kind: LoadKind, off_uc: int) -> None:
    # 60 nano-currency, spread over the 3.6 kJ that 6 W are in ten minutes.
    lamp = LoadSettings("lamp", "lamp", 400_000, start_cost_nc=60_000, kind=kind)
    off = Agent(board=board())
    lit = Agent(board=board(output("lamp", on=True)))
    assert agents.worth_of(off, lamp, 10 * UC) == off_uc
    assert agents.worth_of(lit, lamp, 10 * UC) == 460_000
    assert agents.worth_of(Agent(), lamp, 10 * UC) == 400_000, "nobody knows how it stands"
    assert agents.worth_of(off, lamp, 400_000) == 400_000, "it has to run"


def test_worth_of_what_is_dimmed_spreads_a_start_over_its_least_level() -> None:
    lamp = LoadSettings("lamp", "lamp", 400_000, (400_000, 200_000), start_cost_nc=60_000)
    made = board()
    specs = {**made.specs, "lamp": replace(made.specs["lamp"], min_level=500)}
    off = Agent(board=replace(made, specs=specs))
    assert agents.worth_of(off, lamp, 10 * UC) == 400_000 - 120_000
