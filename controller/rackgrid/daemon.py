"""The daemon: the composition root. It makes every part, joins them, and runs one loop.

One asyncio loop in one thread decides; MQTT has a thread of its own behind a bounded queue, and the
page shares the loop. SIGTERM detaches: the controller asks that its outputs may run on over a
restart, resigns and ends, and they run on to their deadlines in the firmware. It exits 0 then.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import signal
import time
from dataclasses import replace

from rackgrid.adapters import journal
from rackgrid.adapters.books import Books, account_lines
from rackgrid.adapters.clerk import hired
from rackgrid.adapters.clock import SuspendWatch, monotonic_ns
from rackgrid.adapters.orders import obey
from rackgrid.adapters.planner import World
from rackgrid.adapters.plans import ahead_of, open_plans
from rackgrid.adapters.trace import Trace
from rackgrid.config_units import node_settings
from rackgrid.core import judgement
from rackgrid.core.action import Action
from rackgrid.core.event import (
    CapacityChanged,
    Event,
    FirmwareLost,
    LeaveRequested,
    OffersChanged,
    Request,
    RosterStored,
    StopRequested,
    WorthsChanged,
)
from rackgrid.core.node import Node
from rackgrid.core.picture import view
from rackgrid.core.reason import Decision
from rackgrid.core.roster import Roster
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.view import ClockView, View
from rackgrid.driver import Driver, guarded
from rackgrid.errors import RackgridError, TransportError
from rackgrid.parts import Parts, bridge_of
from rackgrid.wire.vocabulary import Role
from rackgrid_firmware.link import MakeSafe

log = logging.getLogger("rackgrid")

TERM_BLOCK = 1000
CHORE_S = 0.25
"""Between two rounds of chores: tariff files, the link, systemd, MQTT."""
MEND_EVERY = 4
"""Chores between two looks at the network's health."""
TELL_S = 0.005
"""How long what is told may wait for what is done; each word keeps the time of its event."""
TELL_EVERY = 4
"""Chores between two publications of the node's state."""
SETTLE_S = 2.0
"""How long what is beyond the board may take to follow the last commands, at the end."""


