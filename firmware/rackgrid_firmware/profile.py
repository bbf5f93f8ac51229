"""The board profile: which chips and pins a node has, and what the firmware may do with them.

The profile alone defines copper: pins, meters, dwell, safe states, which outputs are required, and
the longest hold. It belongs to root; the firmware does not trust the controller, and the
controller's own configuration refers to outputs and meters by name only.

Sources: INA219 datasheet (SBOS448), "Serial Bus Address" (0x40 to 0x4F) and "Shunt Voltage
Register" (the converter ends at 320 mV); BCM2835 ARM peripherals, 6.2 (what each GPIO also is).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.key import Key, Kind, Table, complaint
from rackgrid_firmware.section import Finding, Section
from rackgrid_firmware.settings import TomlFile

SHUNT_VOLTS_MAX = 0.320
"""Full scale of the INA219's shunt converter, V: more than this it cannot see."""
METERS_MAX = 32
OUTPUTS_MAX = 24
_PINS_RESERVED = {
    2: "it is I2C data (SDA), which the meters need",
    3: "it is I2C clock (SCL), which the meters need",
    14: "it is the serial console (TXD), which goes high while the Pi boots",
    15: "it is the serial console (RXD), which is driven from outside",
}


@dataclass(frozen=True, slots=True)
class MeterMock:
    """What stands behind a meter in the mock world, if it is not an output's load.

    Attributes:
        source_w: a source (a panel) that gives this much at the start, W; 0 for none.
    """

    source_w: float = 0.0


@dataclass(frozen=True, slots=True)
class MeterProfile:
    """One meter chip.

    Attributes:
        name: unique in the profile.
        driver: "ina219" (ours) or "pi-ina219" (the extra).
        bus: I2C bus number; address: 7-bit.
        shunt_ohms: of the shunt, ohm.
        amps_max: the most that is expected, A; chooses the range; 0 takes the widest.
        profile: "energy" (shunt 128 samples, bus single) or "fast" (12 bit, single).
        gain, offset_a: software calibration: A = V_shunt / R * gain + offset.
    """

    name: str
    driver: str
    bus: int
    address: int
    shunt_ohms: float
    amps_max: float
    profile: str
    gain: float
    offset_a: float
    mock: MeterMock


@dataclass(frozen=True, slots=True)
class OutputMock:
    """The load that the mock world puts behind an output.

    Attributes:
        draw_w: mean draw once running, W.
        noise: the draw wanders by this fraction of it (0.02 is ±2 %), and never passes nominal.
    """

    draw_w: float
    noise: float


@dataclass(frozen=True, slots=True)
class OutputProfile:
    """One switched output.

    Attributes:
        name: unique in the profile.
        gpio: BCM number; active_high: whether a high pin energises the load.
        required: always on while the firmware runs; the market has no say.
        nominal_w: nameplate: the most it draws once running, W.
        inrush_w, inrush_s: the most it draws while starting, and for how long.
        min_on_s, min_off_s: dwell.
        meter: name of the meter that sees it, or "".
    """

    name: str
    gpio: int
    active_high: bool
    required: bool
    nominal_w: float
    inrush_w: float
    inrush_s: float
    min_on_s: float
    min_off_s: float
    meter: str
    mock: OutputMock


@dataclass(frozen=True, slots=True)
class Profile:
    """A board.

    Attributes:
        name: of the board.
        driver: "mock" or "pi".
        base_w: worst case of the node's own electronics, W.
        hold_max_s: longest hold that the firmware accepts, s.
        stagger_s: at least this long between two starts, s; 0 switches it off.
    """

    name: str
    driver: str
    base_w: float
    hold_max_s: float
    stagger_s: float
    meters: tuple[MeterProfile, ...]
    outputs: tuple[OutputProfile, ...]


