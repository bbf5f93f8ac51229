"""The keys of a `[[load]]` that say what it has to do, and so what it is worth to run it.

    required    always on; bids nothing
    flexible    worth
    modulating  worth (of its first bit of power), worth_full (of its last), stages
    task        revenue_per_hour, run_s if only a complete run brings it in
    deadline    energy_wh, by, timezone, worth
    thermal     low_c, high_c, mode, worth, temperature_file or temperature_topic; and what to
                believe while that is silent: off_c, on_c, slow_s, blind_s
    charger     battery: the source of this node that it charges

Each kind has keys of its own; one that belongs to another kind is a mistake, and is said to be.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rackgrid.config import (
    ChargerConfig,
    DeadlineConfig,
    GuardConfig,
    KindConfig,
    LoadConfig,
    ModelConfig,
    TaskConfig,
    ThermalConfig,
)
from rackgrid.config_plug import is_plug
from rackgrid.config_topic import TOPIC
from rackgrid.wire.vocabulary import LoadKind
from rackgrid_firmware.key import Key, Kind, complaint, shown
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

KINDS = tuple(kind.name.lower() for kind in LoadKind)
_MODEL = ("off_c", "on_c", "slow_s")
"""Of a model of a temperature: all of them, or none."""
_NEEDS = {
    "required": (),
    "flexible": ("worth",),
    "modulating": ("worth", "worth_full"),
    "task": ("revenue_per_hour",),
    "deadline": ("energy_wh", "by"),
    "thermal": ("worth", "low_c", "high_c"),
    "charger": ("battery",),
}
_MAY = {
    "required": (),
    "flexible": (),
    "modulating": ("stages",),
    "task": ("run_s",),
    "deadline": ("worth", "timezone"),
    "thermal": ("mode", "temperature_file", "temperature_topic", "blind_s", *_MODEL),
    "charger": (),
}
_OF_KINDS = frozenset(key for keys in (*_NEEDS.values(), *_MAY.values()) for key in keys)
_GUARDS = ("start_cost", "usual_run_s", "one_of", "beside", "after")
_NEEDS_ANOTHER = ("beside", "after")
_WHY = {
    ("flexible", "worth"): (
        "a flexible load bids; give the highest price per kWh at which it is wanted"
    ),
    ("modulating", "worth"): (
        "the highest price per kWh at which its first bit of power is wanted"
    ),
    ("modulating", "worth_full"): (
        "the highest price per kWh at which its last bit of power is wanted"
    ),
    ("thermal", "worth"): "what a kWh is worth to it just before it has to run",
}


def kind_keys() -> tuple[Key, ...]:
    """Return the keys that say what a load has to do."""
    return (
        Key("kind", Kind.TEXT, "its kind", "flexible", choices=KINDS),
        Key("worth", Kind.NUMBER, "the highest price per kWh", None, low=-1e6, high=1e6),
        Key("worth_full", Kind.NUMBER, "of its last bit of power", None, low=-1e6, high=1e6),
        Key("stages", Kind.INTEGER, "how many levels it has", 4, low=2, high=8),
        Key("revenue_per_hour", Kind.NUMBER, "what an hour of a task brings in", None, high=1e6),
        Key("run_s", Kind.NUMBER, "a task's complete run", None, unit="s", low=1, high=604800),
        Key("energy_wh", Kind.NUMBER, "what it needs by a deadline, Wh", None, low=0.01, high=1e6),
        Key(
            "by",
            Kind.TEXT,
            "the time of each day by which it has that",
            None,
            pattern=r"(?:[01][0-9]|2[0-3]):[0-5][0-9]",
            allowed='a time of day, such as "07:00"',
        ),
        Key("timezone", Kind.TEXT, "of that time, such as Europe/Amsterdam", "UTC"),
        Key("low_c", Kind.NUMBER, "lowest temperature, °C", None, low=-100, high=1000),
        Key("high_c", Kind.NUMBER, "highest temperature, °C", None, low=-100, high=1000),
        Key("mode", Kind.TEXT, "what running does", "cool", choices=("cool", "heat")),
        Key("temperature_file", Kind.PATH, "a kernel's sensor, m°C (1-wire, hwmon)", None),
        Key(
            "temperature_topic",
            Kind.TEXT,
            "where a sensor publishes °C",
            None,
            pattern=TOPIC,
            allowed="an MQTT topic without blank, # and +",
        ),
        Key("off_c", Kind.NUMBER, "where the temperature ends, off", None, low=-100, high=1000),
        Key("on_c", Kind.NUMBER, "where the temperature ends, on", None, low=-100, high=1000),
        Key("slow_s", Kind.NUMBER, "two thirds of the way there", None, unit="s", low=1, high=1e7),
        Key("blind_s", Kind.NUMBER, "how long that is believed", 3600.0, unit="s", high=604800),
        Key("battery", Kind.NAME, "the source of this node that it charges", None),
        Key("start_cost", Kind.NUMBER, "wear and energy of one start, in currency", 0.0, high=1e3),
        Key("usual_run_s", Kind.NUMBER, "a usual run", 600.0, unit="s", low=1, high=604800),
        Key("one_of", Kind.NAME, "a group of which one load runs at a time", None),
        Key("beside", Kind.NAME, "a load of this node that must be on beside it", None),
        Key("after", Kind.NAME, "a load of this node that must have finished before it", None),
    )


def kind_of(file: TomlFile, load: Section) -> KindConfig | None:
    """Read what a load has to do, from a file that was found right; None: its worth is fixed."""
    match load.text("kind"):
        case "task":
            run_s = load.number("run_s") if "run_s" in load.given else None
            return TaskConfig(load.number("revenue_per_hour"), run_s)
        case "deadline":
            hour, minute = load.text("by").split(":")
            by_s = (int(hour) * 60 + int(minute)) * 60
            zone = ZoneInfo(load.text("timezone"))
            return DeadlineConfig(load.number("energy_wh"), by_s, zone, load.number("worth"))
        case "thermal":
            return ThermalConfig(
                low_c=load.number("low_c"),
                high_c=load.number("high_c"),
                cools=load.text("mode") == "cool",
                worth=load.number("worth"),
                file=file.beside(load.text("temperature_file")),
                topic=load.text("temperature_topic"),
                model=_model(load),
            )
        case "charger":
            return ChargerConfig(load.text("battery"))
        case _:
            return None


def _model(load: Section) -> ModelConfig | None:
    if not load.given.issuperset(_MODEL):
        return None
    return ModelConfig(*(load.number(key) for key in (*_MODEL, "blind_s")))


def guards_of(load: Section) -> GuardConfig:
    """Read what else shapes a load's bids."""
    return GuardConfig(
        start_cost=load.number("start_cost"),
        usual_run_s=load.number("usual_run_s"),
        one_of=load.text("one_of"),
        beside=load.text("beside"),
        after=load.text("after"),
    )


