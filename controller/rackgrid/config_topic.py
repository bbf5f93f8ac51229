"""The keys of a plug of any maker, spoken to over MQTT: what is published, and what it says.

    mqtt = "generic://zigbee2mqtt/heater/set"               the topic of its commands
    on_payload = '{"state": "ON", "on_time": {seconds}}'    on for so long, and then off by itself
    off_payload = '{"state": "OFF"}'
    state_topic = "zigbee2mqtt/heater"
    state_path = "state"

The word that switches on carries its end, for start and timer must be one word: between two of them
the load would run without an end. Without "{seconds}" the plug has no dead-man. Then its watts are
floor, and it is looked at but not switched.
"""

from __future__ import annotations

import re

from rackgrid.config import TopicConfig
from rackgrid_firmware.key import Key, Kind, complaint, shown
from rackgrid_firmware.section import Finding, Section
from rackgrid_firmware.settings import TomlFile

MAKE = "generic"
SECONDS = "{seconds}"
"""Stands in `on_payload` for how long."""
TOPIC_KEYS = (
    *("on_payload", "off_payload", "state_topic", "state_path", "state_on", "state_off"),
    *("ask_topic", "ask_payload", "power_topic", "power_path"),
)
TOPIC = r"[^\s#+$][^\s#+]{0,199}"
"""A topic under which something is published or heard."""
_ON, _OFF = "ON", "OFF"
_PLACEHOLDER = re.compile(r"\{[A-Za-z_]+\}")
# Patterns, and what they allow in words.
_A_TOPIC = (TOPIC, "an MQTT topic without blank, # and +")
_PAYLOAD = (r"[^\x00-\x1f\x7f]{1,400}", "1 to 400 printable characters")
_WORD = (r"[^\x00-\x1f\x7f]{1,64}", "1 to 64 printable characters")
_PATH = (
    r"[^.\s\x00-\x1f]{1,64}(?:\.[^.\s\x00-\x1f]{1,64}){0,7}",
    'keys of a JSON object joined by dots, such as "relay.state"',
)
_NEEDS = (
    ("ask_payload", "ask_topic"),
    ("power_path", "power_topic"),
)


def topic_keys() -> tuple[Key, ...]:
    """Return the keys that such a plug adds to `[[load]]`."""

    def key(name: str, doc: str, form: tuple[str, str]) -> Key:
        pattern, allowed = form
        return Key(name, Kind.TEXT, doc, None, pattern=pattern, allowed=allowed)

    return (
        key("on_payload", f"what has it on, for {SECONDS}", _PAYLOAD),
        key("off_payload", "what has it off", _PAYLOAD),
        key("state_topic", "where it says whether it is on", _A_TOPIC),
        key("state_path", "the place of that in JSON; without it, plain text", _PATH),
        key("state_on", "what it says when it is on", _WORD),
        key("state_off", "what it says when it is off", _WORD),
        key("ask_topic", "where it is asked for its state", _A_TOPIC),
        key("ask_payload", "what is asked there", _PAYLOAD),
        key("power_topic", "where it says its watts", _A_TOPIC),
        key("power_path", "the place of that in JSON; without it, a plain number", _PATH),
    )


def topics(load: Section) -> TopicConfig:
    """Read them, from a file that was found right."""
    return TopicConfig(
        on=load.text("on_payload") or _ON,
        off=load.text("off_payload") or _OFF,
        state=load.text("state_topic"),
        state_path=load.text("state_path"),
        state_on=load.text("state_on") or _ON,
        state_off=load.text("state_off") or _OFF,
        ask=load.text("ask_topic"),
        ask_payload=load.text("ask_payload"),
        power=load.text("power_topic"),
        power_path=load.text("power_path"),
    )


def written_topics(said: TopicConfig | None) -> dict[str, object]:
    """Say what stands in the file of them; what is left out is "" or not in it."""
    if said is None:
        return {}
    values = (said.on, said.off, said.state, said.state_path, said.state_on, said.state_off)
    rest = (said.ask, said.ask_payload, said.power, said.power_path)
    return dict(zip(TOPIC_KEYS, (*values, *rest), strict=True))


def has_deadman(load: Section) -> bool:
    """Whether the word that switches it on carries its end."""
    return SECONDS in load.text("on_payload")


def refuse_topics(file: TomlFile, load: Section, whose: str) -> None:
    """Refuse these keys where nothing reads them."""
    for key in TOPIC_KEYS:
        if key in load.given:
            text = f'is for a plug of any maker (mqtt = "{MAKE}://topic"), and not for {whose}'
            file.blame(load, key, f"{text}; take this line out")


def check_topics(file: TomlFile, load: Section) -> None:
    """Check the keys of one such plug against each other."""
    if "state_topic" not in load.given | load.guessed:
        text = "missing: where the plug says whether it is on, without which no word is confirmed"
        file.blame(load, "state_topic", text)
    for key, needed in _NEEDS:
        if key in load.given and needed not in load.given | load.guessed:
            file.blame(load, key, f"means nothing without {needed}")
    for on, off in (("on_payload", "off_payload"), ("state_on", "state_off")):
        text = load.text(off) or _OFF
        if load.sound(on, off) and (load.text(on) or _ON) == text:
            key = off if off in load.given else on
            file.blame(load, key, complaint("on and off are the same", shown(text)))
    if not load.sound("on_payload"):
        return
    for found in _PLACEHOLDER.findall(load.text("on_payload")):
        if found != SECONDS:
            text = complaint("nothing is put in place of this", shown(found), f'"{SECONDS}"')
            file.blame(load, "on_payload", text)


def topic_notes(file: TomlFile, loads: list[Section]) -> tuple[Finding, ...]:
    """Note a plug without a dead-man: it is allowed, and rarely what was meant."""
    text = (
        f"has no {SECONDS}, so nothing ends it when this node is gone: its watts count as floor, "
        "and it is not switched"
    )
    return tuple(
        file.finding((*load.place, "on_payload"), f"{load.label} on_payload", text)
        for load in loads
        if load.sound("mqtt", "on_payload")
        and load.text("mqtt").startswith(f"{MAKE}://")
        and not has_deadman(load)
    )
