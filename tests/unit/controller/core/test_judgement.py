"""The agent judges each load, says why, and never switches beyond its grant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.controller.core.desk import (
    END,
    LAMP_ON,
    LATER,
    NOW,
    PUMP_ON,
    TOLD,
    agent,
    granted,
    priced,
)
from tests.unit.controller.core.stage import (
    LOADS,
    SPECS,
    UC,
    attached,
    board,
    boards,
    commands,
    output,
    settings,
    spec,
)

from rackgrid.core import agent as agents
from rackgrid.core import judgement
from rackgrid.core.action import LoadDecided
from rackgrid.core.agent import Agent, SentBid
from rackgrid.core.reason import Decision
from rackgrid.core.settings import LoadSettings, NodeSettings
from rackgrid.identity import NO_PAIR
from rackgrid.wire.vocabulary import Why
from rackgrid_firmware.device import UNAVAILABLE, Verdict
from rackgrid_firmware.link import Hold, Release

# --- judging ---------------------------------------------------------------------------------

DEAR, CHEAP = 500_000, 200_000


def why_of(held: Agent, load: str = "lamp", told: NodeSettings = TOLD) -> Why:
    """The reason that is published for a load."""
    _, actions = judgement.decided(held, told, NOW)
    (decision,) = (
        a.decision for a in actions if isinstance(a, LoadDecided) and a.decision.load == load
    )
    return decision.why


def asked_of(held: Agent, name: str = "lamp", told: NodeSettings = TOLD) -> list[object]:
    """What the firmware is told about an output, but for what clears a predecessor's orders."""
    _, actions = judgement.decided(held, told, NOW)
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
    assert asked_of(held) == [Hold(1, "lamp", END, starts=False)]


def test_decided_output_whose_pin_could_not_be_had_is_a_fault_and_bids_nothing() -> None:
    gone = agent(output("lamp", cause=UNAVAILABLE), output("fan", cause=UNAVAILABLE))
    held = granted(priced(gone, CHEAP), "lamp")
    assert (why_of(held), why_of(held, "fan")) == (Why.FAULT, Why.FAULT)
    assert asked_of(held) == []
    told, _ = agents.bid(held, TOLD, NOW)
    assert "lamp" not in told.bids[-1].loads


def test_decided_price_above_worth_is_released_and_min_on_may_hold_it() -> None:
    held = granted(priced(agent(LAMP_ON), DEAR), "lamp")
    assert why_of(held) is Why.PRICE_ABOVE_WORTH
    assert asked_of(held) == [Release(1, "lamp", urgent=False)]


def test_decided_inside_min_on_and_granted_runs_at_any_price() -> None:
    held = granted(priced(agent(replace(LAMP_ON, may_switch_ns=NOW + 1)), DEAR), "lamp")
    assert why_of(held) is Why.MIN_ON
    assert asked_of(held) == [Hold(1, "lamp", END, starts=False)]


def test_decided_after_min_on_waits_for_a_price_that_was_not_made_by_it() -> None:
    """Fails if a load whose cap drove the price up ends by it: with each min-on one gives way."""
    ended = replace(LAMP_ON, may_switch_ns=NOW)
    held = granted(priced(agent(ended), DEAR), "lamp")
    bids = tuple(SentBid(seq, NOW - 2 + seq, ("lamp",), 9000) for seq in (1, 2))
    held = replace(held, bids=bids)
    assert why_of(replace(held, taken_bid=1)) is Why.MIN_ON
    assert why_of(replace(held, taken_bid=2)) is Why.PRICE_ABOVE_WORTH
    assert why_of(replace(held, taken_bid=1, grant=None)) is Why.PRICE_ABOVE_WORTH
    off = replace(held, board=board(replace(ended, on=False)), taken_bid=1)
    assert why_of(off) is Why.PRICE_ABOVE_WORTH


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


@pytest.mark.parametrize("bar", [{"fault": "overcurrent"}, {"is_locked": True}])
def test_decided_barred_output_is_a_fault_and_is_commanded_nothing(bar: dict[str, Any]) -> None:
    held = granted(priced(agent(replace(output("lamp"), **bar)), CHEAP), "lamp")
    assert why_of(held) is Why.FAULT
    assert asked_of(held) == []
    bidding, _ = agents.bid(held, TOLD, NOW)
    assert "lamp" not in bidding.bids[-1].loads


def test_decided_firmware_that_was_lost_is_said_and_commanded_nothing() -> None:
    known = Agent(judged={"lamp": (True, Why.WORTH_IT)})
    held = granted(priced(known, CHEAP), "lamp")
    assert why_of(held) is Why.FIRMWARE_LOST
    assert asked_of(held) == []