def written_kind(load: LoadConfig) -> dict[str, object]:
    """Say what stands in the file of what a load has to do; what is left out is not in it."""
    said: dict[str, object] = {"name": load.name, "kind": load.kind, "worth": load.worth}
    if load.kind != "required":
        said |= {key: getattr(load.guards, key) for key in _GUARDS}
    match load.plan:
        case TaskConfig() as task:
            said |= {"revenue_per_hour": task.revenue_per_hour, "run_s": task.run_s}
        case DeadlineConfig() as goal:
            by = f"{goal.by_s // 3600:02}:{goal.by_s % 3600 // 60:02}"
            said |= {"energy_wh": goal.energy_wh, "by": by, "timezone": str(goal.zone)}
            said["worth"] = goal.worth
        case ThermalConfig() as thermal:
            said |= {"low_c": thermal.low_c, "high_c": thermal.high_c, "worth": thermal.worth}
            said["mode"] = "cool" if thermal.cools else "heat"
            said["temperature_file"] = thermal.file
            said["temperature_topic"] = thermal.topic
            if thermal.model is not None:
                said |= {key: getattr(thermal.model, key) for key in (*_MODEL, "blind_s")}
        case ChargerConfig() as charger:
            said["battery"] = charger.battery
        case None:
            if load.stages is not None:
                said |= {"worth_full": load.worth_full, "stages": load.stages}
    return said


