"""The keys of a `[[source]]`: what gives power to the feed, at which price, and how that is known.

    grid         price, or a tariff: tariff_file, tariff_topic or [source.http]; power_w
    panel        price, meter: what it gives now is offered; export = true sells what is left over
    battery      meter, power_w and [source.battery]: its price comes from what is in it

A source that is metered is offered with what its meter shows, and power_w at most.
"""

from __future__ import annotations

import re

from rackgrid.config import BatteryConfig, HttpTariffConfig, SourceConfig
from rackgrid.config_check import check_cap
from rackgrid.config_topic import TOPIC
from rackgrid.wire.message import OFFERS_MAX
from rackgrid_firmware.key import Key, Kind, Need, Table, complaint
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

_KEYS = r"[^\s]{0,200}"
_KEYS_SAID = 'keys apart by dots, such as "data.prices"'
_LOGIN = re.compile(r"https?://[^/?#]*@")
_TARIFFS = ("tariff_file", "tariff_topic")


def secret(file_key: str) -> str:
    """Say where a secret belongs."""
    return f"a secret does not stand here, where everyone reads it; put it into a file: {file_key}"


def seconds(name: str, doc: str, default: float | Need, low: float, high: float) -> Key:
    """Make the key of a span of time."""
    return Key(name, Kind.NUMBER, doc, default, unit="s", low=low, high=high)


def _percent(name: str, doc: str, default: float, low: float) -> Key:
    return Key(name, Kind.NUMBER, doc, default, low=low, high=100)


def _price(name: str, doc: str, default: float | Need | None = Need.REQUIRED) -> Key:
    return Key(name, Kind.NUMBER, doc, default, low=-1e6, high=1e6)


_PRICE = _price("price", "what a kWh costs here", None)
_HTTP = Table(
    "http",
    (
        Key(
            "url",
            Kind.TEXT,
            "where the prices are published",
            pattern=r"https?://[^\s]{1,500}",
            allowed="an address that begins with http:// or https://",
        ),
        seconds("every_s", "between two askings", 900.0, 10, 86400),
        Key("items", Kind.TEXT, "keys to the list of slots", "", pattern=_KEYS, allowed=_KEYS_SAID),
        Key(
            "start", Kind.TEXT, "key of a slot's start", "start", pattern=_KEYS, allowed=_KEYS_SAID
        ),
        Key("end", Kind.TEXT, "key of a slot's end; none: the next start", "", pattern=_KEYS),
        Key(
            "value", Kind.TEXT, "key of a slot's price", "value", pattern=_KEYS, allowed=_KEYS_SAID
        ),
        Key("scale", Kind.NUMBER, "from its unit to currency per kWh", 1.0, low=-1e6, high=1e6),
        Key("header_file", Kind.PATH, "a file with one header to send along", None),
    ),
    refused=(("token", secret("header_file")),),
)
_BATTERY = Table(
    "battery",
    (
        Key("capacity_wh", Kind.NUMBER, "what its cells hold, Wh", low=0.001, high=1e6),
        _percent("low_percent", "it gives down to this", 20.0, 0),
        _percent("high_percent", "it is full at this", 100.0, 1),
        _percent("efficiency_percent", "what comes out of 100 that went in", 85.0, 1),
        _price("price_low", "the lowest price to expect, per kWh"),
        _price("price_high", "the highest price to expect, per kWh"),
        Key("wear", Kind.NUMBER, "of its cells, per kWh that comes out", 0.0, high=1e6),
        Key("full_v", Kind.NUMBER, "its voltage when it is full", unit="V", low=0.1, high=1000),
        Key("empty_v", Kind.NUMBER, "at this it gives no more", unit="V", low=0.1, high=1000),
    ),
)


def source_table(refused: tuple[tuple[str, str], ...]) -> Table:
    """Describe the table; `refused` says why copper does not stand here."""
    keys = (
        Key("name", Kind.NAME, "what this source is called"),
        _PRICE,
        Key("power_w", Kind.NUMBER, "the most that it gives; 0: capacity", 0.0, unit="W", high=1e6),
        Key("meter", Kind.NAME, "the board's meter that sees it", None),
        Key("export", Kind.FLAG, "whether the rest is sold at its price", False),
        Key("tariff_file", Kind.PATH, "a file with the price and power of now", None),
        Key(
            "tariff_topic",
            Kind.TEXT,
            "an MQTT topic under which a tariff is published",
            None,
            pattern=TOPIC,
            allowed="a topic without blank, # and +",
        ),
    )
    inside = (_HTTP, _BATTERY)
    return Table("source", keys, many=True, count_max=OFFERS_MAX, refused=refused, tables=inside)


