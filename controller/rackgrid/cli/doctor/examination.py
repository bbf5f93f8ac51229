"""All checks, and one examination of a node by them.

The families run beside each other, each in a thread of its own, since a bus that hangs, a server
that is silent or a command that waits must not keep the others waiting; one that has not come back
in time is left behind, and its checks say so. No check is ever without a finding: one that finds
nothing to say is a bug, and says that.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Sequence

from rackgrid.cli.doctor import (
    bus,
    copper,
    disk,
    lint,
    machine,
    metering,
    mqtt,
    network,
    peers,
    pins,
    plugs,
    power,
    rack,
    service,
    state,
    watchdog,
)
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding

FAMILIES: tuple[Family, ...] = (
    lint.FAMILY,
    copper.FAMILY,
    metering.FAMILY,
    machine.FAMILY,
    pins.FAMILY,
    bus.FAMILY,
    service.FAMILY,
    watchdog.FAMILY,
    plugs.FAMILY,
    power.FAMILY,
    disk.FAMILY,
    state.FAMILY,
    network.FAMILY,
    mqtt.FAMILY,
    rack.FAMILY,
    peers.FAMILY,
)
PATIENCE_S = 20.0
"""An examination has ended within this, s: the slowest family is a bus of hanging chips."""


def checks(families: Sequence[Family] = FAMILIES) -> tuple[Check, ...]:
    """List every check."""
    return tuple(check for family in families for check in family.checks)


def examine(
    case: Case, families: Sequence[Family] = FAMILIES, patience_s: float = PATIENCE_S
) -> list[tuple[Family, list[Finding]]]:
    """Examine a node.

    Args:
        case: the node.
        families: what is looked at.
        patience_s: how long all of it may take, s.

    Returns:
        The findings of each family, in the families' order; at least one for each check.
    """
    found: dict[str, list[Finding]] = {}
    threads: list[threading.Thread] = []
    for family in families:
        task = (found, family, case)
        thread = threading.Thread(target=_into, args=task, name=family.name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            _into(*task)  # the machine is short of memory, or of threads: one after the other
        else:
            threads.append(thread)
    until_s = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    return [(family, _completed(family, found.get(family.name), patience_s)) for family in families]


def _into(found: dict[str, list[Finding]], family: Family, case: Case) -> None:
    try:
        found[family.name] = list(family.examine(case))
    except Exception as fault:  # noqa: BLE001 - the thread's outermost frame: said as a finding
        where = traceback.extract_tb(fault.__traceback__)[-1]
        what = f"the check itself failed: {fault!r} at {where.name}:{where.lineno}"
        fix = "please report it: this is a bug of rackgrid"
        found[family.name] = [check.fail(what, fix) for check in family.checks]


def _completed(family: Family, findings: list[Finding] | None, patience_s: float) -> list[Finding]:
    """Give a family's findings, in the order of its checks; each check has one."""
    if findings is None:
        what = f"no answer in {patience_s:g} s: something that was looked at hangs"
        fix = "look for a hung bus, disk or server; dmesg may say which"
        return [check.warn(what, fix) for check in family.checks]
    by_code: dict[str, list[Finding]] = {check.code: [] for check in family.checks}
    for finding in findings:
        by_code[finding.code].append(finding)
    for check in family.checks:
        if not by_code[check.code]:
            by_code[check.code] = [check.fail("the check said nothing", "please report it")]
    return [finding for check in family.checks for finding in by_code[check.code]]
