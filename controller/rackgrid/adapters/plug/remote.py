"""One output beyond the board: what is wanted of it, what it said, and what it may draw until when.

A task asks its actuator, again and again, until the thing is as it is wanted; it alone waits for
answers. What it knows is kept so that it can only err to the safe side:

- From before a word that switches on is written, the load counts as drawing, until the deadline
  under which the word was sent: its timer ends before that (`rackgrid.deadman`), heard or not.
- Only an answer that says off, asked for when no such word could still be on its way, ends this
  earlier.
- What does not answer stays as it was until its timer must have ended; then it is off.
- What is on without a timer of its own (a hand at its button) counts without an end, and is
  switched off.

Whether it has a dead-man at all is asked first, again whenever it was out of reach, and now and
then. Until that is proven its watts are floor (`bank.py`). One that was once on for longer than its
timer may let it is not believed again until somebody says that it may be (`trust`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from enum import Enum

from rackgrid.adapters.plug.actuator import Actuator, Sight
from rackgrid.deadman import FOREVER_NS, MS_NS, SECOND_NS, earliest_end_ns, latest_end_ns
from rackgrid.errors import TransportError

log = logging.getLogger(__name__)

LOOK_NS = SECOND_NS // 2
"""Between two looks at what is on: its button, its watts."""
LOOK_OFF_NS = 2 * SECOND_NS
"""Between two looks at what is off."""
RETRY_NS = (200 * MS_NS, 5 * SECOND_NS)
"""The first and the longest wait after a failure; it doubles between."""
GIVE_UP_NS = SECOND_NS
"""Failing for so long it counts as out of reach: nothing is asked of it until it answers."""
PROVE_NS = 600 * SECOND_NS
"""Between two proofs: somebody may have changed its settings."""
CLOCK_NS = 2 * SECOND_NS
"""A plug's clock of whole seconds may tell its rest by so much too long."""
BROKEN = "its own timer has failed to switch it off; repair or replace it"


class Proof(Enum):
    """What is known of a dead-man."""

    UNKNOWN = "not asked yet"
    PROVEN = "proven"
    NONE = "none"


