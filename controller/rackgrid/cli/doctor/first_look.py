"""What `rackgrid setup` has the doctor look at, before anything of the node runs.

All that is there already and that setup has just written down: files, copper, machine, pins, buses,
supply, disk and network. Services, the rack and the servers that it talks to come later.
"""

from __future__ import annotations

from pathlib import Path

from rackgrid.cli import say
from rackgrid.cli.doctor import bus, copper, disk, lint, machine, metering, network, pins, power
from rackgrid.cli.doctor.case import gather
from rackgrid.cli.doctor.examination import examine
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host

FAMILIES = (
    lint.FAMILY,
    copper.FAMILY,
    metering.FAMILY,
    machine.FAMILY,
    pins.FAMILY,
    bus.FAMILY,
    power.FAMILY,
    disk.FAMILY,
    network.FAMILY,
)


def first_look(config: Path, host: Host | None = None) -> bool:
    """Examine a node that was just set up, and say what does not work.

    Args:
        config: its `rackgrid.toml`.
        host: the machine; this one by default.

    Returns:
        Whether nothing fails.
    """
    result = examine(gather(host or Host(), config, None), FAMILIES)
    findings = [finding for _, found in result for finding in found]
    for finding in findings:
        if finding.grade is Grade.FAIL:
            say(f"FAIL {finding.code}: {finding.cause}\n     do: {finding.fix}")
    failed = sum(finding.grade is Grade.FAIL for finding in findings)
    well = sum(finding.grade is Grade.PASS for finding in findings)
    warned = sum(finding.grade is Grade.WARN for finding in findings)
    if failed:
        say(
            f"the files are written, and {failed} of what rackgrid doctor looked at FAILS: mend "
            "that, then run rackgrid doctor again"
        )
    else:
        say(f"rackgrid doctor: {well} pass, {warned} warn (it says of what), none fails")
    return not failed
