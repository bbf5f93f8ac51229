"""The tables of a board profile: every key with its default, its bounds and its meaning.

What each meter chip allows of this is in `part` and checked in `profile_meter`.
"""

from __future__ import annotations

from rackgrid_firmware.key import Key, Kind, Table
from rackgrid_firmware.part import KERNEL_DRIVERS, PARTS
from rackgrid_firmware.profile_mock_table import BOARD_MOCK, METER_MOCK, OUTPUT_MOCK
from rackgrid_firmware.registers import ADC_NAMES, RANGE_NAMES

METERS_MAX = 32
OUTPUTS_MAX = 24
_ADCS = tuple(ADC_NAMES)
DRIVERS = (*PARTS, *sorted(KERNEL_DRIVERS))
UNCERTAINTY_PERCENT_MAX = 10
"""A calibration that is no better than this is none."""

BOARD = Table(
    "board",
    (
        Key("name", Kind.NAME, "what this board is called"),
        Key("driver", Kind.TEXT, "what stands behind pins and bus", choices=("mock", "pi")),
        Key("base_w", Kind.NUMBER, "worst case of the node's electronics", unit="W", high=1000),
        Key("hold_max_s", Kind.NUMBER, "longest hold", 20.0, unit="s", low=0.5, high=60),
        Key("stagger_s", Kind.NUMBER, "least time between two starts", 0.2, unit="s", high=60),
        Key("heartbeat_pin", Kind.INTEGER, "BCM number of a dead-man's pin", None, low=2, high=27),
        Key("start_delay_s", Kind.NUMBER, "calm after a power cut", 0.0, unit="s", high=3600),
    ),
    required=True,
    tables=(BOARD_MOCK,),
)
METER = Table(
    "meter",
    (
        Key("name", Kind.NAME, "what outputs and sources call this meter"),
        Key("driver", Kind.TEXT, "the chip, or who reads it", "ina219", choices=DRIVERS),
        Key("bus", Kind.INTEGER, "I2C bus: N of /dev/i2c-N", 1, high=255),
        Key("address", Kind.INTEGER, "I2C address", None, low=0x40, high=0x4F, hexadecimal=True),
        Key("channel", Kind.INTEGER, "which of the chip's shunts", 1, low=1, high=3),
        Key(
            "path",
            Kind.PATH,
            "where a kernel driver shows the chip",
            None,
            pattern=r"/.+|[0-9]{1,3}-[0-9a-f]{4}",
            allowed='an absolute path, or an I2C device as "1-0041"',
        ),
        Key("shunt_ohms", Kind.NUMBER, "the shunt", None, unit="ohm", low=0.0001, high=10),
        Key(
            "amps_max",
            Kind.NUMBER,
            "most current; 0 if it is not known",
            0.0,
            unit="A",
            high=1000,
        ),
        Key(
            "profile", Kind.TEXT, "how it converts", "energy", choices=("energy", "fast", "inrush")
        ),
        Key(
            "shunt_range",
            Kind.TEXT,
            "full scale of an INA219's shunt; by amps_max, or else auto",
            None,
            choices=(*RANGE_NAMES, "auto"),
        ),
        Key("shunt_adc", Kind.TEXT, "how an INA219 takes the current", None, choices=_ADCS),
        Key("bus_adc", Kind.TEXT, "how an INA219 takes the voltage", None, choices=_ADCS),
        Key("bus_range", Kind.TEXT, "full scale of its voltage", "32V", choices=("16V", "32V")),
        Key("gain", Kind.NUMBER, "calibration: scale", 1.0, low=0.5, high=2),
        Key("offset_a", Kind.NUMBER, "calibration: offset", 0.0, unit="A", low=-10, high=10),
        Key("shunt_tolerance_percent", Kind.NUMBER, "tolerance of the shunt", 1.0, high=20),
        Key("feed_ohms", Kind.NUMBER, "resistance of a soft feed", 0.0, unit="ohm", high=10),
        Key(
            "calibrated",
            Kind.TEXT,
            "when it was calibrated",
            None,
            pattern="[0-9]{4}-[0-9]{2}-[0-9]{2}",
            allowed='a date such as "2026-11-26"',
        ),
        Key(
            "uncertainty_percent",
            Kind.NUMBER,
            "calibration: uncertainty (k = 2), a part of the reading",
            0.0,
            high=UNCERTAINTY_PERCENT_MAX,
        ),
        Key(
            "uncertainty_a",
            Kind.NUMBER,
            "calibration: uncertainty (k = 2), whatever the reading",
            0.0,
            unit="A",
            high=10,
        ),
    ),
    many=True,
    count_max=METERS_MAX,
    tables=(METER_MOCK,),
)
_SWITCH = (
    Key("safe", Kind.TEXT, "what it does when nobody is in charge", None, choices=("off", "on")),
    Key("contact", Kind.TEXT, "normally open or normally closed", "no", choices=("no", "nc")),
    Key("feeds", Kind.NAME, "the node that it powers", None),
    Key("hold_s", Kind.NUMBER, "how long a start must be asked for", 0.0, unit="s", high=3600),
    Key("switches_per_day", Kind.INTEGER, "starts in a day; 0 for any number", 0, high=86400),
    Key("contact_life", Kind.INTEGER, "closings in a contact's life; 0 if not known", 0),
    Key("not_with", Kind.NAMES, "outputs that may not be on with it", None),
    Key("dead_s", Kind.NUMBER, "off for so long before one of them starts", 0.1, unit="s", high=60),
)
_TRIP = (
    Key("trip_a", Kind.NUMBER, "current that takes it off; 0 for none", 0.0, unit="A", high=1000),
    Key("rating_a", Kind.NUMBER, "current that it bears; 0 for any", 0.0, unit="A", high=1000),
    Key("trip_tau_s", Kind.NUMBER, "how fast it heats", 60.0, unit="s", low=0.1, high=86400),
    Key("trip_below_v", Kind.NUMBER, "voltage below which it goes off; 0 for none", 0.0, high=100),
    Key("trip_below_s", Kind.NUMBER, "low for so long", 1.0, unit="s", low=0.1, high=3600),
    Key("shed_rank", Kind.INTEGER, "the lowest goes off first when the voltage is low", 0, high=99),
    Key("discharge_s", Kind.NUMBER, "how long it draws after opening", 1.0, unit="s", high=600),
    Key("leak_w", Kind.NUMBER, "what flows when it is open", 0.0, unit="W", high=100),
    Key("least_w", Kind.NUMBER, "the least that it draws while on", 0.0, unit="W", high=1e5),
)
OUTPUT = Table(
    "output",
    (
        Key("name", Kind.NAME, "what the configuration calls this output"),
        Key("gpio", Kind.INTEGER, "BCM number of a relay's pin", None, low=2, high=27),
        Key("pwm", Kind.INTEGER, "BCM number of a pin that modulates", None, low=2, high=27),
        Key("pwm_hz", Kind.NUMBER, "how often it pulses a second", None, low=1, high=1000),
        Key("min_level", Kind.NUMBER, "least part of its power while on", None, low=0.01, high=1),
        Key("active_high", Kind.FLAG, "whether a high pin energises the coil", True),
        Key(
            "pulled",
            Kind.TEXT,
            "where a resistor or the module holds its pin; by the Pi's own pull if left out",
            None,
            choices=("up", "down"),
        ),
        Key("required", Kind.FLAG, "whether it is always on", False),
        Key("nominal_w", Kind.NUMBER, "nameplate power", unit="W", high=1e5),
        Key("inrush_w", Kind.NUMBER, "most power while it starts", None, unit="W", high=1e6),
        Key("inrush_s", Kind.NUMBER, "how long it starts", 0.0, unit="s", high=60),
        Key("min_on_s", Kind.NUMBER, "least time on", 0.0, unit="s", high=86400),
        Key("min_off_s", Kind.NUMBER, "least time off", 0.0, unit="s", high=86400),
        Key("meter", Kind.NAME, "the meter that sees it", None),
        *_SWITCH,
        *_TRIP,
    ),
    many=True,
    count_max=OUTPUTS_MAX,
    tables=(OUTPUT_MOCK,),
)
