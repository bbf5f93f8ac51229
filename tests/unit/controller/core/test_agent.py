"""The agent: it bids, takes grants (P2), applies prices, and says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import (
    BOOT,
    LOADS,
    ME,
    SPECS,
    TIMING,
    attached,
    board,
    boards,
    commands,
    output,
    pair,
    settings,
    spec,
)

from rackgrid.core import agent as agents
from rackgrid.core.action import LoadDecided, PriceApplied, PriceLost
from rackgrid.core.agent import BIDS_MAX, Agent, PriceInForce
from rackgrid.core.grant import Grant
from rackgrid.core.settings import MS_NS, LoadSettings, NodeSettings
from rackgrid.identity import NO_PAIR, BootId, NodeId, Pair, Round
from rackgrid.market.offer import Offer
from rackgrid.wire.message import Allotment, OfferReport, Price, Why, pair_wire
from rackgrid_firmware.device import Verdict
from rackgrid_firmware.link import Hold, OutputState, Release

NOW = 10**12
G = TIMING.grant_ns
END = NOW + G
LATER = NOW + 10**9
TOLD = settings()
LAMP_ON = output("lamp", on=True, since_ns=NOW - 10**9, deadline_ns=LATER)
PUMP_ON = output("pump", on=True, since_ns=NOW - 10**9, deadline_ns=LATER)


def agent(*changed: OutputState) -> Agent:
    return Agent(board=board(*changed), capacity_mw=60_000)


def priced(held: Agent, price_uc: int) -> Agent:
    return replace(held, price=PriceInForce(pair(1), 1, price_uc, END, scarce=False))


def granted(held: Agent, *loads: str, power_mw: int = 20_000, until_ns: int = END) -> Agent:
    return replace(held, grant=Grant(pair(1), 1, 1, power_mw, frozenset(loads), until_ns))


def price(
    round_: int = 1, price_uc: int = 250_000, valid_ms: int = 2000, of: Pair | None = None
) -> Price:
    return Price(pair_wire(of or pair(1)), Round(round_), price_uc, valid_ms, 0, 0, 0, 0, False, ())


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
    held = replace(held, taken=(pair(1), 7), offers=(Offer("sun", 5, 100),))
    said = agents.bid(held, TOLD, NOW)[1]
    assert (said.holding_mw, said.holding_ms, said.round_taken) == (6000, 1000, 7)
    assert (said.draw_mw, said.required_mw) == (11_000, 5000)
    assert said.offers == (OfferReport("sun", 5, 100),)
    assert said.capacity_mw == 60_000


def test_bid_load_inside_its_min_off_is_no_step() -> None:
    resting = output("lamp", may_switch_ns=NOW + 1)
    assert [s.power_mw for s in agents.bid(agent(resting), TOLD, NOW)[1].steps] == [4000]


def test_bid_load_inside_its_min_on_bids_the_cap() -> None:
    held = agent(replace(LAMP_ON, may_switch_ns=NOW + 1))
    step = agents.bid(held, TOLD, NOW)[1].steps[0]
    assert (step.worth_uc, step.running) == (TOLD.price_cap_uc, True)
    assert agents.worth_now(held, LOADS[1], TOLD, NOW) == TOLD.price_cap_uc
    assert agents.worth_now(held, LOADS[1], TOLD, NOW + 1) == 400_000


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
    assert (new.taken, new.grant, new.taken_bid) == ((pair(2), 0), held.grant, 2)
    assert agents.followed(new, pair(2)) is new


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


# --- judging ---------------------------------------------------------------------------------

DEAR, CHEAP = 500_000, 200_000


def why_of(held: Agent, load: str = "lamp", told: NodeSettings = TOLD) -> Why:
    """The reason that is published for a load."""
    _, actions = agents.decided(held, told, NOW)
    (decision,) = (
        a.decision for a in actions if isinstance(a, LoadDecided) and a.decision.load == load
    )
    return decision.why


def asked_of(held: Agent, name: str = "lamp", told: NodeSettings = TOLD) -> list[object]:
    """What the firmware is told about an output, but for what clears a predecessor's orders."""
    _, actions = agents.decided(held, told, NOW)
    return [c for c in commands(actions) if isinstance(c, Hold | Release) and c.output == name]


def test_decided_required_is_never_commanded() -> None:
    held = agent()
    assert why_of(held, "fan") is Why.REQUIRED
    assert asked_of(held, "fan") == []


def test_decided_worth_it_and_granted_starts_until_the_grants_deadline() -> None:
    held = granted(priced(agent(), CHEAP), "lamp")
    assert why_of(held) is Why.STARTING
    assert asked_of(held) == [Hold(1, "lamp", END)]


def test_decided_running_and_granted_is_renewed() -> None:
    held = granted(priced(agent(LAMP_ON), CHEAP), "lamp", power_mw=6000)
    assert why_of(held) is Why.WORTH_IT
    assert asked_of(held) == [Hold(1, "lamp", END)]


