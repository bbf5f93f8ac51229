"""The Pi's own supply and its clock.

Sources: `adapters.supply`, which keeps an eye on it while the daemon runs;
systemd-timesyncd.service(8); adjtimex(2) (TIME_ERROR: the clock is not synchronised).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid.adapters import supply
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.core.view import SupplyFlags, SupplyView

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
    """What is judged: how the Pi is supplied, and whether the clock follows another one."""

    supply: SupplyView | Unknown
    synchronised: bool | Unknown


def look(case: Case) -> Facts:
    """Gather the facts."""
    return Facts(_supply(case.host), _synchronised(case.host))


def _supply(host: Host) -> SupplyView | Unknown:
    told = supply.look(host.root)
    if told is not None and told.since_boot is not None:
        return told
    said = host.run(["vcgencmd", "get_throttled"])
    word = None if isinstance(said, Unknown) else supply.parse_word(said.partition("=")[2])
    if word is not None:
        return supply.flags_of(word)
    return told or Unknown(
        f"neither /{supply.WORDS[0]} nor vcgencmd is here: no Raspberry Pi, or no rights"
    )


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
    yield _voltage(facts.supply)
    yield _throttle(facts.supply)
    if isinstance(facts.synchronised, Unknown):
        yield CLOCK.skip(facts.synchronised)
    elif facts.synchronised:
        yield CLOCK.ok("the clock follows a time server")
    else:
        yield CLOCK.warn(
            "the clock follows no time server: tariffs by the hour are unknown",
            "timedatectl set-ntp true; is a time server reachable?",
        )


def _voltage(seen: SupplyView | Unknown) -> Finding:
    fix = "a stronger 5 V supply or thicker, shorter wires; keep relays and motors off its rail"
    if isinstance(seen, Unknown):
        return VOLTAGE.skip(seen)
    if seen.now.under_voltage:
        return VOLTAGE.fail("the Pi is under-supplied now (below 4.63 V)", fix)
    if seen.since_boot is None:
        return VOLTAGE.ok("no under-voltage now; what was since boot is not known here")
    if seen.since_boot.under_voltage:
        return VOLTAGE.warn("the Pi was under-supplied since boot, and is not now", fix)
    return VOLTAGE.ok("no under-voltage since boot")


def _throttle(seen: SupplyView | Unknown) -> Finding:
    if isinstance(seen, Unknown):
        return THROTTLE.skip(seen)
    if seen.since_boot is None:
        return THROTTLE.skip("the kernel tells of the voltage alone here, and vcgencmd of nothing")
    now, since = _ails(seen.now), _ails(seen.since_boot)
    if now:
        return THROTTLE.warn(f"the Pi is {', '.join(now)} now", "cool it, and see under-voltage")
    if since:
        return THROTTLE.warn(
            f"the Pi was {', '.join(since)} since boot, and is not now",
            "give it a fan or air, if it comes again",
        )
    return THROTTLE.ok("full speed since boot")


def _ails(flags: SupplyFlags) -> list[str]:
    names = {
        "capped": flags.capped,
        "throttled": flags.throttled,
        "at its soft temperature limit": flags.hot,
    }
    return [name for name, is_so in names.items() if is_so]


FAMILY = Family("power", CHECKS, lambda case: judge(look(case)))
