"""The Pi's own supply and its clock.

Sources: Raspberry Pi documentation, vcgencmd get_throttled (bits 0 to 3 now, 16 to 19 since boot);
systemd-timesyncd.service(8); adjtimex(2) (TIME_ERROR: the clock is not synchronised).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown

THROTTLED = (
    "/sys/devices/platform/soc/soc:firmware/get_throttled",
    "/sys/devices/platform/soc@*/soc@*:firmware/get_throttled",
)
VOLT_ALARM = "/sys/class/hwmon/hwmon*/in0_lcrit_alarm"
UNDER, CAPPED, SLOWED, HOT = 0x1, 0x2, 0x4, 0x8
SINCE_BOOT = 16
SYNCHRONISED = "/run/systemd/timesync/synchronized"
_TIMEX_BYTES = 208
_TIME_ERROR = 5

VOLTAGE = Check(
    "under-voltage",
    "Does the Pi get its 5 V?",
    "Below 4.63 V a Pi slows down, loses USB devices and damages SD cards; sensors brown out "
    "before "
    "it does. `now` is a fault; `since boot` may be one relay's inrush: give the Pi a supply, or "
    "at "
    "least wires, of its own.",
)
THROTTLE = Check(
    "throttling",
    "Does the Pi run at its full speed?",
    "A Pi that is hot or under-supplied slows down, and its loops run late. Deadlines hold all the "
    "same; meters may be read late.",
)
CLOCK = Check(
    "clock-synchronised",
    "Is the clock right?",
    "A Pi has no clock that outlives the power (a Pi 5 has one, without a battery). Grants and "
    "energy do not need the time of day; tariffs by the hour, prices over MQTT and the dates of "
    "the "
    "ledger do.",
)
CHECKS = (VOLTAGE, THROTTLE, CLOCK)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged: the throttle word, and whether the clock follows another one."""

    throttled: int | Unknown
    synchronised: bool | Unknown


def look(case: Case) -> Facts:
    """Gather the facts."""
    return Facts(_throttled(case.host), _synchronised(case.host))


def _throttled(host: Host) -> int | Unknown:
    for pattern in THROTTLED:
        for path in host.glob(pattern):
            word = parse_word(host.text(path))
            if not isinstance(word, Unknown):
                return word
    said = host.run(["vcgencmd", "get_throttled"])
    if not isinstance(said, Unknown):
        return parse_word(said.partition("=")[2])
    alarms = [host.text(path) for path in host.glob(VOLT_ALARM)]
    known = [each for each in alarms if not isinstance(each, Unknown)]
    if known:
        # The kernel's own watch (rpi_volt): no history, under-voltage only.
        return UNDER if "1" in known else 0
    return Unknown(f"neither {THROTTLED[0]} nor vcgencmd is here: no Raspberry Pi, or no rights")


def parse_word(text: str | Unknown) -> int | Unknown:
    """Read a throttle word, which is hexadecimal with or without 0x."""
    if isinstance(text, Unknown):
        return text
    try:
        return int(text.strip(), 16)
    except ValueError:
        return Unknown(f"{text.strip()[:40]!r} is no throttle word")


def _synchronised(host: Host) -> bool | Unknown:
    if host.has(SYNCHRONISED):
        return True
    if not host.is_this:
        return Unknown("another machine's clock is not asked")
    state = kernel_clock_state()
    return Unknown("the kernel does not say") if state < 0 else state != _TIME_ERROR


def kernel_clock_state() -> int:
    """Ask the kernel how its clock is; chrony and ntpd leave word there, as timesyncd does."""
    room = ctypes.create_string_buffer(_TIMEX_BYTES)
    return int(ctypes.CDLL(None, use_errno=True).adjtimex(room))


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    yield _voltage(facts.throttled)
    yield _throttle(facts.throttled)
    if isinstance(facts.synchronised, Unknown):
        yield CLOCK.skip(facts.synchronised)
    elif facts.synchronised:
        yield CLOCK.ok("the clock follows a time server")
    else:
        yield CLOCK.warn(
            "the clock follows no time server: tariffs by the hour are unknown",
            "timedatectl set-ntp true; is a time server reachable?",
        )


def _voltage(word: int | Unknown) -> Finding:
    fix = "a stronger 5 V supply or thicker, shorter wires; keep relays and motors off its rail"
    if isinstance(word, Unknown):
        return VOLTAGE.skip(word)
    if word & UNDER:
        return VOLTAGE.fail("the Pi is under-supplied now (below 4.63 V)", fix)
    if word & UNDER << SINCE_BOOT:
        return VOLTAGE.warn("the Pi was under-supplied since boot, and is not now", fix)
    return VOLTAGE.ok("no under-voltage since boot")


def _throttle(word: int | Unknown) -> Finding:
    if isinstance(word, Unknown):
        return THROTTLE.skip(word)
    names = {CAPPED: "capped", SLOWED: "throttled", HOT: "at its soft temperature limit"}
    now = [name for bit, name in names.items() if word & bit]
    since = [name for bit, name in names.items() if word & bit << SINCE_BOOT]
    if now:
        return THROTTLE.warn(f"the Pi is {', '.join(now)} now", "cool it, and see under-voltage")
    if since:
        return THROTTLE.warn(
            f"the Pi was {', '.join(since)} since boot, and is not now",
            "give it a fan or air, if it comes again",
        )
    return THROTTLE.ok("full speed since boot")


FAMILY = Family("power", CHECKS, lambda case: judge(look(case)))
