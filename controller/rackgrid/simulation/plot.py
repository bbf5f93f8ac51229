"""Plots: faults that belong together, because chance alone would hardly ever bring them so near.

Random faults let real bugs live: they hardly ever restart the one voter that two halves share,
within the milliseconds that matter. So most scripts have a plot beside their noise. A plot is a
list of (ms, fault); what its moment in the run is, it is told.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from rackgrid.core.franchise import VOTERS_MAX
from rackgrid.core.settings import MS_NS
from rackgrid.simulation import fault, feed, guest, mishap, weather
from rackgrid.simulation.fault import Fault
from rackgrid.simulation.target import BROKER

RHO_PPM = 10_000
GAP_MS = (50, 2500)
"""Between two random faults."""
DEMOTE_MS = (4000, 300_000)
HANG_MS = (2000, 3000)
"""From the hang of a firmware until its watchdog has made its outputs safe."""

Written = list[tuple[int, Fault]]


class Author:
    """Thinks of faults, one rack's chance at hand.

    Attributes:
        comes_and_goes: the roster changes under the noise.
        demote_ms: how long a node is silent until it loses its vote.
        losses: how many nodes may still lose their rosters: always fewer than half the voters.
        is_calm: the plot wants no other faults beside it.
        is_sharp: no firmware hangs, and nobody waits for one: the margin, which else hides what
            comes a little too late, is next to nothing.
    """

    def __init__(self, chance: random.Random, nodes: int, capacity_mw: int, sun_mw: int) -> None:
        self.chance = chance
        self.nodes = nodes
        self.capacity_mw = capacity_mw
        self.sun_mw = sun_mw
        self.comes_and_goes = chance.random() < 0.2
        self.demote_ms = chance.choice(DEMOTE_MS)
        # Whoever may lose its vote by silence, too, could be the last one to have a roster.
        voters = min(nodes, VOTERS_MAX)
        self.losses = (voters - 1) // 2 if self.demote_ms == DEMOTE_MS[1] else 0
        self.is_calm = False
        self.is_sharp = chance.random() < 0.4

    def weather(self, for_ms: int) -> list[Fault]:
        """A network that is bad from the start, now and then."""
        faults: list[Fault] = []
        if percent := self.chance.choice((0, 0, 5, 20)):
            faults.append(weather.Loss(percent, for_ms))
        if percent := self.chance.choice((0, 0, 10)):
            faults.append(weather.Duplication(percent, for_ms))
        if mean_ms := self.chance.choice((0, 0, 2, 30, 200)):
            faults.append(weather.Delay(mean_ms, for_ms))
        return faults

    def noise(self, now_ms: int, end_ms: int) -> Written:
        """Random faults until all is healed."""
        written: Written = []
        while now_ms < end_ms:
            written.append((now_ms, self._any()))
            now_ms += self.ms(*GAP_MS)
        return written

    def node(self) -> int:
        """Any node, or whoever leads."""
        return self.chance.randint(BROKER, self.nodes)

    def others(self, node: int, count: int) -> tuple[int, ...]:
        """Some nodes beside this one."""
        rest = [n for n in range(1, self.nodes + 1) if n != node]
        return tuple(sorted(self.chance.sample(rest, min(count, len(rest)))))

    def ms(self, low: int, high: int) -> int:
        """A span, ms."""
        return self.chance.randint(low, high)

    def lost(self) -> Fault:
        """A lost roster, if one may still be lost."""
        if self.losses < 1:
            return fault.Restart(self.node())
        self.losses -= 1
        return mishap.LostRoster(self.ms(1, self.nodes))

    def planned(self, now_ms: int, end_ms: int) -> Written:
        """Restarts that an operator has planned, whatever else goes on; in most runs none."""
        count = self.chance.choice((0, 0, 0, 1, 2))
        return [(self.ms(now_ms, end_ms), self.restart()) for _ in range(count)]

    def restart(self) -> Fault:
        """A restart that was planned; now and then its node is away for longer than it may hold."""
        down_ms = self.chance.choice((200, 2000, 6000, 9000, 18_000))
        return guest.PlannedRestart(self.node(), down_ms + self.ms(0, 2000))

    def hang(self) -> Fault:
        """A firmware that hangs, where that is waited for."""
        if self.is_sharp:
            return self.pause()
        return mishap.FirmwareHang(self.node(), self.ms(*HANG_MS))

    def pause(self) -> Fault:
        """A controller that stands still, now and then with a price in its hands."""
        deciding = self.chance.random() < 0.5
        return mishap.Pause(self.node(), self.chance.choice((60, 400, 1500, 4000)), deciding)

    def _any(self) -> Fault:
        chance, capacity_mw = self.chance, self.capacity_mw
        choices: tuple[Callable[[], Fault], ...] = (
            lambda: fault.Kill(BROKER),
            lambda: fault.Kill(self.node()),
            lambda: fault.Restart(self.node()),
            lambda: fault.Amnesia(self.node()),
            lambda: fault.PowerCycle(self.node(), self.ms(0, 20_000)),
            fault.Revive,
            fault.Revive,
            lambda: fault.Partition(self.others(BROKER, chance.randint(1, 2))),
            lambda: fault.Partition((BROKER,)),
            lambda: fault.CutOneWay(self.node(), self.node()),
            fault.Heal,
            fault.Heal,
            lambda: weather.Loss(chance.choice((10, 50, 100)), self.ms(100, 2000)),
            lambda: weather.Duplication(50, self.ms(100, 2000)),
            lambda: weather.Delay(chance.choice((20, 200, 800)), self.ms(100, 2000)),
            lambda: fault.SlowLink(self.node(), self.ms(20, 900), self.ms(200, 3000)),
            lambda: fault.ClockRate(self.node(), chance.choice((-RHO_PPM, 0, RHO_PPM))),
            lambda: fault.FullDraw(self.node()),
            lambda: feed.Capacity(capacity_mw * chance.choice((75, 90)) // 100),
            lambda: feed.Capacity(capacity_mw),
            lambda: feed.Sun(self.sun_mw and chance.choice((0, self.sun_mw))),
            self.pause,
            self.hang,
            lambda: mishap.DiskStall(self.node(), self.ms(50, 3000), self.ms(500, 5000)),
            lambda: mishap.BadMeter(self.node(), self.how(), self.ms(200, 4000)),
            guest.HandOver,
            self.lost,
        )
        return chance.choice(choices)()

    def how(self) -> str:
        """In which way meters are bad."""
        return self.chance.choice(("stale", "nothing", "too much"))


def noise_alone(_author: Author, _at_ms: int) -> Written:
    """No plot: the random faults have the rack to themselves."""
    return []


def bridge(author: Author, at_ms: int) -> Written:
    """Two halves share one voter, which restarts at once and forgets whom it has acked."""
    shared = author.ms(1, author.nodes)
    again_ms = at_ms + author.ms(1, 600)
    return [
        (at_ms, fault.Bridge(author.others(shared, author.nodes // 2), shared)),
        (again_ms, fault.Amnesia(shared)),
        (again_ms + author.ms(5, 900), fault.Amnesia(shared)),
    ]


def slow_broker(author: Author, at_ms: int) -> Written:
    """A broker's last grants are still on their way when it dies and another leads."""
    late = fault.SlowLink(BROKER, author.ms(100, 1500), 3000)
    return [(at_ms, late), (at_ms + author.ms(10, 800), fault.Kill(BROKER))]


