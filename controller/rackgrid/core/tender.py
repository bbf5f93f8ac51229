"""What the market is asked: a load's step in its node's bid, and what the accounts bid and offer.

Here the group's words are put into the market's, on both sides: the agent makes steps of its loads,
the broker makes bids and offers of the reports that it has.
"""

from __future__ import annotations

from collections.abc import Iterable

from rackgrid.core import board as boards
from rackgrid.core.board import Board
from rackgrid.core.grant import Account
from rackgrid.core.settings import LoadSettings
from rackgrid.identity import NodeId
from rackgrid.market.clearing import Clearing
from rackgrid.market.curve import Bid, Step
from rackgrid.market.load import step_for
from rackgrid.market.modulating import Ladder, stages
from rackgrid.market.offer import Offer
from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.link import OutputState


def step(
    board: Board, state: OutputState, worth_uc: int, price_cap_uc: int, now_ns: int
) -> Step | None:
    """Make a flexible load's step, as its output stands; None while it may not bid."""
    may_switch = now_ns >= state.may_switch_ns
    return step_for(
        worth_uc=worth_uc,
        nominal_mw=boards.nominal_mw(board, state.name),
        inrush_mw=boards.inrush_mw(board, state.name),
        metered_mw=boards.metered_mw(board, state.name, now_ns),
        running=state.on,
        settled=boards.is_settled(board, state.name, now_ns),
        price_cap_uc=price_cap_uc,
        min_on_left=state.on and not may_switch,
        min_off_left=not state.on and not may_switch,
    )


def steps(
    board: Board,
    state: OutputState,
    load: LoadSettings,
    worth_uc: int,
    price_cap_uc: int,
    now_ns: int,
) -> tuple[Step, ...]:
    """Make a flexible load's steps: one, or the stages of what modulates (`market.modulating`)."""
    first, spec = step(board, state, worth_uc, price_cap_uc, now_ns), board.specs[state.name]
    if first is None or not load.stages_uc or spec.min_level == LEVEL_FULL:
        return () if first is None else (first,)
    reached = levels(spec.min_level, len(load.stages_uc))
    powers_mw = tuple(spec.nominal_mw * level // LEVEL_FULL for level in reached)
    ladder = Ladder(powers_mw, load.stages_uc)
    return stages(ladder, first, sum(level <= state.level for level in reached))


def levels(min_level: int, count: int) -> tuple[int, ...]:
    """Spread levels evenly from the least to full power, in thousandths of it."""
    if count < 2:
        return (LEVEL_FULL,)
    return tuple(min_level + (LEVEL_FULL - min_level) * at // (count - 1) for at in range(count))


def bid(account: Account) -> Bid:
    """Make the bid of a node's newest report."""
    report = account.report
    steps = tuple(Step(s.worth_uc, s.power_mw, s.reserve_mw, s.running) for s in report.steps)
    return Bid(account.node, steps, report.received_mj)


def offers(accounts: Iterable[Account]) -> list[Offer]:
    """Merge what nodes say of the sources.

    Several nodes may speak for one source, so that it survives the loss of one: the pessimistic
    word counts, the least power at the highest price.
    """
    merged: dict[str, Offer] = {}
    for account in accounts:
        for said in account.report.offers:
            known = merged.get(said.source)
            price_uc = max(said.price_uc, known.price_uc) if known else said.price_uc
            power_mw = min(said.power_mw, known.power_mw) if known else said.power_mw
            merged[said.source] = Offer(said.source, price_uc, power_mw)
    return [merged[name] for name in sorted(merged)]


def merit(account: Account, clearing: Clearing, now_ns: int) -> tuple[bool, int, NodeId]:
    """Order of issuing: nodes that ask for no more than they hold, then by their best worth."""
    mask = clearing.served.get(account.node, 0)
    wanted = [s for i, s in enumerate(account.report.steps) if mask >> i & 1]
    raises = sum(s.reserve_mw for s in wanted) > account.renewable_mw(now_ns)
    return raises, -max((s.worth_uc for s in wanted if not s.running), default=0), account.node
