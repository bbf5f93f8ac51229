"""The tables of `rackgrid.toml`: every key with its default, its bounds and its meaning.

What is copper (pins, addresses, shunts, nameplates, dwell) is refused here by name: the board
profile says it, which belongs to root, and a fact that stands twice is wrong once. What is secret
is refused too: it comes from a file of its own, for this one is shown, copied and versioned.
"""

from __future__ import annotations

from rackgrid.config_kind import kind_keys
from rackgrid.config_plug import PLUG_KEYS, plug_keys
from rackgrid.config_source import seconds, secret, source_table
from rackgrid.wire.message import LOADS_MAX, NODE_NAME_MAX, NODES_MAX
from rackgrid_firmware.key import Key, Kind, Table

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_MULTICAST = rf"2(?:2[4-9]|3[0-9])(?:\.{_OCTET}){{3}}"
_INTERFACE = r"(?!\.{1,2}\Z)[A-Za-z0-9_.@-]{1,15}"
_TOPIC = r"[^\s#+/$][^\s#+]{0,63}"
_NAME_OF_HOST = r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,8}"
_HOST = r"[A-Za-z0-9_.:%\[\]-]{1,253}"

_COPPER = (
    *("gpio", "pwm", "active_high", "nominal_w", "inrush_w", "inrush_s", "min_on_s", "min_off_s"),
    *("bus", "address", "shunt_ohms", "amps_max", "gain", "offset_a", "driver", "required"),
    *("base_w", "hold_max_s", "stagger_s"),
)
_COPPER_TABLES = ("board", "meter", "output")


def refused_tables(board: str) -> dict[str, str]:
    """Tables of the board profile, which do not stand in `rackgrid.toml`, and why."""
    return dict.fromkeys(_COPPER_TABLES, elsewhere(board))


def tables(board: str) -> tuple[Table, ...]:
    """All tables of `rackgrid.toml`; messages about copper point to the profile `board`."""
    copper = tuple((key, elsewhere(board)) for key in _COPPER)
    load_copper = [(key, why) for key, why in copper if key not in PLUG_KEYS]
    load_copper.append(("meter", elsewhere(board)))
    return (
        _RACK,
        _FEED,
        source_table(copper),
        _node(copper),
        _load(tuple(load_copper)),
        _MQTT,
        _WEB,
        _MOCK,
    )


def elsewhere(board: str) -> str:
    """Say where a fact stands that does not stand here."""
    return f"belongs into the board profile {board or '(see [node] board)'}"


