"""The agent's judgement: which of its loads should be on, by which rule, and what it rests on (P2).

A flexible load is on only while its worth is at least the price *and* a live grant covers it.
Guards may delay that, trips and lockouts overrule it, and each change leaves a `Decision` with all
its inputs, from which `rackgrid.audit` derives it anew.
"""

from __future__ import annotations

from rackgrid.core import board as boards
from rackgrid.core import holding, tender
from rackgrid.core.action import Action, Instruct, LoadDecided
from rackgrid.core.agent import (
    Agent,
    bid_now,
    is_planned,
    is_required,
    live_grant,
    state_of,
    worth_of,
)
from rackgrid.core.grant import holding_ms
from rackgrid.core.reason import Decision, Grounds
from rackgrid.core.settings import LoadSettings, NodeSettings
from rackgrid.identity import NO_PAIR
from rackgrid.value import replace
from rackgrid.wire.vocabulary import Why
from rackgrid_firmware.device import LEVEL_FULL, Verdict
from rackgrid_firmware.link import Hold, OutputState, Release


def decided(agent: Agent, settings: NodeSettings, now_ns: int) -> tuple[Agent, list[Action]]:
    """Command every output that should be otherwise, and say why of every load that changed."""
    actions: list[Action] = []
    for load in settings.loads:
        state = state_of(agent, load)
        judged, (wanted, why) = agent, _judge(agent, load, state, settings, now_ns)
        if state is not None and why is not Why.REQUIRED and not boards.is_barred(state):
            agent = _commanded(agent, load, state, wanted, why, actions)
        is_on = state is not None and state.on
        before = agent.judged.get(load.name)
        is_news = before != (is_on, why)
        if before is None and why is Why.FIRMWARE_LOST:
            continue  # it has not been heard yet: that is no news about the load
        if not is_news and not _is_revalued(judged, load, settings):
            continue
        decision = _decision(judged, load, settings, (wanted, why), now_ns)
        actions.append(LoadDecided(decision, is_news))
        agent = replace(agent, judged={**agent.judged, load.name: (is_on, why)})
        if is_planned(judged, load):
            agent = replace(agent, valued={**agent.valued, load.name: decision.worth_uc})
    return agent, actions


def _is_revalued(agent: Agent, load: LoadSettings, settings: NodeSettings) -> bool:
    """Whether a planned load's worth has moved since it was last published."""
    if not is_planned(agent, load):
        return False
    worth_uc = worth_of(agent, load, settings.price_cap_uc)
    return agent.valued.get(load.name) != worth_uc


def present(agent: Agent, settings: NodeSettings, name: str, now_ns: int) -> Decision | None:
    """Say how a load of this node stands now, and why; None if there is no such load."""
    load = next((each for each in settings.loads if each.name == name), None)
    if load is None:
        return None
    verdict = _judge(agent, load, state_of(agent, load), settings, now_ns)
    return _decision(agent, load, settings, verdict, now_ns)


def _judge(
    agent: Agent,
    load: LoadSettings,
    state: OutputState | None,
    settings: NodeSettings,
    now_ns: int,
) -> tuple[bool, Why]:
    """Decide whether a load, in this state, should be on, and by which rule."""
    if state is None:
        return False, Why.FIRMWARE_LOST
    if boards.is_barred(state):
        return False, Why.FAULT
    if is_required(agent, load):
        return True, Why.REQUIRED
    if agent.leaving or (agent.stopping and not state.on):
        return False, Why.LEAVING
    if state.verdict is Verdict.WELDED:
        return False, Why.FAULT
    if load.worth_uc is None:
        return False, Why.NO_GRANT
    granted = _covers(agent, load, state, now_ns)
    if agent.price is None or (granted and state.on and _is_adopted(agent)):
        # No price knows yet what this boot has found on: it was in no bid.
        return granted and state.on, Why.PRICE_UNKNOWN
    bid_uc = bid_now(agent, load, settings, now_ns)
    if bid_uc is None:
        return False, Why.IDLE
    is_dear = agent.price.price_uc > bid_uc
    if is_dear and not (granted and _was_held(agent, state)):
        return False, Why.PRICE_ABOVE_WORTH
    worth_uc = worth_of(agent, load, settings.price_cap_uc)
    is_wanted = worth_uc is not None and agent.price.price_uc <= worth_uc
    if granted and state.on:
        return True, Why.WORTH_IT if is_wanted else Why.MIN_ON
    if granted:
        return True, Why.MIN_OFF if now_ns < state.may_switch_ns else Why.STARTING
    return False, _why_not_granted(agent, load, state)


def _why_not_granted(agent: Agent, load: LoadSettings, state: OutputState) -> Why:
    if state.cause == "deadline":
        return Why.GRANT_EXPIRED
    return Why.DOES_NOT_FIT if load.name in agent.refused else Why.NO_GRANT


def _covers(agent: Agent, load: LoadSettings, state: OutputState, now_ns: int) -> bool:
    """Whether a live grant keeps this load on, or has the watts to start it."""
    grant = live_grant(agent, now_ns)
    if grant is None or agent.board is None or load.name not in grant.loads:
        return False
    if state.on:
        return True
    return holding.has_room(agent.board, agent.commanded, load.output, grant.power_mw, now_ns)


