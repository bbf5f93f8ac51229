"""The terms of the market at a node: new ones are told at once; a planned load's worth is one."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core.desk import LAMP_ON, NOW, TOLD, agent, granted, priced
from tests.unit.controller.core.stage import LOADS

from rackgrid.core import agent as agents
from rackgrid.core import judgement
from rackgrid.core.action import Instruct
from rackgrid.core.agent import Agent
from rackgrid.core.reason import sentence
from rackgrid.core.settings import NodeSettings
from rackgrid.wire.vocabulary import Why
from rackgrid_firmware.link import Release


def planned(**of_lamp: object) -> NodeSettings:
    lamp = replace(LOADS[1], is_planned=True, **of_lamp)  # type: ignore[arg-type]
    assert lamp.name == "lamp"
    return replace(TOLD, loads=(LOADS[0], lamp, *LOADS[2:]))


def worths(held: Agent, **worths_uc: int | None) -> Agent:
    return replace(held, worths_uc=worths_uc)


def bids(held: Agent, settings: NodeSettings, now_ns: int = NOW) -> list[int]:
    """Worth of each step, the lamp's first if it bids (the other is the pump's, 300 000)."""
    return [step.worth_uc for step in agents.bid(held, settings, now_ns)[1].steps]


def why_lamp(held: Agent, settings: NodeSettings, now_ns: int = NOW) -> tuple[bool, Why]:
    found = judgement.present(held, settings, "lamp", now_ns)
    assert found is not None
    return found.wanted, found.why


def test_planned_load_does_not_bid_before_its_plan_is_known() -> None:
    assert bids(agent(), planned()) == [300_000]


def test_planned_load_bids_what_its_plan_says() -> None:
    assert bids(worths(agent(), lamp=777_000), planned()) == [777_000, 300_000]


def test_planned_load_that_wants_nothing_does_not_bid_and_says_so() -> None:
    held = worths(granted(priced(agent(), 100_000), "lamp"), lamp=None)
    assert bids(held, planned()) == [300_000]
    assert why_lamp(held, planned()) == (False, Why.IDLE)
    assert sentence(Why.IDLE, 100_000, None, 0) == "wants nothing now"


def test_planned_load_whose_work_is_done_is_let_go_without_hurry() -> None:
    held = worths(granted(priced(agent(LAMP_ON), 100_000), "lamp"), lamp=None)
    actions = judgement.decided(held, planned(), NOW)[1]
    released = [a.command for a in actions if isinstance(a, Instruct)]
    assert [r for r in released if isinstance(r, Release) and r.output == "lamp"] == [
        Release(1, "lamp", urgent=False)
    ]


def test_planned_load_whose_work_is_done_stays_on_for_its_min_on() -> None:
    lamp_on = replace(LAMP_ON, may_switch_ns=NOW + 1)
    held = worths(granted(priced(agent(lamp_on), 100_000), "lamp"), lamp=None)
    assert bids(held, planned())[0] == TOLD.price_cap_uc
    assert why_lamp(held, planned()) == (True, Why.MIN_ON)
    assert why_lamp(held, planned(), NOW + 1) == (False, Why.IDLE)


def test_running_load_is_worth_its_next_start_more_and_one_that_is_off_less() -> None:
    settings = planned(start_cost_nc=50_000, usual_run_ns=600 * 10**9)
    assert bids(worths(agent(), lamp=200_000), settings) == [150_000, 300_000]
    assert bids(worths(agent(LAMP_ON), lamp=200_000), settings) == [
        250_000,
        300_000,
    ]  # 6 W for 600 s are 1 Wh: 50 µ for it are 50 000 per kWh


def test_no_bid_is_above_the_cap() -> None:
    held = worths(agent(LAMP_ON), lamp=TOLD.price_cap_uc)
    assert bids(held, planned(start_cost_nc=10**9))[0] == TOLD.price_cap_uc