def test_decided_firmware_that_was_never_heard_is_no_news() -> None:
    _, actions = judgement.decided(granted(priced(Agent(), CHEAP), "lamp"), TOLD, NOW)
    assert actions == []


def test_decided_board_that_calls_a_load_required_holds() -> None:
    """Else the firmware refuses each hold, and each refusal asks for the next one."""
    specs = (SPECS[0], spec("lamp", 6000, required=True), SPECS[2])
    held = Agent(board=boards.attached(attached((output("lamp", on=True),), specs)))
    held = granted(priced(held, CHEAP), "lamp")
    assert why_of(held) is Why.REQUIRED
    assert asked_of(held) == []


def test_decided_load_without_a_worth_or_a_plan_never_runs() -> None:
    told = settings(loads=(LoadSettings("lamp", "lamp", None),))
    assert why_of(granted(priced(agent(), CHEAP), "lamp"), told=told) is Why.NO_GRANT
    told = settings(loads=(LoadSettings("lamp", "lamp", 0, is_planned=True),))
    assert why_of(granted(priced(agent(), CHEAP), "lamp"), told=told) is Why.IDLE


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
    held, actions = judgement.decided(held, told, NOW)
    assert commands(actions) == [Release(2, "lamp", urgent=True)] or commands(actions)[-1] == (
        Release(2, "lamp", urgent=True)
    )
    assert not any(isinstance(c, Hold) for c in commands(actions))
    held = replace(held, board=replace(board(), handled=held.command_seq))
    _, actions = judgement.decided(held, told, NOW)
    assert [c for c in commands(actions) if isinstance(c, Hold)] == [Hold(3, "pump", END)]


def test_decided_second_call_repeats_nothing() -> None:
    held, _ = judgement.decided(granted(priced(agent(), CHEAP), "lamp"), TOLD, NOW)
    assert judgement.decided(held, TOLD, NOW) == (held, [])


def test_decided_what_a_predecessor_may_have_left_waiting_is_released_once() -> None:
    """A start that waits in the firmware shows nowhere; a new link clears it."""
    held, actions = judgement.decided(agent(), TOLD, NOW)
    assert commands(actions) == [Release(1, "lamp", True), Release(2, "pump", True)]
    assert commands(judgement.decided(held, TOLD, NOW)[1]) == []


# --- holding ---------------------------------------------------------------------------------


def test_holding_is_the_larger_of_granted_and_switched() -> None:
    assert agents.holding_mw(Agent(), NOW) == 0
    assert agents.holding_mw(agent(LAMP_ON), NOW) == 6000
    assert agents.holding_mw(granted(agent(LAMP_ON), power_mw=2000), NOW) == 6000
    assert agents.holding_mw(granted(agent(LAMP_ON), power_mw=9000), NOW) == 9000
    assert agents.holding_mw(granted(agent(LAMP_ON), power_mw=9000, until_ns=NOW), NOW) == 6000


def test_holding_after_a_release_stays_until_the_firmware_has_decided() -> None:
    held, _ = judgement.decided(priced(agent(LAMP_ON), CHEAP), TOLD, NOW)
    assert agents.holding_mw(held, NOW) == 6000
    off = replace(board(), handled=0)
    assert agents.holding_mw(replace(held, board=off), NOW) == 0
    told = granted(priced(agent(), CHEAP), "lamp", power_mw=9000)
    held, _ = judgement.decided(told, TOLD, NOW)
    held, _ = judgement.decided(replace(held, grant=None), TOLD, NOW)
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


def test_attached_runs_on_above_its_worth_until_the_first_grant_to_this_boot() -> None:
    """Fails if a price that was cleared while this node was away ends what it comes back with."""
    held = priced(agents.attached(Agent(), board(LAMP_ON), TOLD, NOW), 10 * UC)
    assert why_of(held) is Why.PRICE_UNKNOWN
    assert asked_of(held) == []
    granted_on = granted(held, "lamp")
    assert [type(c) for c in asked_of(granted_on)] == [Release]


def test_attached_nothing_on_adopts_nothing() -> None:
    assert agents.attached(Agent(), board(), TOLD, NOW).grant is None


def test_attached_output_that_no_load_names_runs_to_its_end_and_is_counted() -> None:
    told = settings(loads=(LOADS[0],))
    held = agents.attached(Agent(), board(LAMP_ON), told, NOW)
    assert held.grant is not None
    assert (held.grant.loads, agents.holding_mw(held, NOW)) == (frozenset(), 6000)


# --- what a decision rests on ------------------------------------------------------------------


def decision_of(held: Agent, load: str = "lamp") -> Decision:
    _, actions = judgement.decided(held, TOLD, NOW)
    return next(
        a.decision for a in actions if isinstance(a, LoadDecided) and a.decision.load == load
    )


