"""Loads beyond the board: systemd units, and plugs that are spoken to over HTTP.

Plugs over MQTT stand and fall with the MQTT server, which has checks of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.service import unit
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import LoadConfig

RULE = "/etc/polkit-1/rules.d/60-rackgrid-units.rules"
LINGER = "/var/lib/systemd/linger/rackgrid"
KNOCK_S = 2.0
HTTP_PORT = 80

UNITS = Check(
    "unit-loads",
    "Is each unit that is a load there, left to the rack at boot, and ours to switch?",
    "A unit that the boot starts draws power before anybody has granted it. To switch a unit of "
    "the "
    "system the controller needs the rule in systemd/polkit, to switch one of its own user that "
    "user's manager must run (linger): see systemd/README.md, Units as loads.",
)
ANSWER = Check(
    "plug-answers",
    "Does each plug that is spoken to over HTTP answer?",
    "A plug that cannot be reached keeps its last state until its own timer ends; its watts count "
    "at nameplate so long, and it is not started again.",
)
CHECKS = (UNITS, ANSWER)


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """A unit that is a load.

    Attributes:
        is_user: whether it belongs to our user's manager.
        properties: as systemd says; those of a user's manager cannot be asked from here.
        is_allowed: whether the rule names it, or the user's manager runs on its own.
    """

    load: str
    name: str
    is_user: bool
    properties: dict[str, str] | Unknown
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged; `plugs` says of each load what its plug answered, "" if it was reached."""

    units: tuple[UnitSeen, ...]
    plugs: dict[str, str] | Unknown


def look(case: Case) -> Facts | Unknown:
    """Gather the facts; Unknown without a configuration."""
    if isinstance(case.config, Unknown):
        return case.config
    loads = case.config.loads
    units = tuple(seen for load in loads if (seen := _unit(case.host, load)) is not None)
    if not case.host.is_this:
        return Facts(units, Unknown("another machine's plugs are not visited"))
    http = [load for load in loads if load.plug is not None and load.plug.way == "http"]
    return Facts(units, {load.name: knock(load.plug.address) for load in http if load.plug})


def _unit(host: Host, load: LoadConfig) -> UnitSeen | None:
    plug = load.plug
    if plug is None or plug.way not in {"unit", "user_unit"}:
        return None
    if plug.way == "user_unit":
        unseen = Unknown("of the user rackgrid's manager")
        return UnitSeen(load.name, plug.address, True, unseen, host.has(LINGER))
    rule = host.text(RULE)
    is_allowed = not isinstance(rule, Unknown) and f'"{plug.address}"' in rule
    return UnitSeen(load.name, plug.address, False, unit(host, plug.address), is_allowed)


def knock(address: str) -> str:
    """Open a connection to a plug; say what keeps one from it, or ""."""
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port or HTTP_PORT)), KNOCK_S).close()
    except OSError as fault:
        return f"{address}: {fault.strerror or fault}"
    return ""


def judge(facts: Facts | Unknown) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts, Unknown):
        yield from (check.skip(facts) for check in CHECKS)
        return
    yield from (_judge_unit(seen) for seen in facts.units)
    if not facts.units:
        yield UNITS.skip("no load is a unit")
    yield from _judge_plugs(facts.plugs)


def _judge_unit(seen: UnitSeen) -> Finding:
    name, properties = seen.name, seen.properties
    if not seen.is_allowed and seen.is_user:
        return UNITS.fail(
            f"load {seen.load}: the user rackgrid's manager runs only while it is logged in",
            "loginctl enable-linger rackgrid",
        )
    if not seen.is_allowed:
        return UNITS.fail(
            f"load {seen.load}: {RULE} does not let the controller switch {name}",
            f"install systemd/polkit/60-rackgrid-units.rules with {name} in it",
        )
    if isinstance(properties, Unknown):
        return UNITS.skip(f"load {seen.load}: {name}: {properties.reason}")
    if properties.get("LoadState") != "loaded":
        return UNITS.fail(f"load {seen.load}: there is no {name}", f"systemctl cat {name}")
    if properties.get("UnitFileState") in {"enabled", "enabled-runtime"}:
        return UNITS.fail(
            f"load {seen.load}: {name} starts at boot, before anybody grants it power",
            f"systemctl disable {name}",
        )
    return UNITS.ok(f"load {seen.load}: {name}")


def _judge_plugs(plugs: dict[str, str] | Unknown) -> Iterator[Finding]:
    if isinstance(plugs, Unknown) or not plugs:
        yield ANSWER.skip(plugs if isinstance(plugs, Unknown) else "no load is an HTTP plug")
        return
    for load, trouble in plugs.items():
        if trouble:
            yield ANSWER.fail(
                f"load {load}: {trouble}", "is it plugged in, in the LAN, and is its address right?"
            )
        else:
            yield ANSWER.ok(f"load {load}: its plug is there")


FAMILY = Family("plugs", CHECKS, lambda case: judge(look(case)))
