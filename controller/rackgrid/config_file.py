"""Reading `rackgrid.toml`, together with the board profile that it names.

The two files are written by one person in one sitting, so they are checked as one: what the
configuration says of an output, a meter or the longest hold is compared with the profile, and the
findings of both come together. A profile that this user may not read is no fault (it belongs to
root, and the firmware says the same over its socket): then the comparison is left out, and noted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rackgrid.config import (
    Config,
    FeedConfig,
    LoadConfig,
    MockConfig,
    MqttConfig,
    NodeConfig,
    RackConfig,
    WebConfig,
)
from rackgrid.config_check import (
    check_loads,
    check_profile,
    check_rack,
    rack_notes,
)
from rackgrid.config_kind import check_kinds, guards_of, kind_of
from rackgrid.config_mqtt import check_mqtt, mqtt_notes
from rackgrid.config_plug import check_plugs, plug
from rackgrid.config_source import check_sources, source_of
from rackgrid.config_table import elsewhere, refused_tables, tables
from rackgrid.config_topic import topic_notes
from rackgrid.errors import ConfigError
from rackgrid_firmware.key import complaint, meant, shown
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.profile_file import read_profile
from rackgrid_firmware.profile_note import profile_notes
from rackgrid_firmware.section import Finding, Section
from rackgrid_firmware.settings import TomlFile

Sections = dict[str, list[Section]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of reading a configuration.

    Attributes:
        config: the values, or None if anything is wrong.
        profile: of the board, or None if it could not be read.
        findings: everything that is wrong, in this file and in the profile.
        notes: what an operator may want to change, and what was not checked.
        board: where the profile is, as far as the file says so.
    """

    config: Config | None
    profile: Profile | None
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    board: Path | None = None


def load_config(path: Path) -> Config:
    """Read `rackgrid.toml`, and check it against the board profile that it names.

    Raises:
        ConfigError: it cannot be used; carries every finding of both files at once.
    """
    outcome = read_config(path)
    if outcome.config is None:
        raise ConfigError(*map(str, outcome.findings))
    return outcome.config


def read_config(path: Path) -> Outcome:
    """Read `rackgrid.toml` and its board profile; never raises for what stands in them."""
    file = TomlFile(path)
    if not file.parsed:
        return Outcome(None, None, file.findings, ())
    board = file.peek("node", "board")
    sections = file.tables(tables(board), refused_tables(board))
    check_rack(file, sections["rack"][0], sections["feed"][0])
    check_loads(file, sections["load"], sections["feed"][0])
    check_plugs(file, sections, elsewhere(board))
    check_kinds(file, sections)
    check_sources(file, sections)
    check_mqtt(file, sections["mqtt"][0])
    profile, faults, notes = _board(file, sections["node"][0])
    notes = (
        *rack_notes(file, sections["rack"][0]),
        *mqtt_notes(file, sections["mqtt"][0]),
        *topic_notes(file, sections["load"]),
        *notes,
    )
    if profile is not None:
        notes = (*notes, *check_profile(file, sections, profile))
    findings = (*file.findings, *faults)
    config = None if findings else _config(file, sections)
    node = sections["node"][0]
    is_told = node.sound("board") and "board" in node.given
    where = path.parent / node.text("board") if is_told else None
    return Outcome(config, profile, findings, notes, where)


def _board(
    file: TomlFile, node: Section
) -> tuple[Profile | None, tuple[Finding, ...], tuple[Finding, ...]]:
    """Read the board profile: itself, its findings, and the notes."""
    if not node.sound("board"):
        return None, (), ()
    path = file.path.parent / node.text("board")
    try:
        path.open("rb").close()
    except PermissionError:
        text = f"{path} is not for this user to read; not compared with this file"
        return None, (), (file.finding((*node.place, "board"), f"{node.label} board", text),)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        file.blame(
            node,
            "board",
            complaint(
                f"the board profile cannot be read: {reason}",
                shown(node.text("board")),
                "the path of a TOML file, from this file's folder",
                _neighbour(path),
            ),
        )
        return None, (), ()
    profile, faults = read_profile(path)
    notes = () if profile is None else profile_notes(path, profile, date.today())
    return profile, faults, notes


def _neighbour(path: Path) -> str:
    """Guess which file of the same folder was meant."""
    try:
        names = [each.name for each in path.parent.glob("*.toml")]
    except (OSError, ValueError):
        return ""
    return meant(path.name, names)


# --- from sections to values ----------------------------------------------------------------------