_BOARD = Table(
    "board",
    (
        Key("name", Kind.NAME, "what this board is called"),
        Key("driver", Kind.TEXT, "what stands behind pins and bus", choices=("mock", "pi")),
        Key("base_w", Kind.NUMBER, "worst case of the node's electronics", unit="W", high=1000),
        Key("hold_max_s", Kind.NUMBER, "longest hold", 20.0, unit="s", low=0.5, high=60),
        Key("stagger_s", Kind.NUMBER, "least time between two starts", 0.2, unit="s", high=60),
    ),
    required=True,
)
_METER = Table(
    "meter",
    (
        Key("name", Kind.NAME, "what outputs and sources call this meter"),
        Key("driver", Kind.TEXT, "who reads it", "ina219", choices=("ina219", "pi-ina219")),
        Key("bus", Kind.INTEGER, "I2C bus: N of /dev/i2c-N", 1, high=255),
        Key("address", Kind.INTEGER, "I2C address", low=0x40, high=0x4F, hexadecimal=True),
        Key("shunt_ohms", Kind.NUMBER, "the shunt", 0.1, unit="ohm", low=0.0001, high=10),
        Key(
            "amps_max",
            Kind.NUMBER,
            "most current; 0 takes the widest range",
            0.0,
            unit="A",
            high=1000,
        ),
        Key("profile", Kind.TEXT, "how it converts", "energy", choices=("energy", "fast")),
        Key("gain", Kind.NUMBER, "calibration: scale", 1.0, low=0.5, high=2),
        Key("offset_a", Kind.NUMBER, "calibration: offset", 0.0, unit="A", low=-10, high=10),
    ),
    many=True,
    count_max=METERS_MAX,
    tables=(
        Table(
            "mock", (Key("source_w", Kind.NUMBER, "what a source gives", 0.0, unit="W", high=1e6),)
        ),
    ),
)
_OUTPUT = Table(
    "output",
    (
        Key("name", Kind.NAME, "what the configuration calls this output"),
        Key("gpio", Kind.INTEGER, "BCM number of the pin, not of the header", low=2, high=27),
        Key("active_high", Kind.FLAG, "whether a high pin energises the load", True),
        Key("required", Kind.FLAG, "whether it is always on", False),
        Key("nominal_w", Kind.NUMBER, "nameplate power", unit="W", high=1e5),
        Key("inrush_w", Kind.NUMBER, "most power while it starts", None, unit="W", high=1e6),
        Key("inrush_s", Kind.NUMBER, "how long it starts", 0.0, unit="s", high=60),
        Key("min_on_s", Kind.NUMBER, "least time on", 0.0, unit="s", high=86400),
        Key("min_off_s", Kind.NUMBER, "least time off", 0.0, unit="s", high=86400),
        Key("meter", Kind.NAME, "the meter that sees it", None),
    ),
    many=True,
    count_max=OUTPUTS_MAX,
    tables=(
        Table(
            "mock",
            (
                Key("draw_w", Kind.NUMBER, "mean draw once running", None, unit="W", high=1e5),
                Key("noise", Kind.NUMBER, "how far the draw wanders, a fraction", 0.02, high=1),
            ),
        ),
    ),
)


def load_profile(path: Path) -> Profile:
    """Read a board profile.

    Raises:
        ProfileError: it cannot be used; carries every finding at once.
    """
    profile, findings = read_profile(path)
    if profile is None:
        raise ProfileError(*map(str, findings))
    return profile


def read_profile(path: Path) -> tuple[Profile | None, tuple[Finding, ...]]:
    """Read a board profile, or return all that is wrong with it."""
    file = TomlFile(path)
    if not file.parsed:
        return None, file.findings
    tables = file.tables((_BOARD, _METER, _OUTPUT))
    (board,), meters, outputs = tables["board"], tables["meter"], tables["output"]
    _check_meters(file, meters)
    _check_outputs(file, outputs, {meter.text("name") for meter in meters})
    if file.findings:
        return None, file.findings
    profile = Profile(
        name=board.text("name"),
        driver=board.text("driver"),
        base_w=board.number("base_w"),
        hold_max_s=board.number("hold_max_s"),
        stagger_s=board.number("stagger_s"),
        meters=tuple(map(_meter, meters)),
        outputs=tuple(map(_output, outputs)),
    )
    return profile, ()


