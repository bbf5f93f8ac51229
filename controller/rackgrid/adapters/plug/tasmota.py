"""Tasmota plugs, by their commands.

The timer is a setting, `PulseTime`, which lies in the plug's flash and is written when it changes.
So one value is used again and again, what fits under the rack's grants, and another only when much
more is granted (over a planned restart), or when it answers so slowly that it does not fit. `Power
ON` sets the timer anew, also when it is on already. Setting `PulseTime` sets a running timer too,
so it is a word that holds, and is made with the same care.

After a power cut it must come up off, `PowerOnState 0`. A warm restart keeps the relay as it is,
and then the timer runs anew.

Source: Tasmota, "Commands" and support_tasmota.ino, support_command.ino: ExecuteCommandPower sets
the pulse timer at each Power ON, CmndPulsetime sets a running one; GetPulseTimer gives the rest in
the setting's own units.
"""

from __future__ import annotations

import asyncio

from rackgrid.adapters.plug.actuator import Held, Sight
from rackgrid.adapters.plug.talk import Talk, Told, inside, number
from rackgrid.deadman import (
    FOREVER_NS,
    MS_NS,
    SECOND_NS,
    Timer,
    earliest_end_ns,
    latest_end_ns,
    span_ns,
)
from rackgrid.errors import TransportError

TICK_NS = 100 * MS_NS
TICKS_MAX = 111
"""Up to here `PulseTime` counts tenths of a second. More is its owner's setting, never ours."""


