"""How warm it is where a thermal load works: from a file of the kernel's, or over MQTT.

A 1-wire sensor takes 0.75 s to answer, and a broken one more, so a thread reads the file; whoever
asks gets the newest value, and nothing once that is old. What a sensor cannot mean is not believed:
a DS18B20 that lost its power between two readings says 85 °C, which is its register's value from
power-on.

Sources: DS18B20 datasheet, "Operation - measuring temperature" (range, power-on value); the
kernel's Documentation/w1/slaves/w1_therm.rst (`temperature`, `w1_slave`) and
Documentation/hwmon/sysfs-interface.rst (`temp*_input`): thousandths of a degree.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

EVERY_S: Final = 5.0
"""Between two readings of a file."""
PAYLOAD_MAX: Final = 4096
"""Longest message about a temperature, bytes."""
OLD_NS: Final = 120_000_000_000
"""A temperature older than this says nothing about now, ns."""
POWER_ON_MC: Final = 85_000
LOW_MC, HIGH_MC = -100_000, 1_000_000
_KEYS: Final = ("temperature", "value")
_SLAVE = re.compile(rb"crc=[0-9a-f]{2} (YES|NO).*\bt=(-?[0-9]{1,7})", re.DOTALL)

_log = logging.getLogger("rackgrid.temperature")


class Thermometer:
    """The newest temperature of one place.

    Args:
        name: of the load.
        clock: CLOCK_MONOTONIC, ns.
    """

    def __init__(self, name: str, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._name = name
        self._clock = clock
        self._newest: tuple[int, int] | None = None
        self._complaint = ""

    @property
    def mc(self) -> int | None:
        """Thousandths of a degree Celsius; None if nobody has said anything lately."""
        newest = self._newest
        if newest is None or self._clock() - newest[0] >= OLD_NS:
            return None
        return newest[1]

    def hear(self, topic: str, payload: bytes) -> bool:
        """Take what was published: a number of °C, or an object with "temperature" or "value".

        Returns:
            Whether it was understood; what was not changes nothing.
        """
        try:
            self._take(degrees_mc(payload))
        except ValueError as fault:
            self._complain(f"what is published under {topic} is no temperature: {fault}")
            return False
        return True

    def read(self, path: Path) -> None:
        """Read a file of the kernel's once."""
        try:
            self._take(file_mc(path.read_bytes()))
        except (OSError, ValueError) as fault:
            self._complain(f"the thermometer {path} says nothing: {fault}")

    def _take(self, mc: int) -> None:
        self._newest = self._clock(), mc
        if self._complaint:
            _log.info("load %s: its temperature is known again", self._name)
        self._complaint = ""

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            _log.warning("load %s: %s", self._name, complaint)
        self._complaint = complaint


class Reader:
    """Reads files for thermometers, in a thread of its own.

    Attributes:
        places: the files, and whose they are.
    """

    def __init__(self, places: list[tuple[Path, Thermometer]]) -> None:
        self.places = places
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="thermometers", daemon=True)

    def start(self) -> None:
        """Begin to read, if there is anything to read."""
        if self.places:
            self._thread.start()

    def stop(self) -> None:
        """Read no more; what is under way ends with the process."""
        self._stopping.set()

    def run(self) -> None:
        """Read every file now and then, until stopped."""
        while not self._stopping.is_set():
            for path, thermometer in self.places:
                thermometer.read(path)
            self._stopping.wait(EVERY_S)


def file_mc(text: bytes) -> int:
    """Read what the kernel writes: thousandths of a degree, or a w1_slave's two lines.

    Raises:
        ValueError: it is neither, its check sum is wrong, or no sensor means it.
    """
    slave = _SLAVE.search(text)
    if slave is not None and slave[1] == b"NO":
        raise ValueError("the check sum is wrong")
    mc = int(slave[2] if slave is not None else text)
    if mc == POWER_ON_MC:
        raise ValueError("85 °C, which is what a sensor says that has not measured yet")
    return _plausible(mc)


def degrees_mc(payload: bytes) -> int:
    """Read °C, as sensors publish them.

    Raises:
        ValueError: it is no number, has none under a known key, or no sensor means it.
    """
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"longer than {PAYLOAD_MAX} bytes")
    try:
        value = cast("object", json.loads(payload))
    except RecursionError:
        raise ValueError("nested too deep") from None
    if isinstance(value, dict):
        said = cast("dict[str, object]", value)
        value = next((said[key] for key in _KEYS if key in said), None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected °C, or an object with {' or '.join(_KEYS)}")
    # Compared before anything is computed: a number may be too large for that, or none.
    if not LOW_MC / 1000 <= value <= HIGH_MC / 1000:
        raise ValueError("no sensor means that: it is not -100 to 1000 °C")
    return _plausible(round(value * 1000))


def _plausible(mc: int) -> int:
    if not LOW_MC <= mc <= HIGH_MC:
        raise ValueError("no sensor means that: it is not -100 to 1000 °C")
    return mc