def test_decided_price_above_worth_is_released_and_min_on_may_hold_it() -> None:
    held = granted(priced(agent(LAMP_ON), DEAR), "lamp")
    assert why_of(held) is Why.PRICE_ABOVE_WORTH
    assert asked_of(held) == [Release(1, "lamp", urgent=False)]


def test_decided_inside_min_on_and_granted_runs_at_any_price() -> None:
    held = granted(priced(agent(replace(LAMP_ON, may_switch_ns=NOW + 1)), DEAR), "lamp")
    assert why_of(held) is Why.MIN_ON
    assert asked_of(held) == [Hold(1, "lamp", END)]


def test_decided_inside_min_off_waits_and_says_so() -> None:
    held = granted(priced(agent(output("lamp", may_switch_ns=NOW + 1)), CHEAP), "lamp")
    assert why_of(held) is Why.MIN_OFF


def test_decided_without_a_grant_is_urgently_released() -> None:
    held = priced(agent(LAMP_ON), CHEAP)
    assert why_of(held) is Why.NO_GRANT
    assert asked_of(held) == [Release(1, "lamp", urgent=True)]


def test_decided_grant_for_another_load_does_not_cover_this_one() -> None:
    assert why_of(granted(priced(agent(), CHEAP), "pump")) is Why.NO_GRANT


def test_decided_refused_by_the_clearing_does_not_fit() -> None:
    held = replace(priced(agent(), CHEAP), refused=frozenset({"lamp"}))
    assert why_of(held) is Why.DOES_NOT_FIT


def test_decided_opened_at_its_deadline_says_that_the_grant_expired() -> None:
    assert why_of(priced(agent(output("lamp", cause="deadline")), CHEAP)) is Why.GRANT_EXPIRED


def test_decided_expired_grant_covers_nothing() -> None:
    assert why_of(granted(priced(agent(), CHEAP), "lamp", until_ns=NOW)) is Why.NO_GRANT


def test_decided_price_unknown_starts_nothing_and_lets_run_what_is_granted() -> None:
    assert why_of(granted(agent(), "lamp")) is Why.PRICE_UNKNOWN
    assert not any(isinstance(c, Hold) for c in asked_of(granted(agent(), "lamp")))
    running = granted(agent(LAMP_ON), "lamp", until_ns=END)
    assert why_of(running) is Why.PRICE_UNKNOWN
    assert asked_of(running) == []


def test_decided_price_unknown_and_no_grant_is_released() -> None:
    assert asked_of(agent(LAMP_ON)) == [Release(1, "lamp", urgent=True)]


def test_decided_leaving_is_released_at_once() -> None:
    held = replace(granted(priced(agent(LAMP_ON), CHEAP), "lamp"), leaving=True)
    assert why_of(held) is Why.LEAVING
    assert asked_of(held) == [Release(1, "lamp", urgent=True)]


def test_decided_welded_output_is_a_fault() -> None:
    held = granted(priced(agent(replace(LAMP_ON, verdict=Verdict.WELDED)), CHEAP), "lamp")
    assert why_of(held) is Why.FAULT


def test_decided_firmware_that_was_lost_is_said_and_commanded_nothing() -> None:
    known = Agent(judged={"lamp": (True, Why.WORTH_IT)})
    held = granted(priced(known, CHEAP), "lamp")
    assert why_of(held) is Why.FIRMWARE_LOST
    assert asked_of(held) == []


def test_decided_firmware_that_was_never_heard_is_no_news() -> None:
    _, actions = agents.decided(granted(priced(Agent(), CHEAP), "lamp"), TOLD, NOW)
    assert actions == []


def test_decided_board_that_calls_a_load_required_holds() -> None:
    """Else the firmware refuses each hold, and each refusal asks for the next one."""
    specs = (SPECS[0], spec("lamp", 6000, required=True), SPECS[2])
    held = Agent(board=boards.attached(attached((output("lamp", on=True),), specs)))
    held = granted(priced(held, CHEAP), "lamp")
    assert why_of(held) is Why.REQUIRED
    assert asked_of(held) == []


def test_decided_load_without_a_worth_on_a_flexible_output_never_runs() -> None:
    told = settings(loads=(LoadSettings("lamp", "lamp", None),))
    assert why_of(granted(priced(agent(), CHEAP), "lamp"), told=told) is Why.NO_GRANT


def test_decided_every_reason_is_reached_by_a_test_above() -> None:
    """STARTING to FAULT: the table is whole when each rule of `Why` stands in this file."""
    source = Path(__file__).read_text(encoding="utf-8")
    assert [why.name for why in Why if f"is Why.{why.name}" not in source] == []


# --- lower before raise, inside one node -----------------------------------------------------


