"""How the Pi itself is supplied: under-voltage and throttling, now and since it was switched on.

The kernel's answer comes from the graphics processor, over a mailbox: a millisecond as a rule, and
longer when that is busy. So a thread asks, every two seconds, and whoever wants to know gets the
newest answer; without a Pi there is no thread. The word has everything; where the kernel does not
show it, its own watch over the voltage (hwmon `rpi_volt`) tells of under-voltage alone, which it
remembers for one of its own looks, two seconds. What was not asked is not known, and never false.

Sources: Raspberry Pi documentation, vcgencmd get_throttled (bits 0 to 3 now, 16 to 19 since boot);
Linux drivers/hwmon/raspberrypi-hwmon.c (in0_lcrit_alarm, polled every 2 s).
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final

from rackgrid.core.view import SupplyFlags, SupplyView

EVERY_S: Final = 2.0
WORDS: Final = (
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/soc@*/soc@*:firmware/get_throttled",
)
NAMES: Final = "sys/class/hwmon/hwmon*/name"
ALARM: Final = "in0_lcrit_alarm"
WATCH: Final = "rpi_volt"
"""Other chips have an alarm of that name, too: an ina2xx its shunt's."""
UNDER, CAPPED, SLOWED, HOT = 0x1, 0x2, 0x4, 0x8
SINCE_BOOT: Final = 16
_WORD_MAX: Final = 32
_SETTLE_S: Final = 1.0

_log = logging.getLogger("rackgrid.supply")


def flags_of(word: int) -> SupplyView:
    """Read a throttle word."""
    return SupplyView(_flags(word), _flags(word >> SINCE_BOOT))


def _flags(word: int) -> SupplyFlags:
    return SupplyFlags(
        under_voltage=bool(word & UNDER),
        capped=bool(word & CAPPED),
        throttled=bool(word & SLOWED),
        hot=bool(word & HOT),
    )


def parse_word(text: str) -> int | None:
    """Read a throttle word, which is hexadecimal with or without 0x; None if it is none."""
    try:
        return int(text.strip()[:_WORD_MAX], 16)
    except ValueError:
        return None


def alarm_files(root: Path) -> list[Path]:
    """Find the alarm of the kernel's own watch over the Pi's supply."""
    return [
        name.with_name(ALARM) for name in sorted(root.glob(NAMES)) if _text(name).strip() == WATCH
    ]


def look(root: Path) -> SupplyView | None:
    """Ask the kernel; None where it says nothing, as on any other machine."""
    for pattern in WORDS:
        for path in sorted(root.glob(pattern)):
            word = parse_word(_text(path))
            if word is not None:
                return flags_of(word)
    alarms = [_text(path).strip() for path in alarm_files(root)]
    if not any(alarms):
        return None
    return SupplyView(SupplyFlags("1" in alarms, None, None, None), None)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_WORD_MAX).decode("ascii", "replace")
    except OSError:
        return ""


class Supply:
    """Keeps the newest answer, and warns in the log when the supply fails.

    Args:
        root: below which /sys is.
        every_s: between two looks, s.
    """

    def __init__(self, root: Path = Path("/"), every_s: float = EVERY_S) -> None:
        self.seen: SupplyView | None = None
        self._root = root
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supply", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_SETTLE_S)

    def _run(self) -> None:
        while True:
            before, self.seen = self.seen, look(self._root)
            if self.seen is None and before is None:
                return
            self._warn(before, self.seen)
            if self._ended.wait(self._every_s):
                return

    def _warn(self, before: SupplyView | None, now: SupplyView | None) -> None:
        """Say once what has begun, and that it has ended."""
        old, new = _under(before), _under(now)
        if new and not old:
            _log.warning(
                "the Pi is under-supplied (below 4.63 V): it slows down, and SD card and meters "
                "may fail; a stronger 5 V supply, or thicker and shorter wires"
            )
        elif old and not new:
            _log.info("the Pi's supply is well again")
        if now is not None and now.now.throttled and not (before and before.now.throttled):
            _log.warning("the Pi is throttled: too hot, or under-supplied")


def _under(view: SupplyView | None) -> bool:
    return view is not None and view.now.under_voltage
