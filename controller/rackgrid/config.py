"""The controller's configuration: `rackgrid.toml` as frozen values.

Who wants to know a value takes it from here; how the file is read, and all that may be wrong with
it, is `config_file`'s matter, and what it means in integers `config_units`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from rackgrid.config_switch import SwitchConfig


@dataclass(frozen=True, slots=True)
class RackConfig:
    """The rack and its timers.

    `group` and `port` are where nodes meet; `interface` is a name such as "eth0" or "lo".
    `newcomer_priority` and `newcomer_floor_w` bound who comes to a rack that is there already; of
    the floor None means half of the feed. `voters_max` is odd. What the rack does goes by its
    broker's word, so all nodes say the same.
    """

    name: str
    group: str
    port: int
    interface: str
    ttl: int
    key_file: Path
    expect: int
    heartbeat_s: float
    suspect: int
    beacon_s: float
    round_s: float
    authority_s: float
    grant_s: float
    preempt: bool
    preempt_after_s: float
    demote_after_s: float
    restart_s: float
    voters_max: int
    newcomer_priority: int = 99
    newcomer_floor_w: float | None = None


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """The shared supply.

    Attributes:
        meter: the board's meter that sees all of it, or "".
        reference_price: what a kWh would cost without rackgrid, to compare with; None: not known.
    """

    capacity_w: float
    reserve_w: float
    currency: str
    price_cap: float
    meter: str
    reference_price: float | None = None


@dataclass(frozen=True, slots=True)
class HttpTariffConfig:
    """Where a source's prices are published.

    Attributes:
        url: http or https; asked every `every_s`; its query may hold a key, so it is not shown.
        items: path of keys to the list of slots in the answer; "" is the answer itself.
        start, end, value: paths of keys in a slot; `end` may be "".
        scale: what a value is multiplied by, to be currency per kWh.
        header_file: one line "Name: value" that is sent along, or None.
    """

    url: str = field(repr=False)
    every_s: float
    items: str
    start: str
    end: str
    value: str
    scale: float
    header_file: Path | None


@dataclass(frozen=True, slots=True)
class BatteryConfig:
    """What a source stores.

    Attributes:
        capacity_wh: of its cells.
        low_percent, high_percent: between what it is kept.
        efficiency_percent: what comes out of 100 that went in.
        wear: what a kWh that comes out has cost of the cells' life, currency.
        price_low, price_high: the prices to expect while none is known ahead, currency per kWh.
        full_v, empty_v: at its terminals when it is full, and when it must give no more.
    """

    capacity_wh: float
    low_percent: float
    high_percent: float
    efficiency_percent: float
    wear: float
    price_low: float
    price_high: float
    full_v: float
    empty_v: float


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """A source that this node speaks for.

    Attributes:
        name: of the source.
        price: of its energy, currency per kWh; of a battery it means nothing.
        power_w: the most that it gives, W (0: the feed's capacity).
        meter: a meter of the board that measures what it gives now, or "".
        tariff_file: a file that holds the current price and power, watched for changes, or None.
        http: where prices are published, or None.
        tariff_topic: the MQTT topic under which they are, or ""; one of the three at most.
        export: whether what nobody here takes of it is sold, at its price.
        battery: what it stores, or None.
    """

    name: str
    price: float
    power_w: float
    meter: str
    tariff_file: Path | None
    http: HttpTariffConfig | None = None
    tariff_topic: str = ""
    export: bool = False
    battery: BatteryConfig | None = None


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """This node.

    `state_dir` survives a reboot, `runtime_dir` survives a restart of the process (tmpfs).
    `trust_clock`: the time of day is right although nobody has synchronised it.
    `keep_days`: rows of the ledger that are older are summed up by the day.
    `copy_s`: so often what was written to it is signed, and offered to those who keep copies.
    `record_days`: days of decisions that are kept, 0 for none; `record_mb`: the most of one day.
    `max_burn_w`: the most that loads with a worth below zero may take together; None: no limit.
    """

    name: str
    priority: int
    board: Path
    state_dir: Path
    runtime_dir: Path
    trust_clock: bool = False
    keep_days: int = 400
    copy_s: float = 900.0
    record_days: int = 0
    record_mb: float = 8.0
    max_burn_w: float | None = None


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """How a plug of any maker is spoken to over MQTT.

    Attributes:
        on: what is published to have it on; "{seconds}" stands for how long, and then it goes off
            by itself.
        off: what is published to have it off now.
        state: the topic where it says whether it is on.
        state_path: the place of that in a JSON object, keys joined by dots; "" for plain text.
        state_on, state_off: what it says there.
        ask, ask_payload: what is published to have it say so, and where; "" if it does unasked.
        power, power_path: where it says what it draws, W; "" if it does not.
    """

    on: str
    off: str
    state: str
    state_path: str
    state_on: str
    state_off: str
    ask: str
    ask_payload: str
    power: str
    power_path: str


@dataclass(frozen=True, slots=True)
class PlugConfig:
    """What the controller switches itself, because it is beyond the board.

    Attributes:
        way: "unit" (of this node's systemd), "user_unit" (of our user's), "http" or "mqtt".
        make: whose words it understands: "unit", "shelly", "tasmota", or "generic" (its `topics`).
        address: the unit's name, "host:port", or the topic under which the plug listens.
        channel: of the plug's relays, as its make counts them.
        nominal_w: the most it draws once running, W.
        inrush_w, inrush_s: the most it draws while starting, and for how long.
        min_on_s, min_off_s: dwell.
        safe: what it is when nobody is in charge: "off", or "freeze" for a unit.
        password_file: of a plug that asks for one, or None.
        topics: of a generic plug, or None.
        switch: how it may be switched beside its dwell.
    """

    way: str
    make: str
    address: str
    channel: int
    nominal_w: float
    inrush_w: float
    inrush_s: float
    min_on_s: float
    min_off_s: float
    safe: str
    password_file: Path | None
    topics: TopicConfig | None = None
    switch: SwitchConfig = field(default_factory=SwitchConfig)


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """Work that is paid by the hour.

    `run_s`: only a complete run of so many seconds is paid; None: every second is.
    """

    revenue_per_hour: float
    run_s: float | None


@dataclass(frozen=True, slots=True)
class DeadlineConfig:
    """So much energy by a time of each day.

    `by_s` counts from midnight on the clock of `zone`; `worth` is the least at any time, per kWh.
    """

    energy_wh: float
    by_s: int
    zone: tzinfo
    worth: float


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """How a temperature moves while its sensor is silent.

    `off_c`, `on_c`: where it ends while the load is off, and on; `slow_s`: in this time about two
    thirds of the way are made; `blind_s`: how long the model is believed.
    """

    off_c: float
    on_c: float
    slow_s: float
    blind_s: float


@dataclass(frozen=True, slots=True)
class ThermalConfig:
    """A temperature to keep, and where it is read: a file of the kernel's or an MQTT topic."""

    low_c: float
    high_c: float
    cools: bool
    worth: float
    file: Path | None
    topic: str
    model: ModelConfig | None = None


@dataclass(frozen=True, slots=True)
class ChargerConfig:
    """What charges a battery of this node: the name of its source."""

    battery: str


KindConfig = TaskConfig | DeadlineConfig | ThermalConfig | ChargerConfig


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """What else shapes a load's bids.

    Attributes:
        start_cost: wear and energy of one start, currency.
        usual_run_s: how long a run usually lasts.
        one_of: a group of this node's loads of which one runs at a time, or "".
        beside: the load that has to be on beside it, or "".
        after: the load that has to have finished before it, or "".
    """

    start_cost: float = 0.0
    usual_run_s: float = 600.0
    one_of: str = ""
    beside: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class LoadConfig:
    """A load: an output of the board or a plug, and what it is worth to run it.

    Attributes:
        output: of the board; a plug's is its own name.
        kind: "required", "flexible", "modulating" (dimmed by the price), "task", "deadline",
            "thermal" or "charger".
        worth: highest price at which it is wanted, currency per kWh; None if it is required or has
            something to do.
        plug: how it is switched if the board does not do it.
        worth_full: of what modulates, the highest price at which its last bit of power is wanted.
        stages: how many levels that has, from the board's `min_level` to full power.
        plan: what it has to do, if its worth comes from that.
    """

    name: str
    output: str
    kind: str
    worth: float | None
    plug: PlugConfig | None = None
    worth_full: float | None = None
    stages: int | None = None
    plan: KindConfig | None = None
    guards: GuardConfig = GuardConfig()


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """The MQTT server, if there is one.

    Attributes:
        password_file: goes with `username`.
        tls_ca_file: who signs the server's certificate; None: no TLS.
        topic: the root of our topics.
        tls_cert_file, tls_key_file: the certificate that we show, and its key; both or neither.
        commands: what may be asked for of this node's loads there: "lock", "unlock", "clear".
    """

    host: str
    port: int
    username: str
    password_file: Path | None
    tls_ca_file: Path | None
    topic: str
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where the API listens, and who may change something; port 0 lets the kernel choose.

    Attributes:
        token_file: holds the token that a change needs; None: only this machine may change things.
        hosts: names under which browsers may reach it, beside this machine's own.
    """

    host: str
    port: int
    enabled: bool
    token_file: Path | None = None
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MockConfig:
    """The mock world, used only by boards whose driver is "mock".

    Attributes:
        plant: socket of the rack's plant process; None starts one for this node alone.
        seed: of the world's noise.
        trace: where the truth is written, or None.
        script: what happens in a plant that is started for this node, and when; or None.
    """

    plant: Path | None
    seed: int
    trace: Path | None
    script: Path | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """All of it, and the file it came from."""

    path: Path
    rack: RackConfig
    feed: FeedConfig
    sources: tuple[SourceConfig, ...]
    node: NodeConfig
    loads: tuple[LoadConfig, ...]
    mqtt: MqttConfig | None
    web: WebConfig
    mock: MockConfig