_RACK = Table(
    "rack",
    (
        Key("name", Kind.NAME, "what this rack is called"),
        Key(
            "group",
            Kind.TEXT,
            "the multicast group where nodes meet",
            "224.0.0.224",
            pattern=_MULTICAST,
            allowed="an IPv4 multicast address, 224.0.0.0 to 239.255.255.255",
        ),
        Key("port", Kind.INTEGER, "UDP port of the group", 8437, low=1, high=65535),
        Key(
            "interface",
            Kind.TEXT,
            "the network interface to the other nodes",
            pattern=_INTERFACE,
            allowed='the name of one interface, such as "eth0" or "lo", at most 15 characters',
        ),
        Key("ttl", Kind.INTEGER, "hops that a multicast may make", 1, high=32),
        Key("key_file", Kind.PATH, "the file with the group key", "/etc/rackgrid/rack.key"),
        Key("expect", Kind.INTEGER, "nodes heard before a first broker", 1, low=1, high=NODES_MAX),
        seconds("heartbeat_s", "between the broker's heartbeats", 0.1, 0.01, 10),
        Key("suspect", Kind.INTEGER, "silent heartbeats until an election", 3, low=2, high=20),
        seconds("beacon_s", "between beacons", 1.0, 0.05, 60),
        seconds("round_s", "between clearings", 0.5, 0.05, 60),
        seconds("authority_s", "how long an ack lets the broker grant", 0.5, 0.03, 60),
        seconds("grant_s", "how long a grant lives", 2.5, 0.1, 60),
        Key("preempt", Kind.FLAG, "whether a stable node of higher rank gets the office", True),
        seconds("preempt_after_s", "how long it must have been stable", 60.0, 0, 86400),
        seconds("demote_after_s", "how long a silent node keeps its vote", 300.0, 1, 2592000),
        seconds("restart_s", "how long loads may run on over a restart", 15.0, 0, 60),
        Key("newcomer_priority", Kind.INTEGER, "the highest of who comes later", 99, high=65535),
        Key(
            "newcomer_floor_w",
            Kind.NUMBER,
            "the largest floor of who comes later; none: half of the feed",
            None,
            unit="W",
            high=1e6,
        ),
        Key("voters_max", Kind.INTEGER, "most nodes that vote, odd", 5, low=1, high=15),
    ),
    required=True,
    refused=(("key", secret("key_file")),),
)
_FEED = Table(
    "feed",
    (
        Key(
            "capacity_w",
            Kind.NUMBER,
            "the most that the feed gives",
            unit="W",
            low=0.1,
            high=1e6,
        ),
        Key("reserve_w", Kind.NUMBER, "kept free", 0.0, unit="W", high=1e6),
        Key(
            "currency",
            Kind.TEXT,
            "the currency of prices",
            "EUR",
            pattern="[A-Z]{3}",
            allowed='three capital letters, such as "EUR"',
        ),
        Key("price_cap", Kind.NUMBER, "the highest bid, per kWh", 10.0, low=0.001, high=1e6),
        Key("meter", Kind.NAME, "the board's meter that sees the whole feed", None),
        Key(
            "reference_price",
            Kind.NUMBER,
            "what a kWh costs elsewhere, to compare with",
            None,
            low=-1e6,
            high=1e6,
        ),
    ),
    required=True,
)
_MQTT = Table(
    "mqtt",
    (
        Key(
            "host",
            Kind.TEXT,
            "the MQTT server",
            pattern=_HOST,
            allowed="a host name or address, without a port",
        ),
        Key("port", Kind.INTEGER, "its TCP port", 1883, low=1, high=65535),
        Key("username", Kind.TEXT, "who we are there", None),
        Key("password_file", Kind.PATH, "a file with the password", None),
        Key("tls_ca_file", Kind.PATH, "the certificates that we trust; switches TLS on", None),
        Key("tls_cert_file", Kind.PATH, "the certificate that we show", None),
        Key("tls_key_file", Kind.PATH, "its private key", None),
        Key(
            "topic",
            Kind.TEXT,
            "the root of our topics",
            "rackgrid",
            pattern=_TOPIC,
            allowed="1 to 64 characters without blank, # and +",
        ),
        Key(
            "commands",
            Kind.NAMES,
            "what may be asked for of this node's loads there",
            None,
            pattern="lock|unlock|clear",
            allowed='some of "lock", "unlock" and "clear"',
        ),
    ),
    refused=(("password", secret("password_file")),),
)
_WEB = Table(
    "web",
    (
        Key(
            "host",
            Kind.TEXT,
            "where the API listens",
            "127.0.0.1",
            pattern=_HOST,
            allowed="a host name or address, without a port",
        ),
        Key("port", Kind.INTEGER, "its TCP port; 0 lets the kernel choose", 8470, high=65535),
        Key("enabled", Kind.FLAG, "whether there is an API", True),
        Key("token_file", Kind.PATH, "a file with the token that a change needs", None),
        Key(
            "hosts",
            Kind.NAMES,
            "names under which a browser may reach it",
            None,
            pattern=_NAME_OF_HOST,
            allowed='host names without a port, such as ["rack.example.org"]',
        ),
    ),
    refused=(("token", secret("token_file")),),
)
_MOCK = Table(
    "mock",
    (
        Key("plant", Kind.PATH, "socket of the rack's plant", None),
        Key("seed", Kind.INTEGER, "of the world's noise", 1, high=2**63),
        Key("trace", Kind.PATH, "where the truth is written", None),
        Key("script", Kind.PATH, "what happens in the plant, and when", None),
    ),
)


def _node(refused: tuple[tuple[str, str], ...]) -> Table:
    keys = (
        Key(
            "name",
            Kind.NAME,
            "what this node is called, unique in the rack",
            pattern=f".{{1,{NODE_NAME_MAX}}}",
            allowed=f"1 to {NODE_NAME_MAX} of a-z 0-9 _ -",
        ),
        Key("priority", Kind.INTEGER, "the highest becomes broker", 100, high=65535),
        Key("board", Kind.PATH, "the board profile", allowed="the path of a TOML file"),
        Key("state_dir", Kind.PATH, "survives a reboot", "/var/lib/rackgrid"),
        Key("runtime_dir", Kind.PATH, "survives a restart", "/run/rackgrid"),
        Key("trust_clock", Kind.FLAG, "whether the time is right without a time server", False),
        Key("record_days", Kind.INTEGER, "days of decisions that are kept; 0: none", 7, high=366),
        Key("record_mb", Kind.NUMBER, "the most of one day", 8.0, unit="MB", low=0.1, high=1000),
        Key("max_burn_w", Kind.NUMBER, "most power to waste when paid", None, unit="W", high=1e6),
        Key("keep_days", Kind.INTEGER, "how long the ledger's rows stay", 400, low=2, high=36500),
        Key(
            "copy_s",
            Kind.NUMBER,
            "between two copies of the ledger's news",
            900.0,
            "s",
            low=1,
            high=86400,
        ),
    )
    return Table("node", keys, required=True, refused=refused)


def _load(refused: tuple[tuple[str, str], ...]) -> Table:
    keys = (
        Key("name", Kind.NAME, "what this load is called"),
        Key("output", Kind.NAME, "the board's output; without it, the one of the same name", None),
        *kind_keys(),
        *plug_keys(),
    )
    return Table("load", keys, many=True, count_max=LOADS_MAX, refused=refused)
