"""What plugs meter: readings for the node, and verdicts on their contacts.

The verdicts are the firmware's own (`rackgrid_firmware.protection`): welded, if watts flow several
looks in a row though the plug says that it is off; no load, if it is on and none do. They rest on
watts that come in the same answer as the state. A plug of any maker says the two at different
times, perhaps minutes apart, so none is judged; its watts count as they come.
"""

from __future__ import annotations

from collections.abc import Mapping

from rackgrid.adapters.plug.actuator import Sight
from rackgrid.adapters.plug.socket import Socket
from rackgrid.adapters.plug.tally import Tally
from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.sight import Trip, Watch
from rackgrid_firmware.watch import Watchman

ZERO_A = 0.01
"""What a plug may show when nothing flows, A: some 2 W of mains, its own needs included."""


class Lookout:
    """The meters in all plugs.

    Args:
        sockets: by name.
    """

    def __init__(self, sockets: Mapping[str, Socket]) -> None:
        self._tallies = {name: Tally(f"plug/{name}") for name in sockets}
        self._watches = tuple(self._watch(each) for each in sockets.values() if each.is_judged)
        self._watchman = Watchman((), {}, 0)
        self._is_on: dict[str, bool] = {}
        self._judged_ns: dict[str, int] = {}

    def begin(self, is_on: Mapping[str, bool], now_ns: int) -> None:
        """Begin to judge, knowing only how each output is switched."""
        self._is_on = dict(is_on)
        self._watchman = Watchman(self._watches, is_on, now_ns)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """What is known of the contacts, by output."""
        return self._watchman.verdicts

    def meter(self, name: str) -> str:
        """Say which meter sees an output; "" if the plug has never said what it draws."""
        tally = self._tallies[name]
        return tally.meter if tally.is_metered else ""

    def readings(self, now_ns: int) -> tuple[Reading, ...]:
        """Say what all plugs meter."""
        readings = (tally.reading(now_ns) for tally in self._tallies.values())
        return tuple(reading for reading in readings if reading is not None)

    def take(self, name: str, sight: Sight, asked_ns: int) -> None:
        """Take what a plug says of itself."""
        self._tallies[name].take(sight, asked_ns)

    def changed(self, name: str, now_ns: int, *, on: bool) -> None:
        """Note that something of an output has changed: its watts of before mean nothing now."""
        self._tallies[name].switched(now_ns)
        if self._is_on.get(name) != on:
            self._is_on[name] = on
            self._watchman.moved(now_ns, name, on=on)

    def judge(self, name: str, now_ns: int) -> tuple[Trip, ...]:
        """Judge a contact by what its plug has said last, once; say what must be latched."""
        reading = self._tallies[name].reading(now_ns)
        if reading is None or reading.quality is not Quality.FRESH:
            return ()
        if reading.t_ns <= self._judged_ns.get(name, 0):
            return ()
        self._judged_ns[name] = reading.t_ns
        return self._watchman.read(reading)

    def cleared(self, name: str) -> None:
        """Note that somebody has looked into an output's fault."""
        self._watchman.cleared(name)

    def _watch(self, socket: Socket) -> Watch:
        return Watch(
            name=socket.name,
            meter=self._tallies[socket.name].meter,
            required=False,
            most_w=socket.nominal_mw / 1000,
            inrush_ns=socket.inrush_ns,
            zero_a=ZERO_A,
        )
