"""The keys of a load that no pin of the board switches: a systemd unit, or a plug in the network.

Here `rackgrid.toml` says what the board profile says of an output (nameplate, inrush, dwell, and
how else it may be switched: `config_switch`), since no profile knows these things. The keys are
refused for an output of the board: there they belong to root, and a fact that stands twice is wrong
once.

A unit that the node, its network or its operator lives by is refused by name: the market must not
be able to lock its own owner out.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from rackgrid.config import LoadConfig, PlugConfig
from rackgrid.config_switch import (
    SWITCH_KEYS,
    check_switch,
    switch,
    switch_keys,
    written_switch,
)
from rackgrid.config_topic import (
    MAKE,
    TOPIC_KEYS,
    check_topics,
    has_deadman,
    refuse_topics,
    topic_keys,
    topics,
    written_topics,
)
from rackgrid.deadman import SECOND_NS, grant_ns_min, timer_of
from rackgrid_firmware.key import Key, Kind, complaint, shown
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

WAYS = ("unit", "user_unit", "http", "mqtt")
_UNITS = ("unit", "user_unit")
_FACTS = ("nominal_w", "inrush_w", "inrush_s", "min_on_s", "min_off_s")
PLUG_KEYS = frozenset({*WAYS, *_FACTS, *SWITCH_KEYS, *TOPIC_KEYS, "safe", "password_file"})
"""What may stand in a `[[load]]` only beside one of the ways, and these."""

_MAKES = "(?P<make>shelly|tasmota)://"
_CHANNEL = "(?:/(?P<channel>[0-9]{1,2}))?"
_HTTP = rf"{_MAKES}(?P<address>[A-Za-z0-9_.-]{{1,253}}(?::[0-9]{{1,5}})?){_CHANNEL}"
_TOPIC = r"[^\s#+$/]+(?:/[^\s#+$/]+)*"
_MQTT = rf"(?:{_MAKES}(?P<address>{_TOPIC}?){_CHANNEL}|{MAKE}://(?P<commands>{_TOPIC}))"
_UNIT = r"[A-Za-z0-9:_.@\\-]{1,200}\.service"
_FIRST_CHANNEL = {"shelly": 0, "tasmota": 1}

_VITAL = re.compile(
    r"rackgrid|ssh|dropbear|systemd-|user@|user-runtime-dir@|getty|serial-getty|console-getty"
    r"|autovt@|dbus|polkit|network|NetworkManager|ModemManager|wpa_supplicant|dhcpcd|dhclient|ifup"
    r"|iwd|connman|avahi|hciuart|tailscale|zerotier|wg-quick|openvpn|nftables|ufw|firewalld|chrony"
    r"|ntp|openntpd|cron|rsyslog|emergency|rescue|plymouth|udev|kmod|lvm|mdadm|apt-|dpkg"
    r"|unattended-upgrades|watchdog|mosquitto|raspi-config|rpi-eeprom"
)
"""Names that begin so are never switched: this node, its door, its network, its clock, its base."""


class _Address(NamedTuple):
    make: str
    address: str
    channel: int


def plug_keys() -> tuple[Key, ...]:
    """Return the keys that a plug adds to `[[load]]`."""
    http = 'make://host/channel, such as "shelly://192.168.1.20/0" or "tasmota://heater.lan/1"'
    mqtt = 'make://topic/channel, such as "tasmota://heater/1" or "generic://its/command/topic"'
    unit = 'the full name of a service, such as "transcoder.service"'

    def way(name: str, doc: str, pattern: str, allowed: str) -> Key:
        return Key(name, Kind.TEXT, doc, None, pattern=pattern, allowed=allowed)

    return (
        way("unit", "a systemd unit of this node, in place of an output", _UNIT, unit),
        way("user_unit", "a unit of our own user's systemd, in place of an output", _UNIT, unit),
        way("http", "a plug that is spoken to over HTTP, in place of an output", _HTTP, http),
        way("mqtt", "a plug that is spoken to over MQTT, in place of an output", _MQTT, mqtt),
        *topic_keys(),
        Key("password_file", Kind.PATH, "a file with the plug's password", None),
        Key("safe", Kind.TEXT, "what a unit does off", "off", choices=("off", "freeze")),
        Key("nominal_w", Kind.NUMBER, "nameplate power", None, unit="W", low=0.1, high=1e5),
        Key("inrush_w", Kind.NUMBER, "most power while it starts", None, unit="W", high=1e6),
        Key("inrush_s", Kind.NUMBER, "how long it starts", None, unit="s", high=60),
        Key("min_on_s", Kind.NUMBER, "least time on", None, unit="s", high=86400),
        Key("min_off_s", Kind.NUMBER, "least time off", None, unit="s", high=86400),
        *switch_keys(),
    )


def is_plug(load: Section) -> bool:
    """Whether a load is switched by the controller itself."""
    return not load.given.isdisjoint(WAYS)


def plug(file: TomlFile, load: Section) -> PlugConfig | None:
    """Read how a load is switched, from a file that was found right; None: by the board."""
    way = next((each for each in WAYS if each in load.given), None)
    if way is None:
        return None
    found = _parsed(way, load.text(way))
    nominal_w = load.number("nominal_w")
    return PlugConfig(
        way=way,
        make=found.make,
        address=found.address,
        channel=found.channel,
        nominal_w=nominal_w,
        inrush_w=load.number("inrush_w", nominal_w),
        inrush_s=load.number("inrush_s"),
        min_on_s=load.number("min_on_s"),
        min_off_s=load.number("min_off_s"),
        safe=load.text("safe"),
        password_file=file.beside(load.text("password_file")),
        topics=topics(load) if found.make == MAKE else None,
        switch=switch(load),
    )


def written_way(load: LoadConfig) -> dict[str, object]:
    """Say what stands in the file of how a load is switched; what is left out is not in it."""
    plug = load.plug
    if plug is None:
        return {"output": load.output}
    said: dict[str, object] = {plug.way: plug.address}
    if plug.make == MAKE:
        said[plug.way] = f"{MAKE}://{plug.address}"
    elif plug.make != "unit":
        said[plug.way] = f"{plug.make}://{plug.address}/{plug.channel}"
    said |= written_topics(plug.topics) | written_switch(plug.switch)
    return said | {key: getattr(plug, key) for key in (*_FACTS, "safe", "password_file")}


def check_plugs(file: TomlFile, sections: dict[str, list[Section]], elsewhere: str) -> None:
    """Check what must hold of plugs, and between them and the rack's timers.

    Args:
        file: takes the findings.
        sections: of `rackgrid.toml`.
        elsewhere: what to say of a copper fact of a load that the board switches.
    """
    used: dict[tuple[str, _Address, str], Section] = {}
    plugs = {load.text("name"): load for load in sections["load"] if is_plug(load)}
    others = [load.text("name") for load in sections["load"] if not is_plug(load)]
    endless = [name for name, load in plugs.items() if _is_endless(load)]
    for load in sections["load"]:
        if not is_plug(load):
            _refuse_facts(file, load, elsewhere)
            continue
        _check_keys(file, load)
        check_switch(file, load, plugs, others, endless)
        way = next(each for each in WAYS if each in load.given)
        if not load.sound(way):
            continue
        found = _parsed(way, load.text(way))
        _check_way(file, load, way, found, sections)
        # One topic may command several relays, each with a word of its own.
        word = load.text("on_payload") if found.make == MAKE else ""
        earlier = used.setdefault((way, found, word), load)
        if earlier is not load:
            text = f"{earlier.label} has it already"
            file.blame(load, way, complaint(text, shown(load.text(way))))


def _is_endless(load: Section) -> bool:
    """Whether nothing ends a plug: it has no dead-man."""
    is_generic = load.sound("mqtt", "on_payload") and load.text("mqtt").startswith(f"{MAKE}://")
    return is_generic and not has_deadman(load)


def _parsed(way: str, text: str) -> _Address:
    if way in _UNITS:
        return _Address("unit", text, 0)
    match = re.fullmatch(_HTTP if way == "http" else _MQTT, text)
    assert match is not None, "the key's pattern has seen to that"
    if way == "mqtt" and match["commands"]:
        return _Address(MAKE, match["commands"], 0)
    make, channel = match["make"], match["channel"]
    return _Address(make, match["address"], int(channel) if channel else _FIRST_CHANNEL[make])


def _refuse_facts(file: TomlFile, load: Section, elsewhere: str) -> None:
    for key in (*_FACTS, *SWITCH_KEYS):
        if key in load.given:
            file.blame(load, key, elsewhere)
    for key in ("safe", "password_file"):
        if key in load.given:
            file.blame(load, key, "has no meaning for an output of the board; take this line out")
    refuse_topics(file, load, "an output of the board")


def _check_keys(file: TomlFile, load: Section) -> None:
    """Check the keys of one plug against each other."""
    ways = [way for way in WAYS if way in load.given]
    for way in ways[1:]:
        file.blame(load, way, f"it has {ways[0]} already: a load is switched in one way")
    if "output" in load.given:
        file.blame(load, "output", f"it has {ways[0]}, and so no output of the board")
    if load.sound("kind") and load.text("kind") == "required":
        text = (
            "a plug or a unit is there to be switched; what is always on needs no [[load]]: "
            "count it in base_w of the board profile"
        )
        file.blame(load, "kind", complaint(text, '"required"', '"flexible"'))
    if "nominal_w" not in load.given | load.guessed:
        file.blame(load, "nominal_w", "missing: the most that it draws, which nothing else says")
    elif load.sound("nominal_w", "inrush_w"):
        nominal_w = load.number("nominal_w")
        if load.number("inrush_w", nominal_w) < nominal_w:
            text = "a start takes at least what running takes"
            allowed = f"nominal_w or more, {nominal_w:g} W"
            got = f"{load.number('inrush_w'):g}"
            file.blame(load, "inrush_w", complaint(text, got, allowed))


def _check_way(
    file: TomlFile, load: Section, way: str, found: _Address, sections: dict[str, list[Section]]
) -> None:
    """Check one plug against its make and against the rack."""
    if way in _UNITS and (vital := _VITAL.match(found.address)) is not None:
        text = (
            f"units that begin with {shown(vital[0])} are never switched: this node, its network "
            "or its operator lives by them; take a unit that may stop at any moment"
        )
        file.blame(load, way, complaint(text, shown(found.address)))
    if way not in _UNITS and load.sound("safe") and load.text("safe") == "freeze":
        file.blame(load, "safe", complaint("only a unit can be frozen", '"freeze"', '"off"'))
    if way != "http" and "password_file" in load.given:
        text = "only a plug over HTTP asks for one; that of the MQTT server stands in [mqtt]"
        file.blame(load, "password_file", text)
    if way == "mqtt" and not sections["mqtt"][0].present:
        file.blame(load, "mqtt", "there is no [mqtt] that says over which server it is reached")
    if found.make == MAKE:
        check_topics(file, load)
        if not has_deadman(load):
            return
    else:
        refuse_topics(file, load, f"a {found.make}")
    rack = sections["rack"][0]
    if not rack.sound("grant_s", "round_s"):
        return
    round_ns = round(rack.number("round_s") * SECOND_NS)
    least_s = grant_ns_min(timer_of(found.make, way), round_ns) / SECOND_NS
    if rack.number("grant_s") < least_s:
        whose = "generic plug" if found.make == MAKE else found.make
        text = (
            f"the rack's grants are too short for the own timer of a {whose} "
            f"(grant_s {rack.number('grant_s'):g}): it would end before a renewal comes"
        )
        allowed = f"[rack] grant_s = {math.ceil(least_s * 10) / 10:g} or more, on every node"
        file.blame(load, way, complaint(text, "", allowed))