def clock_reset(author: Author, at_ms: int) -> Written:
    """A node and then the broker lose power: their clocks begin anew, near zero or near another."""
    node = author.ms(1, author.nodes)
    second = fault.PowerCycle(BROKER, author.ms(0, 5000))
    return [
        (at_ms, fault.PowerCycle(node, author.ms(0, 50))),
        (at_ms + author.ms(1, 900), second),
    ]


def late_decision(author: Author, at_ms: int) -> Written:
    """A broker stops between deciding and sending; when it goes on, another leads."""
    few = author.others(BROKER, 1)
    return [
        (at_ms, mishap.Pause(BROKER, author.ms(300, 4000), deciding=True)),
        (at_ms + author.ms(1, 300), fault.Partition(few)),
        (at_ms + author.ms(2000, 4000), fault.Heal()),
    ]


def lost_rosters(author: Author, at_ms: int) -> Written:
    """Nodes lose their rosters while the others are apart: their old votes must not count."""
    shared = author.ms(1, author.nodes)
    written: Written = [
        (at_ms, fault.Bridge(author.others(shared, author.nodes // 2), shared)),
        (at_ms + author.ms(1, 1200), author.lost()),
    ]
    again_ms = at_ms + author.ms(1, 2500)
    return [*written, (again_ms, author.lost()), (at_ms + 5000, fault.Heal())]


def churn(author: Author, at_ms: int) -> Written:
    """Nodes come and go, orderly or not, while disks stall and brokers die."""
    chance, last = author.chance, author.nodes
    written: Written = [(at_ms + author.ms(0, 3000), guest.Join(last + 1))]
    if last > 3:
        goer = author.ms(3, last)
        gone = guest.Leave(goer) if chance.random() < 0.6 else guest.Scrap(goer, author.ms(1, 2))
        written.append((at_ms + author.ms(0, 3000), gone))
        # Its vote is gone for a while, or for good if no broker hears that it leaves: with a lost
        # roster beside it a majority could be.
        author.losses -= 1
    if chance.random() < 0.5:
        written.append((at_ms, mishap.DiskStall(author.node(), author.ms(50, 1500), 4000)))
    disturbance = chance.choice(
        (fault.Kill(BROKER), fault.Partition((BROKER,)), guest.HandOver(), fault.Amnesia(BROKER))
    )
    return [*written, (at_ms + author.ms(0, 3500), disturbance)]


def wreck(author: Author, at_ms: int) -> Written:
    """A majority is gone for good, its broker too; what is left is disturbed while it recovers."""
    told = author.ms(1, author.nodes)
    gone = author.others(told, author.nodes // 2 + author.ms(0, 1))
    author.losses = 0
    again_ms = at_ms + guest.FORGET_NS // MS_NS
    disturbance = author.chance.choice((fault.Restart(told), fault.Kill(BROKER), author.pause()))
    return [
        (at_ms, guest.Wreck(gone, told)),
        (again_ms + author.ms(0, 300), disturbance),
    ]


def restarts(author: Author, at_ms: int) -> Written:
    """Nodes restart as planned, while the office changes hands and the roster is fought over."""
    chance = author.chance
    author.demote_ms = chance.choice(DEMOTE_MS)
    author.losses *= author.demote_ms != DEMOTE_MS[0]
    stop_ms = at_ms + 400
    written: Written = [(stop_ms, author.restart())]
    if chance.random() < 0.5:
        written.append((stop_ms + author.ms(0, 3000), author.restart()))
    disturbances: tuple[Callable[[], Fault], ...] = (
        lambda: fault.Kill(BROKER),
        lambda: fault.Partition((BROKER,)),
        lambda: fault.Partition(author.others(BROKER, author.nodes // 2)),
        lambda: fault.Amnesia(BROKER),
        lambda: guest.PlannedRestart(BROKER, author.ms(200, 9000)),
        guest.HandOver,
        author.lost,
        lambda: mishap.DiskStall(author.node(), author.ms(20, 1500), 4000),
    )
    for _ in range(author.ms(1, 3)):
        # Some within the second in which it is agreed, some while it is in use.
        after_ms = author.ms(0, 800) if chance.random() < 0.5 else author.ms(0, 15_000)
        written.append((at_ms + after_ms, chance.choice(disturbances)()))
    if chance.random() < 0.5:
        written.append((stop_ms + author.ms(500, 8000), fault.Heal()))
    return written


def one_word(author: Author, at_ms: int) -> Written:
    """A cut is told to one node, which dies while it is agreed or soon after, as does its broker.

    Now and then another node is told something else at nearly the same time.
    """
    told, chance = author.ms(1, author.nodes), author.chance
    word = feed.OneWord(told, author.capacity_mw * 80 // 100)
    gone_ms = at_ms + chance.choice((author.ms(0, 60), feed.AGREED_NS // MS_NS + author.ms(1, 300)))
    ends: tuple[Fault, ...] = (fault.Kill(told), fault.Amnesia(told), fault.PowerCycle(told, 20))
    written: Written = [
        (at_ms, word),
        (gone_ms, chance.choice(ends)),
        (gone_ms + author.ms(0, 300), fault.Kill(BROKER)),
    ]
    if chance.random() < 0.3:
        other = feed.OneWord(
            author.ms(1, author.nodes), author.capacity_mw * author.ms(75, 90) // 100
        )
        written.append((at_ms + author.ms(0, 400), other))
    return written


def demotion(author: Author, at_ms: int) -> Written:
    """Two nodes are silent until they lose their votes; then they come back, and others go."""
    author.demote_ms, author.losses = DEMOTE_MS[0], 0
    silent = author.others(BROKER, 2)
    back_ms = at_ms + DEMOTE_MS[0] + author.ms(-200, 600)
    keep = author.others(BROKER, author.nodes // 2)
    written: Written = [(at_ms, fault.Partition(silent))]
    return [*written, (back_ms, fault.Heal()), (back_ms + author.ms(0, 300), fault.Partition(keep))]


def hung_firmware(author: Author, at_ms: int) -> Written:
    """A firmware hangs at the very time at which its node's grants run out."""
    author.is_sharp = False
    node = author.ms(1, author.nodes)
    hang = mishap.FirmwareHang(node, author.ms(*HANG_MS))
    return [(at_ms, fault.Partition((node,))), (at_ms + author.ms(1500, 2600), hang)]


def lying_load(author: Author, at_ms: int) -> Written:
    """A load takes more than its nameplate says, on a calm day: room must be made for it."""
    author.is_calm = True
    node, load = author.ms(1, author.nodes), author.chance.choice(("fan", "lamp", "pump"))
    return [(at_ms, mishap.Liar(node, load, author.ms(110, 160)))]


def welded_contact(author: Author, at_ms: int) -> Written:
    """A contact welds on a calm day, and the supply falls, so that it should have opened."""
    author.is_calm = True
    node, load = author.ms(1, author.nodes), author.chance.choice(("lamp", "pump"))
    shortage = feed.Capacity(author.capacity_mw * 80 // 100)
    return [(at_ms, mishap.Weld(node, load)), (at_ms + author.ms(500, 3000), shortage)]


PLOTS: dict[str, Callable[[Author, int], Written]] = {
    "noise": noise_alone,
    "bridge": bridge,
    "slow-broker": slow_broker,
    "clock-reset": clock_reset,
    "late-decision": late_decision,
    "lost-rosters": lost_rosters,
    "churn": churn,
    "wreck": wreck,
    "one-word": one_word,
    "demotion": demotion,
    "restarts": restarts,
    "hung-firmware": hung_firmware,
    "lying-load": lying_load,
    "welded-contact": welded_contact,
}