def check_kinds(file: TomlFile, sections: dict[str, list[Section]]) -> None:
    """Check that each load has the keys of its kind, and what they mean beside each other."""
    loads = sections["load"]
    for load in loads:
        if not load.sound("kind"):
            continue
        kind = load.text("kind")
        for key in sorted(load.given & (_OF_KINDS | set(_GUARDS))):
            _check_belongs(file, load, kind, key)
        for key in _NEEDS[kind]:
            if key not in load.given | load.guessed:
                file.blame(
                    load, key, f"missing: {_WHY.get((kind, key), f'a {kind} load needs it')}"
                )
        if kind == "modulating":
            _check_stages(file, load)
        if kind == "deadline":
            _check_zone(file, load)
        if kind == "thermal":
            _check_thermal(file, load, sections["mqtt"][0])
        if kind == "charger":
            stores = [s for s in sections["source"] if s.inside["battery"].present]
            names = {store.text("name") for store in stores if store.sound("name")}
            file.refer(load, "battery", names, "source here with a [source.battery]")
    file.unique([load for load in loads if load.text("kind") == "charger"], "battery")
    _check_after(file, loads)


def _check_belongs(file: TomlFile, load: Section, kind: str, key: str) -> None:
    if kind == "required":
        text = "a required load always gets its power and does not bid; take this line out"
        file.blame(load, key, text)
    elif key in _OF_KINDS and key not in _NEEDS[kind] + _MAY[kind]:
        owners = [each for each in KINDS if key in _NEEDS[each] + _MAY[each]]
        allowed = " or ".join(f'kind = "{each}"' for each in owners)
        file.blame(load, key, complaint(f"means nothing to a {kind} load", "", allowed))


def _check_stages(file: TomlFile, load: Section) -> None:
    """What is dimmed has a worth for its last bit of power, too, and is an output of the board."""
    is_said = {"worth", "worth_full"} <= load.given and load.sound("worth", "worth_full")
    if is_said and load.number("worth_full") > load.number("worth"):
        text = complaint(
            "its last bit of power is not worth more than its first",
            f"{load.number('worth_full'):g}",
            f"at most its worth, {load.number('worth'):g}",
        )
        file.blame(load, "worth_full", text)
    if is_plug(load):
        text = "a plug is on or off; what is dimmed is a `pwm` output of the board"
        file.blame(load, "kind", complaint(text, '"modulating"', '"flexible"'))


def _check_zone(file: TomlFile, load: Section) -> None:
    if not load.sound("timezone"):
        return
    try:
        ZoneInfo(load.text("timezone"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        allowed = 'a name of the time zone database, such as "Europe/Amsterdam"'
        text = complaint("no such time zone", shown(load.text("timezone")), allowed)
        file.blame(load, "timezone", text)


def _check_thermal(file: TomlFile, load: Section, mqtt: Section) -> None:
    if load.given >= {"low_c", "high_c"} and load.sound("low_c", "high_c"):
        low_c, high_c = load.number("low_c"), load.number("high_c")
        if high_c - low_c < 0.1:
            text = complaint("not above low_c", f"{high_c:g}", f"{low_c + 0.1:g} °C or more")
            file.blame(load, "high_c", text)
    sensors = load.given & {"temperature_file", "temperature_topic"}
    if len(sensors) != 1:
        text = "there is temperature_file too; keep one of the two"
        if not sensors:
            text = "missing: a thermal load needs a thermometer, this or temperature_topic"
        file.blame(load, "temperature_topic" if sensors else "temperature_file", text)
    missing = [key for key in _MODEL if key not in load.given]
    if missing and load.given & {*_MODEL, "blind_s"}:
        text = f"missing: a model of the temperature has {', '.join(_MODEL)}"
        file.blame(load, missing[0], text)
    if "temperature_topic" in load.given and not mqtt.present:
        text = "there is no [mqtt] that says where it is published"
        file.blame(load, "temperature_topic", text)


def _check_after(file: TomlFile, loads: list[Section]) -> None:
    """Check that what a load needs is another load of this node, and needs nobody in turn."""
    leaders = {load.text("name"): load for load in loads if load.sound("name")}
    for load, key in ((load, key) for load in loads for key in _NEEDS_ANOTHER):
        if key not in load.given or not load.sound(key, "name"):
            continue
        if not file.refer(load, key, leaders.keys() - {load.text("name")}, "other load here"):
            continue
        if not leaders[load.text(key)].given.isdisjoint(_NEEDS_ANOTHER):
            text = "that load needs another one itself; a chain has two links at most"
            file.blame(load, key, complaint(text, shown(load.text(key))))