class Tasmota:
    """One relay of a Tasmota.

    Args:
        talk: the way to it; a word is a command.
        channel: of its relays, from 1.
        timer: what its timer can, over this way.
        usual_ns: how long a hold usually reaches when it comes: what grants leave, ns.
    """

    def __init__(self, talk: Talk[str], channel: int, timer: Timer, usual_ns: int) -> None:
        self._talk = talk
        self._channel = channel
        self._timer = timer
        self._usual = span_ns(timer, usual_ns) // TICK_NS
        self._set: int | None = None
        self._unsure_ns = 0
        self._meters = True

    @property
    def timer(self) -> Timer:
        """What its own timer can, over this way."""
        return self._timer

    async def prove(self) -> str:
        """Look whether it comes up off, and whether its timer is one that we know."""
        self._meters = True
        state = (await self._say("PowerOnState")).answer.get("PowerOnState")
        if state not in (0, "OFF"):
            return f"after a power cut it does not stay off (PowerOnState {state}): PowerOnState 0"
        if None in self._read(await self._ask_pulse()):
            return "it does not tell the rest of its PulseTime: update it to Tasmota 9 or later"
        return ""

    async def hold(self, deadline_ns: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
        """Set the timer if need be, and switch on; then look."""
        asked_ns: int | None = None
        if starts or self._set is None:
            # It may have changed while it was off: its owner, or a power cut before flash was
            # written.
            asked = await self._ask_pulse()
            self._read(asked)
            asked_ns = asked.written_ns
        ticks, deliver_ns = 0, self._timer.deliver_ns

        def power(now_ns: int) -> str | None:
            fits = 0 < ticks * TICK_NS <= span_ns(self._timer, deadline_ns - now_ns)
            is_late = not starts and now_ns + deliver_ns > by_ns
            may_say = fits and ticks == self._set and not is_late
            return f"Power{self._channel} ON" if may_say else None

        def pulse_or_power(now_ns: int) -> str | None:
            nonlocal ticks
            # A word takes as long as the question did, connection and all, and half of it again.
            room_ns = deliver_ns if asked_ns is None else (now_ns - asked_ns) * 3 // 2
            may_set = starts or now_ns + room_ns + deliver_ns <= by_ns
            room = room_ns if may_set else None
            ticks = self._ticks(deadline_ns - now_ns, room, starts=starts)
            if not ticks or ticks == self._set:
                return power(now_ns)
            # Until its answer is there nobody knows what is set; then it was heard, or never is.
            self._set, self._unsure_ns = None, now_ns + deliver_ns
            return f"PulseTime{self._channel} {ticks}"

        told = await self._talk.ask(pulse_or_power)
        if told is not None and ticks != self._set:
            self._unsure_ns = 0
            self._read(told)
            # It may have set the timer that runs, to end earlier than that would have.
            by_ns = min(by_ns, earliest_end_ns(told.written_ns, ticks * TICK_NS))
            told = await self._talk.ask(power)
            if told is None:
                raise TransportError(
                    f"the Tasmota was told PulseTime{self._channel} {ticks}, has {self._set}, and "
                    "could not be switched on in time"
                )
        if told is None:
            return None
        span = ticks * TICK_NS
        ends_ns = earliest_end_ns(told.written_ns, span)
        # Over MQTT what answered may be a state that it said unasked, before it heard the word.
        heard_ns = max(told.answered_ns, told.written_ns + deliver_ns)
        return Held(ends_ns, latest_end_ns(self._timer, heard_ns, span), await self.look())

    async def release(self) -> Sight:
        """Switch off, and look."""
        await self._say(f"Power{self._channel} OFF")
        return await self.look()

    async def look(self) -> Sight:
        """Ask for relay, timer and meter."""
        sight = await self._glance()
        if sight is None:
            # The last moment of its timer, or none runs: not everything that switches it on sets
            # one (`Power0`). Then it is still on when that has ended.
            await asyncio.sleep((TICK_NS + self._timer.late_ns) / SECOND_NS)
            sight = await self._glance()
        return sight or Sight(True, None, 0, *await self._metered())

    async def _glance(self) -> Sight | None:
        """Look once; None if it is on and nothing is left of its timer."""
        power = (await self._say(f"Power{self._channel}")).answer
        said = power.get(f"POWER{self._channel}", power.get("POWER"))
        if said not in ("ON", "OFF"):
            raise TransportError(f"the Tasmota has no relay {self._channel}: it says {said!r}")
        if said == "OFF":
            return Sight(False, None, 0, *await self._metered())
        ticks, rest = self._read(await self._ask_pulse())
        if ticks is None or rest is None or not 0 <= rest <= ticks <= TICKS_MAX or not ticks:
            return Sight(True, None, 0, *await self._metered())
        if not rest:
            return None
        left_ns, sure_ns = (rest + 1) * TICK_NS, (rest - 1) * TICK_NS
        return Sight(True, left_ns, sure_ns, *await self._metered())

    def _ticks(self, left_ns: int, room_ns: int | None, *, starts: bool) -> int:
        """Choose the setting: what is set if it fits and is not much shorter than what is wanted.

        Wanted is the usual one, or what fits if that is less, or far more. A renewal sets nothing
        that is much shorter than usual: the next, longer one may do.

        Args:
            left_ns: from now to the deadline, ns.
            room_ns: how long setting another may take, ns; None: there is no time for that.
            starts: whether it may be off.

        Returns:
            0 if nothing fits.
        """
        fits = self._fitting(left_ns)
        kept = self._set if self._set is not None and self._set <= fits else 0
        if room_ns is None or kept * 3 >= self._wanted(fits) * 2:
            return kept
        other = self._wanted(self._fitting(left_ns - room_ns))
        if not starts and other * 3 < self._usual * 2:
            return kept
        return max(kept, other)

    def _fitting(self, left_ns: int) -> int:
        return min(span_ns(self._timer, left_ns) // TICK_NS, TICKS_MAX)

    def _wanted(self, fits: int) -> int:
        return fits if fits > 2 * self._usual else min(fits, self._usual)

    async def _ask_pulse(self) -> Told:
        return await self._say(f"PulseTime{self._channel}")

    def _read(self, told: Told) -> tuple[int | None, int | None]:
        """Read setting and rest; None for what is not understood."""
        pulse = inside(told.answer, f"PulseTime{self._channel}")
        ticks, rest = number(pulse, "Set"), number(pulse, "Remaining")
        if told.written_ns >= self._unsure_ns:
            self._set = None if ticks is None else int(ticks)
        return None if ticks is None else int(ticks), None if rest is None else int(rest)

    async def _metered(self) -> tuple[float | None, float | None]:
        if not self._meters:
            return None, None
        energy = inside(inside((await self._say("Status 10")).answer, "StatusSNS"), "ENERGY")
        watts, volts = number(energy, "Power"), number(energy, "Voltage")
        self._meters = watts is not None
        return watts, volts

    async def _say(self, command: str) -> Told:
        told = await self._talk.ask(lambda _: command)
        assert told is not None, "there is always a word"
        if "WARNING" in told.answer:
            raise TransportError("the Tasmota refuses the password; correct password_file")
        return told
