"""Commands over MQTT, where the configuration allows them: off by default, never kept, soon stale.

Whoever may publish under a load's topic may do what `commands` lists, without the group key and
without the API's token: so each command is allowed by name, and the server's access list says to
whom. What is retained is not taken (`ears`), since it tells of some other time. Each command says
until when it counts, at most a minute ahead, and later than the last one did: so what a server or a
connection held back, and what comes twice, changes nothing. While nobody vouches for the clock no
command is taken.

A command is what an operator may ask of a load, no more: lock it out, unlock it, clear its fault.
None switches a load on; that is the market's and the guard's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from rackgrid.adapters.plug.talk import read_object
from rackgrid.config import Config
from rackgrid.core.event import OutputRequested, Tend
from rackgrid.errors import TransportError

if TYPE_CHECKING:
    from rackgrid.adapters.ears import Ears

EXPIRES_S: Final = 60.0
"""A command counts for no longer than this."""
_log = logging.getLogger("rackgrid.mqtt")


class Orders:
    """Takes commands for the loads of one node.

    Args:
        allowed: what may be asked for.
        wall_ns: Unix time, ns; None while nobody vouches for it.
        clock: CLOCK_MONOTONIC, ns.
        ask: lets the node do it.
    """

    def __init__(
        self,
        allowed: frozenset[Tend],
        wall_ns: Callable[[], int | None],
        clock: Callable[[], int],
        ask: Callable[[OutputRequested], None],
    ) -> None:
        self._allowed = allowed
        self._wall_ns = wall_ns
        self._clock = clock
        self._ask = ask
        self._last: dict[str, float] = {}
        self._said = ""

    def hear(self, load: str, topic: str, payload: bytes) -> bool:
        """Take what was published under a load's topic; say once why not, if not.

        Returns:
            Whether it was taken.
        """
        try:
            what, expires = self._read(load, payload)
        except TransportError as fault:
            if str(fault) != self._said:
                _log.warning("a command under %s is not taken: %s", topic, fault)
            self._said = str(fault)
            return False
        self._said = ""
        self._last[load] = expires
        _log.info("load %s: %s, asked for over MQTT", load, what.value)
        self._ask(OutputRequested(self._clock(), load, what))
        return True

    def _read(self, load: str, payload: bytes) -> tuple[Tend, float]:
        """Read a command.

        Raises:
            TransportError: it is none, or does not count now.
        """
        said = read_object(payload, "it")
        wanted, expires = said.get("do"), said.get("expires")
        what = next((each for each in self._allowed if each.value == wanted), None)
        if what is None:
            names = ", ".join(sorted(each.value for each in self._allowed))
            raise TransportError(f'"do" must be one of those in [mqtt] commands: {names}')
        if isinstance(expires, bool) or not isinstance(expires, int | float):
            raise TransportError('"expires" must be Unix time in seconds, a minute ahead at most')
        try:
            until = float(expires)
        except OverflowError:
            until = inf
        now_ns = self._wall_ns()
        if now_ns is None:
            raise TransportError("the clock is not synchronised: whether it counts is not known")
        if not 0 < until - now_ns / 1e9 <= EXPIRES_S:
            raise TransportError(f'"expires" is over, or more than {EXPIRES_S:g} s ahead')
        if until <= self._last.get(load, 0.0):
            raise TransportError('"expires" must be later than that of the command before')
        return what, until


def obey(
    config: Config,
    ears: Ears | None,
    wall_ns: Callable[[], int | None],
    clock: Callable[[], int],
    ask: Callable[[OutputRequested], None],
) -> None:
    """Listen for commands, if any are allowed."""
    if ears is None or config.mqtt is None or not config.mqtt.commands:
        return
    orders = Orders(frozenset(map(Tend, config.mqtt.commands)), wall_ns, clock, ask)
    for load in config.loads:
        topic = f"{config.mqtt.topic}/{config.rack.name}/{config.node.name}/{load.name}/set"
        ears.listen(topic, partial(orders.hear, load.name), retained=False)
