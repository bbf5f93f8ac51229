"""Tasmota plugs, by their commands.

The timer is a setting, `PulseTime`, which lies in the plug's flash and is written when it changes.
So one value is used again and again, what fits under the rack's grants, and another only when much
more is granted (over a planned restart). `Power ON` sets the timer anew, also when it is on
already. Setting `PulseTime` sets a running timer too, so it is a word that holds, and is made with
the same care.

After a power cut it must come up off, `PowerOnState 0`. A warm restart keeps the relay as it is,
and then the timer runs anew.

Source: Tasmota, "Commands" and support_tasmota.ino, support_command.ino: ExecuteCommandPower sets
the pulse timer at each Power ON, CmndPulsetime sets a running one; GetPulseTimer gives the rest in
the setting's own units.
"""

from __future__ import annotations

from rackgrid.adapters.plug.actuator import Held, Sight
from rackgrid.adapters.plug.talk import Answer, Talk, Told, inside, number
from rackgrid.deadman import FOREVER_NS, MS_NS, Timer, earliest_end_ns, latest_end_ns, span_ns
from rackgrid.errors import TransportError

TICK_NS = 100 * MS_NS
TICKS_MAX = 111
"""Up to here `PulseTime` counts tenths of a second."""


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
        if await self._rest() is None:
            return "it does not tell the rest of its PulseTime: update it to Tasmota 9 or later"
        return ""

    async def hold(self, deadline_ns: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
        """Set the timer if need be, and switch on; then look."""
        if self._set is None:
            await self._rest()
        ticks = 0

        def pulse(now_ns: int) -> str | None:
            nonlocal ticks
            ticks = self._ticks(deadline_ns - now_ns, starts=starts)
            return f"PulseTime{self._channel} {ticks}" if ticks and ticks != self._set else None

        def power(now_ns: int) -> str | None:
            fits = 0 < ticks * TICK_NS <= span_ns(self._timer, deadline_ns - now_ns)
            return f"Power{self._channel} ON" if fits and ticks == self._set else None

        told = await self._talk.ask(pulse)
        if told is not None:
            self._take_rest(told.answer)
        told = await self._talk.ask(power)
        if told is None:
            return None
        span = ticks * TICK_NS
        ends_ns = earliest_end_ns(told.written_ns, span)
        latest_ns = latest_end_ns(self._timer, told.answered_ns, span)
        return Held(ends_ns, latest_ns, await self.look())

    async def release(self) -> Sight:
        """Switch off, and look."""
        await self._say(f"Power{self._channel} OFF")
        return await self.look()

    async def look(self) -> Sight:
        """Ask for relay, timer and meter."""
        power = (await self._say(f"Power{self._channel}")).answer
        said = power.get(f"POWER{self._channel}", power.get("POWER"))
        if said not in ("ON", "OFF"):
            raise TransportError(f"the Tasmota has no relay {self._channel}: it says {said!r}")
        if said == "OFF":
            return Sight(False, None, 0, *await self._metered())
        rest = await self._rest()
        if rest is None or not self._set:
            return Sight(True, None, 0, *await self._metered())
        left_ns, sure_ns = (rest + 1) * TICK_NS, max(0, rest - 1) * TICK_NS
        return Sight(True, left_ns, sure_ns, *await self._metered())

    def _ticks(self, left_ns: int, *, starts: bool) -> int:
        """Choose the setting: the usual one if it fits, and what fits if that is far more.

        For a start also what fits if that is less; a renewal waits for the next, longer one then.
        """
        fits = min(span_ns(self._timer, left_ns) // TICK_NS, TICKS_MAX)
        if fits < self._usual:
            return fits if starts else 0
        return fits if fits > 2 * self._usual else self._usual

    async def _rest(self) -> int | None:
        return self._take_rest((await self._say(f"PulseTime{self._channel}")).answer)

    def _take_rest(self, answer: Answer) -> int | None:
        """Read setting and rest, in ticks; None if they are not understood."""
        pulse = inside(answer, f"PulseTime{self._channel}")
        ticks, rest = number(pulse, "Set"), number(pulse, "Remaining")
        self._set = None if ticks is None else int(ticks)
        if ticks is None or rest is None or ticks > TICKS_MAX:
            return None if ticks is None or rest is None else 0
        return int(rest)

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
