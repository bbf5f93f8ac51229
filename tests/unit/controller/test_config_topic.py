"""Plugs of any maker, as `rackgrid.toml` has them; mistakes are in the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid.config import PlugConfig, TopicConfig
from rackgrid.config_file import Outcome, read_config
from rackgrid.config_topic import SECONDS, TOPIC_KEYS, written_topics

BOARD = '[board]\nname = "bare"\ndriver = "mock"\nbase_w = 1\n'
HEAD = """
[rack]
name = "demo"
interface = "lo"
grant_s = 8
expect = 3
[feed]
capacity_w = 300
[node]
name = "pi-1"
board = "board.toml"
[mqtt]
host = "127.0.0.1"
[[load]]
name = "heater"
worth = 1
nominal_w = 40
"""
PLAIN = 'mqtt = "generic://attic/heater/set"\nstate_topic = "attic/heater"\n'
WHOLE = """
mqtt = "generic://zigbee2mqtt/heater/set/1"
on_payload = '{"state": "ON", "on_time": {seconds}}'
off_payload = '{"state": "OFF"}'
state_topic = "zigbee2mqtt/heater"
state_path = "relay.state"
state_on = "on"
state_off = "off"
ask_topic = "zigbee2mqtt/heater/get"
ask_payload = '{"state": ""}'
power_topic = "zigbee2mqtt/heater"
power_path = "power"
"""


def outcome(folder: Path, lines: str) -> Outcome:
    (folder / "board.toml").write_text(BOARD)
    (folder / "rackgrid.toml").write_text(HEAD + lines)
    return read_config(folder / "rackgrid.toml")


def read(folder: Path, lines: str) -> tuple[PlugConfig, TopicConfig]:
    found = outcome(folder, lines)
    assert found.config is not None, found.findings
    (load,) = found.config.loads
    assert load.plug is not None
    assert load.plug.topics is not None
    return load.plug, load.plug.topics


def test_whole_plug_is_read(tmp_path: Path) -> None:
    plug, topics = read(tmp_path, WHOLE)
    assert (plug.way, plug.make, plug.channel) == ("mqtt", "generic", 0)
    assert plug.address == "zigbee2mqtt/heater/set/1", "a number at its end is no channel"
    assert topics == TopicConfig(
        on='{"state": "ON", "on_time": {seconds}}',
        off='{"state": "OFF"}',
        state="zigbee2mqtt/heater",
        state_path="relay.state",
        state_on="on",
        state_off="off",
        ask="zigbee2mqtt/heater/get",
        ask_payload='{"state": ""}',
        power="zigbee2mqtt/heater",
        power_path="power",
    )


def test_plain_plug_says_on_and_off(tmp_path: Path) -> None:
    _, topics = read(tmp_path, PLAIN)
    assert (topics.on, topics.off, topics.state_on, topics.state_off) == ("ON", "OFF", "ON", "OFF")
    assert (topics.state_path, topics.ask, topics.ask_payload, topics.power) == ("", "", "", "")


def test_what_is_written_reads_back_as_the_same(tmp_path: Path) -> None:
    _, topics = read(tmp_path, WHOLE)
    said = written_topics(topics)
    assert tuple(said) == TOPIC_KEYS
    lines = "".join(f"{key} = '{value}'\n" for key, value in said.items())
    assert read(tmp_path, 'mqtt = "generic://t"\n' + lines)[1] == topics
    assert written_topics(None) == {}


def test_other_makes_have_none(tmp_path: Path) -> None:
    found = outcome(tmp_path, 'mqtt = "shelly://a"')
    assert found.config is not None
    plug = found.config.loads[0].plug
    assert plug is not None
    assert plug.topics is None


@pytest.mark.parametrize(
    ("lines", "noted"),
    [
        (PLAIN, True),
        (PLAIN + 'on_payload = "1"\n', True),
        (PLAIN + f'on_payload = "on {SECONDS}"\n', False),
        ('mqtt = "shelly://a"', False),
    ],
)
def test_plug_without_a_dead_man_is_noted_and_allowed(
    tmp_path: Path, lines: str, noted: bool
) -> None:
    found = outcome(tmp_path, lines)
    assert found.findings == ()
    notes = [str(note) for note in found.notes]
    assert any("its watts count as floor, and it is not switched" in note for note in notes) == (
        noted
    )


def test_plug_without_a_dead_man_asks_for_no_longer_grants(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text(BOARD)
    path = tmp_path / "rackgrid.toml"
    path.write_text(HEAD.replace("grant_s = 8\n", "") + PLAIN)
    assert read_config(path).findings == ()
    path.write_text(path.read_text() + f'on_payload = "on {SECONDS}"\n')
    (finding,) = read_config(path).findings
    assert "own timer of a generic plug" in str(finding)


@pytest.mark.parametrize("payload", ['{"a": {"b": 1}}', "{}", '{"t":{seconds}}', "{1}"])
def test_braces_of_json_are_no_placeholders(tmp_path: Path, payload: str) -> None:
    _, topics = read(tmp_path, PLAIN + f"on_payload = '{payload}'\n")
    assert topics.on == payload


@pytest.mark.parametrize("key", TOPIC_KEYS)
def test_keys_are_refused_for_what_the_board_switches(tmp_path: Path, key: str) -> None:
    lines = f'[[load]]\nname = "lamp"\nworth = 1\n{key} = "x"\n'
    findings = [str(finding) for finding in outcome(tmp_path, PLAIN + lines).findings]
    assert any(f'"lamp" {key}: is for a plug of any maker' in finding for finding in findings)