def _config(file: TomlFile, sections: Sections) -> Config:
    feed = sections["feed"][0]
    mqtt, web = sections["mqtt"][0], sections["web"][0]
    return Config(
        path=file.path.absolute(),
        rack=_rack(file, sections["rack"][0]),
        feed=FeedConfig(
            capacity_w=feed.number("capacity_w"),
            reserve_w=feed.number("reserve_w"),
            currency=feed.text("currency"),
            price_cap=feed.number("price_cap"),
            meter=feed.text("meter"),
            reference_price=(
                feed.number("reference_price") if "reference_price" in feed.given else None
            ),
        ),
        sources=tuple(source_of(file, source) for source in sections["source"]),
        node=_node(file, sections["node"][0]),
        loads=tuple(_load(file, load) for load in sections["load"]),
        mqtt=_mqtt(file, mqtt) if mqtt.present else None,
        web=WebConfig(
            host=web.text("host"),
            port=web.integer("port"),
            enabled=web.flag("enabled"),
            token_file=file.beside(web.text("token_file")),
            hosts=web.names("hosts"),
        ),
        mock=_mock(file, sections["mock"][0]),
    )


def _path(file: TomlFile, section: Section, key: str) -> Path:
    """Return a path that has a default or is required."""
    path = file.beside(section.text(key))
    assert path is not None
    return path


def _rack(file: TomlFile, rack: Section) -> RackConfig:
    return RackConfig(
        name=rack.text("name"),
        group=rack.text("group"),
        port=rack.integer("port"),
        interface=rack.text("interface"),
        ttl=rack.integer("ttl"),
        key_file=_path(file, rack, "key_file"),
        expect=rack.integer("expect"),
        heartbeat_s=rack.number("heartbeat_s"),
        suspect=rack.integer("suspect"),
        beacon_s=rack.number("beacon_s"),
        round_s=rack.number("round_s"),
        authority_s=rack.number("authority_s"),
        grant_s=rack.number("grant_s"),
        preempt=rack.flag("preempt"),
        preempt_after_s=rack.number("preempt_after_s"),
        demote_after_s=rack.number("demote_after_s"),
        restart_s=rack.number("restart_s"),
        voters_max=rack.integer("voters_max"),
        newcomer_priority=rack.integer("newcomer_priority"),
        newcomer_floor_w=(
            rack.number("newcomer_floor_w") if "newcomer_floor_w" in rack.given else None
        ),
    )


def _node(file: TomlFile, node: Section) -> NodeConfig:
    return NodeConfig(
        name=node.text("name"),
        priority=node.integer("priority"),
        board=_path(file, node, "board"),
        state_dir=_path(file, node, "state_dir"),
        runtime_dir=_path(file, node, "runtime_dir"),
        trust_clock=node.flag("trust_clock"),
        record_days=node.integer("record_days"),
        record_mb=node.number("record_mb"),
        keep_days=node.integer("keep_days"),
        copy_s=node.number("copy_s"),
        max_burn_w=node.number("max_burn_w") if "max_burn_w" in node.given else None,
    )


def _load(file: TomlFile, load: Section) -> LoadConfig:
    kind = load.text("kind")
    return LoadConfig(
        name=load.text("name"),
        output=load.text("output") or load.text("name"),
        kind=kind,
        worth=load.number("worth") if kind in ("flexible", "modulating") else None,
        plug=plug(file, load),
        worth_full=load.number("worth_full") if kind == "modulating" else None,
        stages=load.integer("stages") if kind == "modulating" else None,
        plan=kind_of(file, load),
        guards=guards_of(load),
    )


def _mqtt(file: TomlFile, mqtt: Section) -> MqttConfig:
    return MqttConfig(
        host=mqtt.text("host"),
        port=mqtt.integer("port"),
        username=mqtt.text("username"),
        password_file=file.beside(mqtt.text("password_file")),
        tls_ca_file=file.beside(mqtt.text("tls_ca_file")),
        topic=mqtt.text("topic"),
        tls_cert_file=file.beside(mqtt.text("tls_cert_file")),
        tls_key_file=file.beside(mqtt.text("tls_key_file")),
        commands=mqtt.names("commands"),
    )


def _mock(file: TomlFile, mock: Section) -> MockConfig:
    return MockConfig(
        plant=file.beside(mock.text("plant")),
        seed=mock.integer("seed"),
        trace=file.beside(mock.text("trace")),
        script=file.beside(mock.text("script")),
    )