def source_of(file: TomlFile, source: Section) -> SourceConfig:
    """Read a source from a file that was found right."""
    return SourceConfig(
        name=source.text("name"),
        price=source.number("price"),
        power_w=source.number("power_w"),
        meter=source.text("meter"),
        tariff_file=file.beside(source.text("tariff_file")),
        http=_http(file, source.inside["http"]),
        tariff_topic=source.text("tariff_topic"),
        export=source.flag("export"),
        battery=_battery(source.inside["battery"]),
    )


def _http(file: TomlFile, http: Section) -> HttpTariffConfig | None:
    if not http.present:
        return None
    return HttpTariffConfig(
        url=http.text("url"),
        every_s=http.number("every_s"),
        items=http.text("items"),
        start=http.text("start"),
        end=http.text("end"),
        value=http.text("value"),
        scale=http.number("scale"),
        header_file=file.beside(http.text("header_file")),
    )


def _battery(battery: Section) -> BatteryConfig | None:
    if not battery.present:
        return None
    return BatteryConfig(
        capacity_wh=battery.number("capacity_wh"),
        low_percent=battery.number("low_percent"),
        high_percent=battery.number("high_percent"),
        efficiency_percent=battery.number("efficiency_percent"),
        wear=battery.number("wear"),
        price_low=battery.number("price_low"),
        price_high=battery.number("price_high"),
        full_v=battery.number("full_v"),
        empty_v=battery.number("empty_v"),
    )


def check_sources(file: TomlFile, sections: dict[str, list[Section]]) -> None:
    """Check names, that somebody may pay each source's price, and what a battery needs."""
    sources, feed, mqtt = sections["source"], sections["feed"][0], sections["mqtt"][0]
    file.unique(sources, "name")
    for source in sources:
        if "price" in source.given and source.sound("price"):
            check_cap(file, source, "price", feed)
        _check_tariff(file, source, mqtt)
        if source.inside["battery"].present:
            _check_battery(file, source, feed)
        elif "price" not in source.given | source.guessed:
            text = complaint(f"missing: {_PRICE.doc}", "", _PRICE.range)
            file.blame(source, "price", text)
        if source.flag("export") and source.sound("export") and "meter" not in source.given:
            text = "needs a `meter`: what is sold is what it gives and nobody here takes"
            file.blame(source, "export", text)


def _check_tariff(file: TomlFile, source: Section, mqtt: Section) -> None:
    """One tariff a source: two would take turns by chance."""
    ways = _ways(source)
    for key in ways[1:]:
        file.blame(source, key, f"there is `{ways[0]}` too; keep one of the two")
    if "tariff_topic" in source.given and not mqtt.present:
        file.blame(source, "tariff_topic", "there is no [mqtt] that says where it is published")
    http = source.inside["http"]
    if http.present and http.sound("url") and _LOGIN.match(http.text("url")):
        file.blame(http, "url", "holds a login, and this file is shown: put it into `header_file`")


def _ways(source: Section) -> list[str]:
    ways = ["http"] if source.inside["http"].present else []
    return ways + [key for key in _TARIFFS if key in source.given]


def _check_battery(file: TomlFile, source: Section, feed: Section) -> None:
    """A battery is metered, its power is said, and its bounds are the right way round."""
    battery = source.inside["battery"]
    for key in ("price", *_ways(source)):
        if key in source.given or key == "http":
            file.blame(source, key, "a battery's price comes from what is in it; take this out")
    if source.flag("export") and source.sound("export"):
        file.blame(source, "export", "a battery keeps what nobody takes; take this out")
    if "meter" not in source.given | source.guessed:
        text = "missing: nothing is offered of a battery that no meter sees"
        file.blame(source, "meter", text)
    if source.sound("power_w") and not source.number("power_w"):
        file.blame(source, "power_w", "missing: the most that this battery gives, W")
    _check_order(file, battery, "low_percent", "high_percent")
    _check_order(file, battery, "empty_v", "full_v")
    _check_order(file, battery, "price_low", "price_high")
    if battery.sound("price_high"):
        check_cap(file, battery, "price_high", feed)


def _check_order(file: TomlFile, battery: Section, low: str, high: str) -> None:
    if battery.sound(low, high) and battery.number(low) >= battery.number(high):
        text = complaint(
            f"not below {high}", f"{battery.number(low):g}", f"less than {battery.number(high):g}"
        )
        file.blame(battery, low if low in battery.given else high, text)
