import re

import pytest

from rackgrid.config_table import refused_tables, tables
from rackgrid_firmware.key import Key, Kind, Need

TABLES = tables("board.toml")
KEYS = [pytest.param(key, id=f"{table.name}.{key.name}") for table in TABLES for key in table.keys]


@pytest.mark.parametrize("key", KEYS)
def test_default_of_every_key_is_allowed_by_the_key_itself(key: Key) -> None:
    if isinstance(key.default, Need) or key.default is None:
        return
    assert key.objection(key.default) == ""


@pytest.mark.parametrize("key", KEYS)
def test_meaning_of_every_key_is_said(key: Key) -> None:
    assert len(key.doc) > 4
    assert not key.doc.endswith(".")


@pytest.mark.parametrize("key", KEYS)
def test_unit_of_every_number_is_in_its_name(key: Key) -> None:
    if key.unit:
        assert key.name.endswith(f"_{key.unit.lower()}")
    if re.search(r"_(s|w|a)$", key.name):
        assert key.kind is Kind.NUMBER
        assert key.unit


def test_copper_is_refused_wherever_one_may_write_it() -> None:
    for name in ("node", "load", "source"):
        table = next(table for table in TABLES if table.name == name)
        reasons = dict(table.refused)
        for copper in ("gpio", "address", "shunt_ohms", "active_high", "stagger_s"):
            assert reasons[copper] == "belongs into the board profile board.toml"
        assert not reasons.keys() & set(table.names)
    assert refused_tables("board.toml").keys() == {"board", "meter", "output"}
    assert "see [node] board" in refused_tables("")["meter"]


@pytest.mark.parametrize(
    ("table", "key", "good", "bad"),
    [
        ("rack", "group", "239.255.255.255", "240.0.0.0"),
        ("rack", "group", "224.0.0.0", "223.255.255.255"),
        ("rack", "group", "224.0.0.224", "224.0.0.256"),
        ("rack", "group", "225.1.2.3", "225.1.2"),
        ("rack", "group", "225.1.2.3", "ff02::1"),
        ("rack", "group", "225.1.2.3", "225.1.2.03"),
        ("rack", "interface", "eth0.12", "eth0:1"),
        ("rack", "interface", "wlan0", ".."),
        ("rack", "interface", "br-lan", "a/b"),
        ("rack", "interface", "abcdefghijklmno", "abcdefghijklmnop"),
        ("mqtt", "topic", "home/rack", "home/#"),
        ("mqtt", "topic", "rackgrid", "/rackgrid"),
        ("mqtt", "topic", "rackgrid", "a b"),
        ("mqtt", "host", "mqtt.lan", "mqtt://lan"),
        ("web", "host", "::1", "a b"),
        ("feed", "currency", "EUR", "eur"),
    ],
)
def test_form_of_a_text_is_checked(table: str, key: str, good: str, bad: str) -> None:
    found = next(each for each in TABLES if each.name == table)
    it = next(each for each in found.keys if each.name == key)
    assert it.objection(good) == ""
    assert it.objection(bad).startswith("not understood")