class Remote:
    """One output beyond the board.

    Args:
        name: of the output.
        actuator: the way to it.
        clock: CLOCK_MONOTONIC in ns.
        changed: called, in the loop, after something new is known.
        is_free: whether it may start, as far as others are concerned; asked, by its name, at the
            last moment before a word that starts it.
    """

    def __init__(
        self,
        name: str,
        actuator: Actuator,
        clock: Callable[[], int],
        changed: Callable[[Remote], None],
        is_free: Callable[[str], bool],
    ) -> None:
        self.name = name
        self.proof = Proof.UNKNOWN
        self.why: str = ""
        """What is wrong with it, for a person; "" if nothing is."""
        self.sight: Sight | None = None
        """The last thing that it said."""
        self.seen_ns = 0
        """When it was asked for that."""
        self.is_broken = False
        """Whether its timer has once not ended what it should have."""
        self.reachable = True
        self._actuator = actuator
        self._clock = clock
        self._changed = changed
        self._is_free = is_free
        self._in_charge = False
        self.is_starting = False
        """Whether it is wanted on, and not known to have started since."""
        self.started_ns = 0
        """When it was last known to have started, ns: not before it did."""
        self._wanted_ns = 0
        self._until_ns: int = 0
        # A word of the process before may still be on its way.
        self._loose_ns: int = clock() + actuator.timer.deliver_ns
        self._drew_ns = 0
        self._held_ns = 0
        self._ends_ns = 0
        self._latest_ns = 0
        self._started = False
        self._is_unsure = False
        self._is_owed = False
        self._is_barred = False
        self._proved_ns = 0
        self._failing_ns = 0
        self._wait_ns = 0
        self._poke = asyncio.Event()
        self._rest = asyncio.Event()

    # --- what is known ---------------------------------------------------------------------------

    @property
    def is_floor(self) -> bool:
        """Whether its watts are floor, since nothing is known to end them."""
        return self.proof is not Proof.PROVEN

    def draws_until_ns(self) -> int:
        """Until when its load may draw, ns; 0 if it is off; `FOREVER_NS` if nothing ends it."""
        return self._until_ns if self._until_ns > self._clock() else 0

    @property
    def has_dropped(self) -> bool:
        """Whether it is off although it was on under the present hold."""
        return self._started and bool(self._wanted_ns) and not self.draws_until_ns()

    def why_off(self) -> str:
        """Say why it is not on although that is wanted; "" if it is, or a word is on its way."""
        if not self.reachable or self.is_floor:
            return "lost"
        if self.has_dropped:
            return "deadline"
        return "" if self.draws_until_ns() or self._is_free(self.name) else "excluded"

    def off_since_ns(self, since_ns: int, *, excludes: bool) -> int:
        """Say since when it is off, or will be, ns, if it is not wanted on.

        Args:
            since_ns: as it was thought until now, ns.
            excludes: whether others may not be on together with it: then what nothing is known to
                end is off at `FOREVER_NS`, and else now.
        """
        now_ns, ends_ns = self._clock(), self.draws_until_ns()
        if self.is_floor or ends_ns >= FOREVER_NS:
            return FOREVER_NS if excludes else now_ns
        return ends_ns or max(min(since_ns, now_ns), self._drew_ns)

    # --- what is wanted --------------------------------------------------------------------------

    def want(self, deadline_ns: int) -> None:
        """Have it on until a deadline; 0: off."""
        if deadline_ns == self._wanted_ns:
            return
        if not deadline_ns or not self._wanted_ns:
            self._started, self.is_starting = False, bool(deadline_ns)
        self._wanted_ns = deadline_ns
        self._rest.clear()
        self._poke.set()

    def bar(self, is_barred: bool) -> None:
        """Lock it out, or let it be used: one that is barred is switched off, floor or not."""
        if is_barred != self._is_barred:
            self._is_barred = is_barred
            self._poke.set()

    def distrust(self) -> None:
        """Count it as floor from now on: it was on longer than its timer may let it."""
        self.is_broken, self.proof = True, Proof.UNKNOWN

    def trust(self) -> None:
        """Believe in its timer again, if that is proven anew: somebody has looked at it."""
        if self.is_broken:
            self.is_broken, self.proof = False, Proof.UNKNOWN
            self._poke.set()

    def take_over(self, deadline_ns: int) -> None:
        """Take charge; before, it is looked at and left as it is.

        Args:
            deadline_ns: what is on counts as held until then, by the controller before this one;
                0: it is to be off.
        """
        self._wanted_ns = self._held_ns = deadline_ns
        self._started, self.is_starting = bool(deadline_ns), False
        self._in_charge = True
        self._rest.clear()
        self._poke.set()

    async def run(self) -> None:
        """Tend it, until cancelled."""
        while True:
            self._poke.clear()
            await self.turn()
            # (`asyncio.wait_for` of Python 3.11 loses a cancel that comes with the result.)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.patience_ns() / SECOND_NS):
                    await self._poke.wait()

    async def turn(self) -> None:
        """Do the one thing that is due, or look; and say what came of it."""
        try:
            await self._turn()
        except TransportError as fault:
            self._failed(str(fault))
        else:
            self._answered()
        self._changed(self)

    async def settled(self, within_s: float) -> None:
        """Wait until it is as it is wanted, or cannot be reached; not longer than `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                await self._rest.wait()
        except TimeoutError:
            log.warning("%s was not heard to follow in time; its own timer ends it", self.name)

    # --- the task --------------------------------------------------------------------------------

    async def _turn(self) -> None:
        aged = self._clock() - self._proved_ns > PROVE_NS
        if self.proof is Proof.UNKNOWN or not self.reachable or aged:
            await self._prove()
        wanted_ns = self._wanted_ns
        if wanted_ns > self._clock() and not self.is_floor:
            if self._needs_word(wanted_ns):
                await self._hold(wanted_ns)
            else:
                await self._look()
            if self.draws_until_ns() >= FOREVER_NS and not self.is_floor:
                await self._release()  # whoever has switched it on has set no timer
            followed = self._held_ns >= wanted_ns or self._is_far_from_its_end(wanted_ns)
        else:
            await self._look()
            if self.draws_until_ns() and self._in_charge and (self._is_barred or not self.is_floor):
                await self._release()
            followed = not self.draws_until_ns()
        if (followed or self.is_floor) and wanted_ns == self._wanted_ns:
            self._rest.set()

    async def _prove(self) -> None:
        missing = await self._actuator.prove()
        if self.is_broken:
            missing = BROKEN
        if not missing and self.is_floor:
            # Whether it is on is known before it is no longer floor.
            is_sure = self._clock() >= self._loose_ns
            await self._look()
            if not is_sure:
                return
        if missing and missing != self.why:
            log.error("%s has no dead-man, its watts count as floor: %s", self.name, missing)
        self._proved_ns = self._clock()
        self.proof = Proof.NONE if missing else Proof.PROVEN
        self.why = missing

    def _needs_word(self, wanted_ns: int) -> bool:
        """Whether a word is due, and safe: a timer that may have ended is not set anew."""
        now_ns = self._clock()
        if wanted_ns <= self._held_ns:
            return False
        if not self._started:
            is_known = now_ns >= self._loose_ns and not self._is_unsure
            return is_known and self._is_free(self.name)
        if self._is_far_from_its_end(wanted_ns):
            return False
        return now_ns + self._actuator.timer.deliver_ns <= self._ends_ns

    def _is_far_from_its_end(self, wanted_ns: int) -> bool:
        """Whether what runs has so long to go that a renewal can wait for the next one."""
        now_ns = self._clock()
        enough_ns = max((wanted_ns - now_ns) // 2, self._actuator.timer.deliver_ns + 2 * SECOND_NS)
        return self._ends_ns - now_ns > enough_ns

    async def _hold(self, wanted_ns: int) -> None:
        asked_ns, before_ns = self._clock(), self._until_ns
        self._until_ns = max(before_ns, wanted_ns)
        self._loose_ns = FOREVER_NS
        try:
            held = await self._actuator.hold(
                wanted_ns, starts=not self._started, by_ns=self._ends_ns
            )
        except BaseException:
            # Nobody knows what runs now: it is looked at before there is a new word. The timer may
            # have been set anew, to end earlier than it would have.
            self._ends_ns = 0
            self._loose_ns = self._clock() + self._actuator.timer.deliver_ns
            self._started, self._is_unsure, self._is_owed = False, True, True
            raise
        self._loose_ns = 0
        if held is None:
            self._until_ns = before_ns
            await self._look()
            return
        self._held_ns, self._ends_ns, self._latest_ns = wanted_ns, held.ends_ns, held.latest_ns
        self._has_started()
        self._is_owed = True
        self._understand(held.sight, asked_ns)
        if not held.sight.on:
            self._until_ns = 0
        elif held.sight.left_ns is None:
            self.distrust()
        elif self._until_ns <= held.latest_ns + CLOCK_NS:
            self._until_ns = held.latest_ns

    async def _release(self) -> None:
        asked_ns = self._clock()
        self._understand(await self._actuator.release(), asked_ns)

    async def _look(self) -> None:
        asked_ns = self._clock()
        self._understand(await self._actuator.look(), asked_ns)

    def _understand(self, sight: Sight, asked_ns: int) -> None:
        """Take what it says, as far as it can be sure."""
        drew_until_ns, is_sure = self.draws_until_ns(), asked_ns >= self._loose_ns
        self.sight, self.seen_ns = sight, asked_ns
        if sight.on or drew_until_ns:
            self._drew_ns = self._clock()
        if not sight.on:
            if is_sure:
                # A word without an answer may have been done, and be over: it dropped, then.
                self._started = self._started or (self._is_unsure and bool(self._wanted_ns))
                self._until_ns = self._held_ns = self._ends_ns = self._latest_ns = 0
                self._is_unsure = self._is_owed = False
            return
        if self._is_owed and not drew_until_ns:
            self.distrust()
        if sight.left_ns is None:
            self._until_ns = FOREVER_NS
            if is_sure and self._is_unsure:
                self.distrust()  # our word has come without its timer
            return
        ends_ns = latest_end_ns(self._actuator.timer, self._clock(), sight.left_ns)
        # Its clock may have been set: what our own word has set ends when that says, or before.
        self._until_ns = max(ends_ns, self._latest_ns, 0 if is_sure else drew_until_ns)
        if is_sure and self._is_unsure and self._wanted_ns:
            self._has_started()
        self._is_unsure = self._is_unsure and not is_sure
        if self._started:
            earliest_ns = earliest_end_ns(asked_ns, sight.sure_ns)
            self._ends_ns = min(max(self._ends_ns, earliest_ns), ends_ns)

    def _has_started(self) -> None:
        self._started = True
        if self.is_starting:
            self.is_starting, self.started_ns = False, self._clock()

    # --- how it goes -----------------------------------------------------------------------------

    def _answered(self) -> None:
        if not self.reachable:
            log.info("%s answers again", self.name)
        self.reachable, self._failing_ns, self._wait_ns = True, 0, 0
        if self.proof is Proof.PROVEN:
            self.why = ""

    def _failed(self, fault: str) -> None:
        now_ns = self._clock()
        self._failing_ns = self._failing_ns or now_ns
        self._wait_ns = min(max(2 * self._wait_ns, RETRY_NS[0]), RETRY_NS[1])
        self.why = fault
        if self.reachable and (self.sight is None or now_ns - self._failing_ns >= GIVE_UP_NS):
            log.warning("%s is out of reach: %s", self.name, fault)
            self.reachable = False
        if not self.reachable:
            self._rest.set()

    def patience_ns(self) -> int:
        """Say how long the next turn can wait, if nothing new is wanted."""
        if self._failing_ns:
            return self._wait_ns
        if self.proof is Proof.UNKNOWN:
            return max(self._loose_ns - self._clock(), MS_NS)
        return LOOK_NS if self._wanted_ns or self.draws_until_ns() else LOOK_OFF_NS