def _check_meters(file: TomlFile, meters: list[Section]) -> None:
    file.unique(meters, "name")
    file.unique(meters, "bus", "address", shape="#x")
    for meter in meters:
        if not meter.sound("amps_max", "shunt_ohms"):
            continue
        amps, ohms = meter.number("amps_max"), meter.number("shunt_ohms")
        if amps * ohms > SHUNT_VOLTS_MAX * (1 + 1e-9):
            ohms_max = _rounded_down(SHUNT_VOLTS_MAX / amps)
            text = (
                f"{amps:g} A through {ohms:g} ohm is {amps * ohms * 1000:.0f} mV, and the chip "
                f"sees at most 320 mV; fit a shunt of at most {ohms_max} ohm, or expect at most "
                f"{_rounded_down(SHUNT_VOLTS_MAX / ohms)} A"
            )
            file.blame(meter, "amps_max" if "amps_max" in meter.given else "shunt_ohms", text)


def _rounded_down(value: float) -> str:
    """Write three digits that are not above `value`: a limit must not be rounded past itself."""
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / step + 1e-6) * step:.3g}"


def _check_outputs(file: TomlFile, outputs: list[Section], meters: set[str]) -> None:
    file.unique(outputs, "name")
    file.unique(outputs, "gpio")
    for output in outputs:
        file.refer(output, "meter", meters, "meter")
        pin = output.integer("gpio")
        if output.sound("gpio") and pin in _PINS_RESERVED:
            text = f"GPIO {pin} may not switch a load: {_PINS_RESERVED[pin]}"
            file.blame(
                output, "gpio", complaint(text, "", "4 to 13 and 16 to 27, best 9 and above")
            )
        _check_power(file, output)


def _check_power(file: TomlFile, output: Section) -> None:
    if not output.sound("nominal_w"):
        return
    nominal = output.number("nominal_w")
    if output.sound("inrush_w") and output.number("inrush_w", nominal) < nominal:
        text = complaint(
            "a start takes at least what running takes",
            f"{output.number('inrush_w'):g}",
            f"nominal_w or more, {nominal:g} W",
        )
        file.blame(output, "inrush_w", text)
    mock = output.inside["mock"]
    if mock.sound("draw_w") and mock.number("draw_w", nominal) > nominal:
        text = complaint(
            "a load draws at most its nameplate",
            f"{mock.number('draw_w'):g}",
            f"at most {nominal:g} W",
        )
        file.blame(mock, "draw_w", text)


def _meter(meter: Section) -> MeterProfile:
    return MeterProfile(
        name=meter.text("name"),
        driver=meter.text("driver"),
        bus=meter.integer("bus"),
        address=meter.integer("address"),
        shunt_ohms=meter.number("shunt_ohms"),
        amps_max=meter.number("amps_max"),
        profile=meter.text("profile"),
        gain=meter.number("gain"),
        offset_a=meter.number("offset_a"),
        mock=MeterMock(source_w=meter.inside["mock"].number("source_w")),
    )


def _output(output: Section) -> OutputProfile:
    nominal = output.number("nominal_w")
    mock = output.inside["mock"]
    return OutputProfile(
        name=output.text("name"),
        gpio=output.integer("gpio"),
        active_high=output.flag("active_high"),
        required=output.flag("required"),
        nominal_w=nominal,
        inrush_w=output.number("inrush_w", nominal),
        inrush_s=output.number("inrush_s"),
        min_on_s=output.number("min_on_s"),
        min_off_s=output.number("min_off_s"),
        meter=output.text("meter"),
        mock=OutputMock(mock.number("draw_w", 0.95 * nominal), mock.number("noise")),
    )
