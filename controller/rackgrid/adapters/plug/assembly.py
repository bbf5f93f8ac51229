"""Makes the bank of a configuration: for each load beyond the board, the way to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from rackgrid.adapters.plug.actuator import Actuator
from rackgrid.adapters.plug.bank import Bank
from rackgrid.adapters.plug.http import HttpTalk
from rackgrid.adapters.plug.shelly import Rpc, Shelly
from rackgrid.adapters.plug.socket import Socket
from rackgrid.adapters.plug.talk import Talk, Told
from rackgrid.adapters.plug.tasmota import Tasmota
from rackgrid.adapters.plug.unit import Unit
from rackgrid.adapters.secret import read_secret
from rackgrid.config import Config, LoadConfig, PlugConfig, RackConfig, TopicConfig
from rackgrid.config_switch import SwitchConfig
from rackgrid.config_units import nanoseconds
from rackgrid.deadman import TIMERS, Timer, grant_ns_min, timer_of
from rackgrid_firmware.boot_record import kernel_boot_id
from rackgrid_firmware.calm import calm_until_ns
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.logbook import Logbook

if TYPE_CHECKING:
    from rackgrid.adapters.plug.line import Line

log = logging.getLogger(__name__)

JUDGED = ("shelly", "tasmota")
"""Of these one answer says state and watts."""
USER = "admin"
"""A Shelly and a Tasmota have this one user."""


def bank_of(config: Config, clock: Callable[[], int]) -> Bank | None:
    """Make the bank, or None if nothing is beyond the board.

    Raises:
        ConfigError: a file with a password cannot be read.
    """
    plugs = [(load, load.plug) for load in config.loads if load.plug is not None]
    if not plugs:
        return None
    line: Line | None = None
    if config.mqtt is not None and any(plug.way == "mqtt" for _, plug in plugs):
        from rackgrid.adapters.plug.line import Line  # paho is not loaded without a plug on it

        line = Line(config.mqtt)
    boot_id = kernel_boot_id()
    rivals = rivals_of({load.output: plug.switch for load, plug in plugs})
    sockets: list[Socket] = []
    for load, plug in plugs:
        actuator = _actuator(load, plug, config, line, clock)
        sockets.append(_socket(load, plug, rivals[load.output], boot_id, actuator))
    dwell = DwellFile(config.node.runtime_dir / "plugs.json", boot_id)
    logbook = Logbook(
        config.node.state_dir,
        boot_id,
        _not_kept,
        lambda _: None,  # no pin is to be left barred: nothing here comes on by itself
        clock,
        "plugs.json",
        config.node.runtime_dir / "plug-starts.json",
    )
    return Bank(sockets, clock, dwell, line.run if line is not None else None, logbook)


def _not_kept(fault: OSError) -> None:
    log.error("lockouts and faults of plugs would be forgotten at a restart: %s", fault)


def rivals_of(switches: Mapping[str, SwitchConfig]) -> dict[str, tuple[str, ...]]:
    """Say what excludes what: who is named by another excludes that one, too."""
    pairs = {(name, other) for name, each in switches.items() for other in each.not_with}
    pairs |= {(other, name) for name, other in pairs}
    return {name: tuple(sorted(b for a, b in pairs if a == name)) for name in switches}


def _socket(
    load: LoadConfig,
    plug: PlugConfig,
    rivals: tuple[str, ...],
    boot_id: str,
    actuator: Actuator,
) -> Socket:
    switch = plug.switch
    return Socket(
        name=load.output,
        actuator=actuator,
        nominal_mw=-(-round(plug.nominal_w * 1e6) // 1000),
        inrush_mw=-(-round(plug.inrush_w * 1e6) // 1000),
        inrush_ns=nanoseconds(plug.inrush_s),
        min_on_ns=nanoseconds(plug.min_on_s),
        min_off_ns=nanoseconds(plug.min_off_s),
        hold_ns=nanoseconds(switch.hold_s),
        switches_per_day=switch.switches_per_day,
        not_with=rivals,
        dead_ns=nanoseconds(switch.dead_s),
        calm_until_ns=calm_until_ns(switch.start_delay_s, f"{boot_id} {load.output}"),
        contact_life=switch.contact_life,
        is_judged=plug.make in JUDGED,
    )


def _actuator(
    load: LoadConfig,
    plug: PlugConfig,
    config: Config,
    line: Line | None,
    clock: Callable[[], int],
) -> Actuator:
    if plug.make == "unit":
        return _unit(plug, config.rack, clock)
    if plug.make == "shelly":
        return Shelly(_shelly(load, plug, line, clock), plug.channel, _timer(plug))
    if plug.topics is not None:
        return _generic(plug, plug.topics, line, clock)
    usual_ns = nanoseconds(config.rack.grant_s - config.rack.round_s)
    return Tasmota(_tasmota(load, plug, line, clock), plug.channel, _timer(plug), usual_ns)


def _unit(plug: PlugConfig, rack: RackConfig, clock: Callable[[], int]) -> Unit:
    freezes, of_user = plug.safe == "freeze", plug.way == "user_unit"
    return Unit(plug.address, freezes, _spare_ns(rack), clock, of_user=of_user)


def _shelly(
    load: LoadConfig, plug: PlugConfig, line: Line | None, clock: Callable[[], int]
) -> Talk[Rpc]:
    if line is not None and plug.way == "mqtt":
        from rackgrid.adapters.plug.mqtt_talk import ShellyMqtt

        return ShellyMqtt(line, plug.address, clock)
    return _ShellyHttp(HttpTalk(plug.address, clock, USER, _password(load.name, plug)))


def _tasmota(
    load: LoadConfig, plug: PlugConfig, line: Line | None, clock: Callable[[], int]
) -> Talk[str]:
    if line is not None and plug.way == "mqtt":
        from rackgrid.adapters.plug.mqtt_talk import TasmotaMqtt

        return TasmotaMqtt(line, plug.address, clock)
    return _TasmotaHttp(HttpTalk(plug.address, clock), _password(load.name, plug))


def _generic(
    plug: PlugConfig, topics: TopicConfig, line: Line | None, clock: Callable[[], int]
) -> Actuator:
    from rackgrid.adapters.plug.generic import Generic

    assert line is not None, "the configuration refuses it without a server"
    return Generic(line, plug.address, topics, _timer(plug), clock)


def _timer(plug: PlugConfig) -> Timer:
    return timer_of(plug.make, plug.way)


def _spare_ns(rack: RackConfig) -> int:
    """Return how long a unit may take to stop: what grants leave beyond the shortest."""
    least_ns = grant_ns_min(TIMERS["unit"], nanoseconds(rack.round_s))
    return max(0, nanoseconds(rack.grant_s) - least_ns)


def _password(load: str, plug: PlugConfig) -> str:
    if plug.password_file is None:
        return ""
    return read_secret(plug.password_file, f"[[load]] {load!r} password_file")


class _ShellyHttp(Talk[Rpc]):
    """A Shelly's calls as requests."""

    def __init__(self, http: HttpTalk) -> None:
        self._http = http

    async def ask(self, word: Callable[[int], Rpc | None]) -> Told | None:
        def path(now_ns: int) -> str | None:
            call = word(now_ns)
            return call.path if call is not None else None

        return await self._http.ask(path)


class _TasmotaHttp(Talk[str]):
    """A Tasmota's commands as requests; a password stands in the query, as it wants it."""

    def __init__(self, http: HttpTalk, password: str) -> None:
        self._http = http
        self._who = urlencode({"user": USER, "password": password}) + "&" if password else ""

    async def ask(self, word: Callable[[int], str | None]) -> Told | None:
        def path(now_ns: int) -> str | None:
            command = word(now_ns)
            return None if command is None else f"/cm?{self._who}cmnd={quote(command)}"

        return await self._http.ask(path)
