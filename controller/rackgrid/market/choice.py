"""Loads that depend on each other: one of a group, one beside another, one after another.

These shape the bids of one node: what may not run beside the others does not bid at all, so that
nothing is granted which nobody will switch on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

Worths = Mapping[str, int | None]
"""What each load bids, by name, uc per kWh; None: nothing."""


def one_of(
    worths_uc: Worths, group: Collection[str], running: Collection[str]
) -> dict[str, int | None]:
    """Let at most one load of a group bid: the one that is worth most, the running one if equal.

    A running load that bids goes on; another takes its place only when it is worth more, and then
    the first is off before: the group is never on together as far as bids go.
    """
    bidding = [name for name in sorted(group) if worths_uc.get(name) is not None]
    best = max(bidding, key=lambda name: (worths_uc[name] or 0, name in running), default=None)
    others_run = [name for name in running if name in group and name != best]
    chosen = dict(worths_uc)
    for name in bidding:
        if name != best or others_run:
            chosen[name] = None
    return chosen


def beside(
    worths_uc: Worths, follower: str, leader: str, running: Collection[str]
) -> dict[str, int | None]:
    """Let a load bid only while the one that it needs is on (a pump beside its valve)."""
    chosen = dict(worths_uc)
    if leader not in running:
        chosen[follower] = None
    return chosen


def after(
    worths_uc: Worths, follower: str, leader: str, finished: Collection[str]
) -> dict[str, int | None]:
    """Let a load bid only when the one before it has finished (a dryer after its washer).

    Args:
        finished: the loads whose work is done and that have not begun anew.
    """
    chosen = dict(worths_uc)
    if leader not in finished:
        chosen[follower] = None
    return chosen


def burned(
    worths_uc: Worths, powers_mw: Mapping[str, int], burn_max_mw: int
) -> dict[str, int | None]:
    """Keep what bids only because energy is given away within a limit, the worthiest first.

    A load whose worth is below zero runs only while somebody pays to be relieved: it burns. Waste
    is no use of power, so a node says how much of it there may be.

    Args:
        powers_mw: what each takes, mW.
        burn_max_mw: the most that may be burned together, mW.
    """
    chosen = dict(worths_uc)
    left_mw = burn_max_mw
    burning = [
        (worth, name) for name, worth in worths_uc.items() if worth is not None and worth < 0
    ]
    for _, name in sorted(burning, key=lambda each: (-each[0], each[1])):
        if powers_mw[name] <= left_mw:
            left_mw -= powers_mw[name]
        else:
            chosen[name] = None
    return chosen


def stay_uc(start_cost_nc: int, power_mw: int, run_ns: int) -> int:
    """What a start costs, spread over the energy of a usual run, uc per kWh.

    Args:
        start_cost_nc: wear of the contact and energy of the start, nano-currency.
        power_mw: what it takes, mW; run_ns: how long a run usually lasts, ns; both above zero.
    """
    energy_mj = max(1, power_mw * run_ns // 1_000_000_000)
    return -(-start_cost_nc * 3_600_000 // energy_mj)


def switching_uc(
    worth_uc: int, start_uc: int, price_cap_uc: int, *, running: bool, owed: bool = False
) -> int:
    """Put the cost of a start into a worth, uc per kWh.

    A start has to pay for itself in a usual run, so a load that is off bids that much less; one
    that runs and is switched off will have to start again, so it bids that much more. A price that
    trembles between the two switches nothing, and a fridge makes fewer and longer runs. Where the
    work is owed by a time, the start is no choice: its worth says already which hours are enough,
    and to put it off in those would make it late. What has to run at any price (it bids the cap)
    does.

    Args:
        start_uc: what a start costs, spread over the energy of a usual run (`stay_uc`).
    """
    if worth_uc >= price_cap_uc:
        return price_cap_uc
    if running:
        return min(worth_uc + start_uc, price_cap_uc)
    return worth_uc if owed else worth_uc - start_uc