class Daemon:
    """A running node."""

    def __init__(self, parts: Parts, api_port: int) -> None:
        """Start a boot of the node; nothing is sent before `run`.

        Raises:
            ConfigError: a file that the configuration names cannot be used.
            StoreError: no terms can be reserved.
        """
        self._parts = parts
        config = parts.config
        terms = parts.store.reserve_block(TERM_BLOCK)
        settings = node_settings(
            config,
            api_port=api_port,
            terms_from=terms.start,
            terms_until=terms.stop,
            seed=secrets.randbits(64),
        )
        now_ns = monotonic_ns()
        self.node = Node(
            *(settings, parts.identity.node_id, parts.boot, now_ns),
            *(parts.store.recall(), parts.shelf.roster, parts.plates.recall(now_ns)),
        )
        self._driver = Driver(
            self.node,
            parts.group,
            parts.link,
            parts.store,
            self._keep_roster,
            self._publish,
            monotonic_ns,
        )
        self._trace = Trace(config.mock.trace, config.node.name) if config.mock.trace else None
        self._bridge = bridge_of(config, self.view)
        me, wall, sources = parts.identity.node_id, parts.wall, parts.sources
        clerk = self._clerk = hired(me, config, parts.signer, parts.group, wall)
        clerk.is_new = parts.is_new
        self._books = Books(config, wall, parts.signer, parts.identity.public_key, clerk)
        world = World(wall, sources.ahead, self._received_mj, sources.buys_uc)
        self.plans = open_plans(config, world, parts.ears, self.view)
        obey(config, parts.ears, wall, monotonic_ns, self.ask)
        self._tick_guarded = guarded(self._tick, self._failed)
        self._chore_guarded = guarded(self._chore, self._failed)
        self._suspend = SuspendWatch()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._watched: tuple[int, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._chores = 0
        self._told: list[tuple[Action, int]] = []
        self._leaving = False
        self._exit = 0
        self._readings: object = None

    # --- for the doors ---------------------------------------------------------------------------

    def view(self) -> View:
        """Draw the rack as this node sees it."""
        config = self._parts.config
        now_ns = monotonic_ns()
        ears = self._parts.ears
        group = self._parts.group
        rejected = {**group.rejected, **(ears.rejected if ears is not None else {})}
        names, charges = (config.rack.name, config.feed.currency), self._parts.sources.charges()
        suspects, counted_mj = group.suspects(), self._parts.counters.shown_mj
        seen = view(self.node.state, *names, rejected, now_ns, charges, suspects, counted_mj)
        clock = ClockView(time.time_ns() // 1_000_000, self._parts.wall() is not None)
        return replace(seen, supply=self._parts.supply.seen, clock=clock)

    def accounts(self) -> list[dict[str, object]]:
        """Say what each load has drawn, and what that cost."""
        return account_lines(self._books.totals(), self._parts.config.feed.currency)

    def present(self, load: str) -> Decision | None:
        """Say how a load of this node stands, and why."""
        state = self.node.state
        return judgement.present(state.agent, state.settings, load, monotonic_ns())

    def _received_mj(self) -> dict[str, int]:
        """Say how much energy each load has had, by the ledger's counters."""
        totals = self._books.totals()
        return {name: total.energy_mj for name, total in totals.items()}

    def health(self) -> tuple[bool, str]:
        """Say whether the node does its work, in a line."""
        if not self._parts.link.connected:
            return False, "the firmware is not attached"
        if self._parts.group.trouble:
            return False, self._parts.group.trouble
        role = self.node.state.role
        if role in (Role.BROKER, Role.MEMBER):
            return True, role.name.lower()
        return False, f"{role.name.lower()}: no broker is followed"

    def ask(self, request: Request | CapacityChanged) -> None:
        """Let the node do what an operator asks for."""
        self._tell(request)

    def leave(self) -> None:
        """Take the node out of the rack, then end."""
        self._leaving = True
        self._tell(LeaveRequested(monotonic_ns()))

    def stop(self, *, restarts: bool = True) -> None:
        """Detach: end, and let the outputs run on, over a restart if there is to be one."""
        self._tell(StopRequested(monotonic_ns(), restarts))

    def _tell(self, event: Event) -> None:
        guarded(lambda: self._driver.handle(event), self._failed)()
        self._tick_guarded()

    # --- the loop --------------------------------------------------------------------------------

    async def run(self) -> int:
        """Run until the node has left; return the exit code."""
        self._loop.add_signal_handler(signal.SIGTERM, self.stop)
        # Whoever stops it from a terminal does not wait for it to be back.
        self._loop.add_signal_handler(signal.SIGINT, lambda: self.stop(restarts=False))
        if self._bridge is not None:
            self._bridge.start()
        self._parts.sources.start()
        self._parts.supply.start()
        if self._parts.record is not None:
            self._parts.record.start()
        if self._parts.ears is not None:
            self._parts.ears.start()
        if self.plans is not None:
            self.plans.start()
        self._parts.group.start(self._tick_from_anywhere)
        self._parts.link.start(lambda: self._loop.call_soon(self._tick_guarded), self._failed)
        self._chore_guarded()
        self._parts.notifier.ready(f"node {self._parts.config.node.name}")
        await self._ended.wait()
        self._parts.notifier.stopping("left" if self._leaving else "detached")
        if self._leaving:
            self._parts.link.send(MakeSafe(0))
        await self._parts.link.settle(SETTLE_S)
        self._close()
        return self._exit

    def _tick(self) -> None:
        """Take what has arrived, let time pass, and arm the timer for the next deadline."""
        if self._ended.is_set():
            return
        self._driver.pump()
        self._look_at_readings()
        if self._parts.link.lost:
            self._parts.link.lost = False
            self._driver.handle(FirmwareLost(monotonic_ns()))
            self._watch()
        if self._driver.ended:
            self._ended.set()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._driver.rest() / SECOND_NS, self._tick_guarded)

    def _tick_from_anywhere(self) -> None:
        """Tick soon, as a thread wishes; nobody waits for it when the loop has ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tick_guarded)

    def _failed(self, fault: Exception) -> None:
        """End: a promise cannot be kept, or this is a bug, and a new start is the cure of both."""
        if isinstance(fault, RackgridError):
            log.error("%s", fault)
        else:
            log.critical("a bug of rackgrid ends this node: outputs made safe", exc_info=fault)
            self._parts.link.send(MakeSafe(0))
        self._exit = 1
        self._ended.set()

    def _keep_roster(self, roster: Roster) -> None:
        self._parts.shelf.keep(
            roster, lambda stamp: self._tell(RosterStored(monotonic_ns(), stamp)), self._failed
        )

    def _look_at_readings(self) -> None:
        """Let metered sources follow their meters at once."""
        board = self.node.state.agent.board
        if board is None or board.readings is self._readings:
            return
        self._readings = board.readings
        self._books.look(self.node.state, monotonic_ns())
        self._parts.counters.look(board.readings.values(), monotonic_ns())
        self._parts.plates.look(self.node.state.agent.proofs, monotonic_ns())
        offers = self._parts.sources.metered(board.readings.values(), board.accuracy)
        if offers is not None:
            self._driver.handle(OffersChanged(monotonic_ns(), offers))

    def _chore(self) -> None:
        """Do what is not worth a timer of its own."""
        if self._ended.is_set():
            return
        self._loop.call_later(CHORE_S, self._chore_guarded)
        if self._suspend.slept_ns() > 0:
            self._woken()
            return
        offers = self._parts.sources.poll(monotonic_ns())
        if offers is not None:
            self._driver.handle(OffersChanged(monotonic_ns(), offers))
        self._plan()
        # A link that was lost just now is told to the core before there is a new one.
        link = self._parts.link
        changed = not link.connected and not link.lost and link.connect()
        if self._chores % MEND_EVERY == 0:
            changed |= self._parts.group.mend()
            keys = self._parts.keys.changed()
            if keys is not None:
                self._parts.group.use(keys.ring())
        if changed:
            self._watch()
        if self._bridge is not None and self._chores % TELL_EVERY == 0:
            self._bridge.tell()
        if self._bridge is None or self._bridge.alive():
            self._parts.notifier.watchdog()
        self._chores += 1
        self._tick()

    def _plan(self) -> None:
        """Let the loads be worth what they have to do."""
        board, now_ns = self.node.state.agent.board, monotonic_ns()
        worths_uc = self.plans.poll(board, now_ns) if self.plans is not None else None
        if worths_uc is not None:
            self._driver.handle(WorthsChanged(now_ns, worths_uc))

    def _watch(self) -> None:
        """Watch the descriptors that there are now."""
        for number in self._watched:
            self._loop.remove_reader(number)
        link = (self._parts.link.fileno(),) if self._parts.link.connected else ()
        self._watched = (*self._parts.group.filenos(), *link)
        for number in self._watched:
            self._loop.add_reader(number, self._tick_guarded)

    def _woken(self) -> None:
        """End after a suspend: monotonic deadlines stood still while the world went on."""
        log.error("the machine was suspended: outputs are made safe, and the node starts anew")
        self._parts.link.send(MakeSafe(0))
        self._exit = 1
        self._ended.set()

    def _publish(self, action: Action, at_ns: int) -> None:
        """Tell people and programs in a moment: loads that must switch now come first."""
        if not self._told:
            self._loop.call_later(TELL_S, self._tell_all)
        self._told.append((action, at_ns))

    def _tell_all(self) -> None:
        told, self._told = self._told, []
        for action, at_ns in told:
            journal.publish(action)
            self._parts.chronicle.publish(action, at_ns)
            if self._trace is not None:
                self._trace.publish(action, at_ns)
            if self._bridge is not None:
                self._bridge.publish(action)

    def _close(self) -> None:
        self._tell_all()
        self._parts.chronicle.close()
        if self._parts.record is not None:
            self._parts.record.close()
        self._parts.sources.close()
        self._parts.supply.close()
        if self._parts.ears is not None:
            self._parts.ears.close()
        if self.plans is not None:
            self.plans.close()
        self._clerk.close()  # It reads the ledger: who writes that lets go of it last.
        self._books.close()
        self._parts.signer.close()
        if self._timer is not None:
            self._timer.cancel()
        for number in self._watched:
            self._loop.remove_reader(number)
        self._parts.link.close()
        self._parts.group.close()
        if self._bridge is not None:
            self._bridge.close()
        if self._trace is not None:
            self._trace.close()
        self._parts.shelf.close()
        self._parts.plates.close()
        self._parts.counters.close()
        self._parts.store.close()


async def serve(parts: Parts) -> int:
    """Run a node with its API until it ends; return the exit code."""
    from rackgrid.adapters.web.doors import Doors
    from rackgrid.adapters.web.server import serve as serve_web

    daemon: Daemon | None = None

    def running() -> Daemon:
        assert daemon is not None, "the API is asked only while the loop runs, after the start"
        return daemon

    doors = Doors(
        lambda: running().view(),
        lambda: running().health(),
        lambda: running().leave(),
        lambda request: running().ask(request),
        monotonic_ns,
        lambda: running().accounts(),
        lambda load: running().present(load),
        *(parts.chronicle, parts.group.sealed_with),
        prospect=lambda load: ahead_of(running().plans, load),
    )
    web = None
    if parts.config.web.enabled:
        try:
            web = await serve_web(parts.config.web, doors)
        except TransportError as fault:
            log.error("%s", fault)
    daemon = Daemon(parts, web.port if web else 0)
    if web is not None:
        log.info("API at %s/api/state", web.url)
    gc.freeze()  # what start-up made stays: no collection walks it while a load waits
    code = await daemon.run()
    if web is not None:
        await web.close()
    return code