def test_decided_start_beyond_the_grants_watts_waits() -> None:
    """A grant given for a running load has no inrush in it: a restart must wait for another."""
    held = granted(priced(agent(), CHEAP), "lamp", power_mw=6000)
    assert why_of(held) is Why.NO_GRANT
    assert not any(isinstance(c, Hold) for c in asked_of(held))


def test_decided_swap_of_two_loads_starts_the_one_after_the_other_is_off() -> None:
    told = settings(loads=(LOADS[2], LOADS[1]))
    held = granted(priced(agent(LAMP_ON), CHEAP), "pump", power_mw=6000)
    held, actions = agents.decided(held, told, NOW)
    assert commands(actions) == [Release(2, "lamp", urgent=True)] or commands(actions)[-1] == (
        Release(2, "lamp", urgent=True)
    )
    assert not any(isinstance(c, Hold) for c in commands(actions))
    held = replace(held, board=replace(board(), handled=held.command_seq))
    _, actions = agents.decided(held, told, NOW)
    assert [c for c in commands(actions) if isinstance(c, Hold)] == [Hold(3, "pump", END)]


def test_decided_second_call_repeats_nothing() -> None:
    held, _ = agents.decided(granted(priced(agent(), CHEAP), "lamp"), TOLD, NOW)
    assert agents.decided(held, TOLD, NOW) == (held, [])


def test_decided_what_a_predecessor_may_have_left_waiting_is_released_once() -> None:
    """A start that waits in the firmware shows nowhere; a new link clears it."""
    held, actions = agents.decided(agent(), TOLD, NOW)
    assert commands(actions) == [Release(1, "lamp", True), Release(2, "pump", True)]
    assert commands(agents.decided(held, TOLD, NOW)[1]) == []


# --- holding ---------------------------------------------------------------------------------


def test_holding_is_the_larger_of_granted_and_switched() -> None:
    assert agents.holding_mw(Agent(), NOW) == 0
    assert agents.holding_mw(agent(LAMP_ON), NOW) == 6000
    assert agents.holding_mw(granted(agent(LAMP_ON), power_mw=2000), NOW) == 6000
    assert agents.holding_mw(granted(agent(LAMP_ON), power_mw=9000), NOW) == 9000
    assert agents.holding_mw(granted(agent(LAMP_ON), power_mw=9000, until_ns=NOW), NOW) == 6000


def test_holding_after_a_release_stays_until_the_firmware_has_decided() -> None:
    held, _ = agents.decided(priced(agent(LAMP_ON), CHEAP), TOLD, NOW)
    assert agents.holding_mw(held, NOW) == 6000
    off = replace(board(), handled=0)
    assert agents.holding_mw(replace(held, board=off), NOW) == 0
    told = granted(priced(agent(), CHEAP), "lamp", power_mw=9000)
    held, _ = agents.decided(told, TOLD, NOW)
    held, _ = agents.decided(replace(held, grant=None), TOLD, NOW)
    assert agents.holding_mw(held, NOW) == 9000
    decided = replace(board(), handled=held.command_seq)
    assert agents.holding_mw(replace(held, board=decided), NOW) == 0


# --- adopting --------------------------------------------------------------------------------


def test_attached_adopts_what_the_firmware_holds_until_its_first_deadline() -> None:
    short = replace(PUMP_ON, deadline_ns=LATER - 7)
    held = agents.attached(Agent(), board(LAMP_ON, short), TOLD, NOW)
    assert held.grant is not None
    assert (held.grant.power_mw, held.grant.deadline_ns) == (10_000, LATER - 7)
    assert held.grant.loads == {"lamp", "pump"}
    assert held.grant.pair == NO_PAIR
    priced_on = priced(held, CHEAP)
    assert [c for c in asked_of(priced_on) if isinstance(c, Release)] == []


def test_attached_nothing_on_adopts_nothing() -> None:
    assert agents.attached(Agent(), board(), TOLD, NOW).grant is None


def test_attached_output_that_no_load_names_runs_to_its_end_and_is_counted() -> None:
    told = settings(loads=(LOADS[0],))
    held = agents.attached(Agent(), board(LAMP_ON), told, NOW)
    assert held.grant is not None
    assert (held.grant.loads, agents.holding_mw(held, NOW)) == (frozenset(), 6000)


def test_attached_again_keeps_a_grant_of_this_boot() -> None:
    held = took(following(), 2, 5)
    again = agents.attached(held, board(LAMP_ON), TOLD, NOW)
    assert again.grant == held.grant
    assert dict(again.commanded) == {}


def test_attached_node_id_and_boot_play_no_part_in_an_adopted_grant() -> None:
    held = agents.attached(Agent(), board(LAMP_ON), TOLD, NOW)
    new = took(agents.followed(bid_at(held, NOW), pair(1, node=int(NodeId(9)))), 1, 1)
    assert new.grant is not None
    assert new.grant.pair == pair(1)