def test_decision_carries_every_input_of_a_start() -> None:
    made = decision_of(granted(priced(agent(PUMP_ON), CHEAP), "lamp", power_mw=15_000))
    assert (made.was_on, made.on, made.wanted, made.why) == (False, False, True, Why.STARTING)
    assert (made.price_uc, made.worth_uc, made.grant_mw) == (CHEAP, 400_000, 15_000)
    grounds = made.grounds
    assert (grounds.grant_ms, grounds.grant_round, grounds.is_served) == (2500, 1, True)
    assert grounds.needs_mw == 9000 + 4000, "its inrush, and the pump that runs"
    assert (grounds.bid_uc, grounds.nominal_mw, grounds.guard_ms) == (400_000, 6000, 0)


def test_decision_of_a_grant_too_small_shows_what_it_lacked() -> None:
    made = decision_of(granted(priced(agent(PUMP_ON), CHEAP), "lamp", power_mw=12_999))
    assert (made.wanted, made.why) == (False, Why.NO_GRANT)
    assert made.grounds.needs_mw > made.grant_mw


def test_decision_of_a_load_inside_its_min_on_shows_the_guard_and_what_it_bids() -> None:
    held = replace(LAMP_ON, may_switch_ns=NOW + 1)
    made = decision_of(granted(priced(agent(held), DEAR), "lamp"))
    assert (made.on, made.wanted, made.why) == (True, True, Why.MIN_ON)
    assert (made.grounds.guard_ms, made.grounds.bid_uc) == (1, TOLD.price_cap_uc)
    assert (made.grounds.since_ns, made.grounds.needs_mw) == (held.since_ns, 0)


def test_decision_without_a_firmware_knows_nothing_of_the_output() -> None:
    held, _ = judgement.decided(agent(), TOLD, NOW)
    made = decision_of(replace(held, board=None))
    assert (made.why, made.grounds.is_known) == (Why.FIRMWARE_LOST, False)
    assert (made.grounds.nominal_mw, made.grounds.metered_mw) == (0, None)


def test_decision_of_a_barred_output_names_its_fault() -> None:
    barred = replace(output("lamp"), fault="overcurrent: 2.5 A", cause="tripped")
    grounds = decision_of(priced(agent(barred), CHEAP)).grounds
    assert (grounds.is_barred, grounds.fault) == (True, "overcurrent: 2.5 A")
    assert grounds.cause == "tripped"


def test_decision_of_the_next_load_counts_what_the_one_before_was_just_told() -> None:
    """Fails if the grounds are those of another moment than the judgement's."""
    held = granted(priced(agent(), CHEAP), "lamp", "pump", power_mw=9000)
    lamp, pump = decision_of(held), decision_of(held, "pump")
    assert (lamp.wanted, pump.wanted) == (True, False)
    assert pump.grounds.needs_mw == 6000 + 9000


def test_present_says_the_same_without_deciding_anything() -> None:
    held = granted(priced(agent(LAMP_ON), CHEAP), "lamp")
    made = judgement.present(held, TOLD, "lamp", NOW)
    assert made is not None
    assert made == decision_of(held)
    assert judgement.present(held, TOLD, "lapm", NOW) is None


# --- levels ----------------------------------------------------------------------------------

DIMMED = replace(TOLD, loads=(LoadSettings("lamp", "lamp", 400_000, (400_000, 300_000, 100_000)),))


def dimmer(stages: int, price_uc: int) -> Agent:
    """A lamp that is on at its least level, and granted so many stages."""
    held = granted(priced(agent(replace(LAMP_ON, level=200)), price_uc), "lamp")
    assert held.board is not None
    assert held.grant is not None
    specs = {**held.board.specs, "lamp": replace(held.board.specs["lamp"], min_level=200)}
    counted = {"lamp": stages} if stages > 1 else {}
    return replace(
        held,
        board=replace(held.board, specs=specs),
        grant=replace(held.grant, stages=counted),
    )


@pytest.mark.parametrize(
    ("stages", "price_uc", "level"),
    [(1, 50_000, 200), (2, 50_000, 600), (3, 50_000, 1000), (3, 200_000, 600), (3, 400_000, 200)],
)
def test_decided_level_is_what_is_granted_and_worth_the_price(
    stages: int, price_uc: int, level: int
) -> None:
    (told,) = asked_of(dimmer(stages, price_uc), told=DIMMED)
    assert told == Hold(1, "lamp", END, starts=False, level=level)


def test_decided_what_is_dear_at_its_first_stage_goes_off() -> None:
    (told,) = asked_of(dimmer(3, 400_001), told=DIMMED)
    assert isinstance(told, Release)