def _is_adopted(agent: Agent) -> bool:
    """Whether what it holds was granted to the boot before it."""
    return agent.grant is not None and agent.grant.pair == NO_PAIR


def _was_held(agent: Agent, state: OutputState) -> bool:
    """Whether the last clearing took a running load for one that must go on (inside its min-on).

    Its bid was the price cap then, and drove others out and the price up: that price does not say
    whether it is worth its own. The next round does, at once; each min-on would end in a swap else.
    """
    asked = next((bid.sent_ns for bid in agent.bids if bid.seq == agent.taken_bid), None)
    return state.on and asked is not None and asked < state.may_switch_ns


def _commanded(
    agent: Agent,
    load: LoadSettings,
    state: OutputState,
    wanted: bool,
    why: Why,
    actions: list[Action],
) -> Agent:
    """Tell the firmware, if it was last told otherwise."""
    if wanted and why is Why.PRICE_UNKNOWN:
        return agent
    before = agent.commanded.get(load.output)
    deadline_ns = agent.grant.deadline_ns if wanted and agent.grant else 0
    # A start that a predecessor asked for may still wait in the firmware, unseen: what this link
    # has not told yet is released once, even if it is off.
    last_ns = before.deadline_ns if before else state.deadline_ns or -1
    if deadline_ns == last_ns:
        return agent
    seq = agent.command_seq + 1
    if deadline_ns:
        level = _level(agent, load)
        actions.append(Instruct(Hold(seq, load.output, deadline_ns, not state.on, level)))
    else:
        # A price, or work that is done, may wait for min-on, which costs wear; a missing grant may
        # not, it is safety.
        urgent = why not in (Why.PRICE_ABOVE_WORTH, Why.IDLE)
        actions.append(Instruct(Release(seq, load.output, urgent)))
    assert agent.board is not None, "only a known output is commanded"
    told = holding.command_after(agent.board, before, seq, deadline_ns)
    commanded = {**agent.commanded, load.output: told}
    return replace(agent, command_seq=seq, commanded=commanded)


def _level(agent: Agent, load: LoadSettings) -> int:
    """How much of its power a load is given: as many stages as are granted and worth the price."""
    grant, price, board = agent.grant, agent.price, agent.board
    if not load.stages_uc or grant is None or price is None or board is None:
        return LEVEL_FULL
    worthy = sum(worth_uc >= price.price_uc for worth_uc in load.stages_uc)
    reached = max(1, min(grant.stages.get(load.name, 1), worthy))
    return tender.levels(board.specs[load.output].min_level, len(load.stages_uc))[reached - 1]


def _decision(
    agent: Agent,
    load: LoadSettings,
    settings: NodeSettings,
    verdict: tuple[bool, Why],
    now_ns: int,
) -> Decision:
    """Write down what was decided for a load, and all that it rests on."""
    wanted, why = verdict
    state, price, grant = state_of(agent, load), agent.price, live_grant(agent, now_ns)
    is_on = state is not None and state.on
    before = agent.judged.get(load.name)
    return Decision(
        load=load.name,
        was_on=before[0] if before else False,
        on=is_on,
        wanted=wanted,
        why=why,
        price_uc=price.price_uc if price else None,
        worth_uc=worth_of(agent, load, settings.price_cap_uc),
        grant_mw=grant.power_mw if grant else 0,
        pair=price.pair if price else NO_PAIR,
        round=price.round if price else 0,
        grounds=Grounds(
            is_known=state is not None,
            is_required=is_required(agent, load),
            is_planned=is_planned(agent, load),
            is_leaving=agent.leaving,
            is_stopping=agent.stopping,
            is_barred=state is not None and boards.is_barred(state),
            is_held=state is not None and _was_held(agent, state),
            is_refused=load.name in agent.refused,
            fault=boards.fault_of(state) if state else "",
            cause=state.cause if state else "",
            since_ns=state.since_ns if state else 0,
            guard_ms=holding_ms(state.may_switch_ns, now_ns) if state else 0,
            bid_uc=None if load.worth_uc is None else bid_now(agent, load, settings, now_ns),
            metered_mw=_metered_mw(agent, load, now_ns),
            nominal_mw=_nominal_mw(agent, load),
            learned_mw=agent.board.plates.learned.get(load.output, 0) if agent.board else 0,
            grant_ms=holding_ms(grant.deadline_ns, now_ns) if grant else 0,
            grant_pair=grant.pair if grant else NO_PAIR,
            grant_round=grant.round if grant else 0,
            is_served=grant is not None and load.name in grant.loads,
            needs_mw=_needs_mw(agent, load, now_ns) if state and not is_on else 0,
        ),
    )


def _needs_mw(agent: Agent, load: LoadSettings, now_ns: int) -> int:
    board = agent.board
    assert board is not None, "an output that is known has a board"
    return holding.needed_mw(board, agent.commanded, load.output, now_ns)


def _metered_mw(agent: Agent, load: LoadSettings, now_ns: int) -> int | None:
    return boards.metered_mw(agent.board, load.output, now_ns) if agent.board else None


def _nominal_mw(agent: Agent, load: LoadSettings) -> int:
    spec = agent.board.specs.get(load.output) if agent.board else None
    return spec.nominal_mw if spec else 0
