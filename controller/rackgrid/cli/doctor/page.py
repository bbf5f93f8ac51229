"""The page that explains every check, made of the checks themselves.

    python -m rackgrid.cli.doctor.page > hardware/doctor.md

A test compares the page with what this writes.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from rackgrid.cli.doctor.examination import FAMILIES
from rackgrid.cli.doctor.finding import Check

WIDTH = 100
HEAD = """\
# rackgrid doctor

`rackgrid doctor` looks at a node and says of each check PASS, WARN (it works, and will not always),
FAIL (it does not work, or is not safe) or SKIP (it could not be looked at, and why); what is wrong
comes with its cause and the next thing to do. It changes nothing, except that it configures meter
chips as the firmware does when that does not run, and leaves and takes away one retained MQTT
message. Run it as root: others may not read keys, buses and the firmware's directory. It ends with
0 if nothing fails, 1 if something does, 78 if a configuration has mistakes; `--json` writes one
object, `--explain CODE` what stands here, `--verbose` the boot-state table. `rackgrid setup` runs
those of the checks that need no running node.

Codes never change. This page is made of the checks (`python -m rackgrid.cli.doctor.page`), and a
test keeps it in step. What no program can see is in [traps.md](traps.md) and
[safety.md](safety.md).
"""


def page() -> str:
    """Write the page."""
    return "\n".join([HEAD, *_index(), *_sections()])


def _index() -> Iterator[str]:
    yield "| about | checks |"
    yield "|---|---|"
    for family in FAMILIES:
        links = ", ".join(f"[{check.code}](#{check.code})" for check in family.checks)
        yield f"| {family.name} | {links} |"
    yield ""


def _sections() -> Iterator[str]:
    for family in FAMILIES:
        yield f"## {family.name[0].upper()}{family.name[1:]}\n"
        for check in family.checks:
            yield from _section(check)


def _section(check: Check) -> Iterator[str]:
    yield f"### {check.code}\n"
    yield f"*{check.asks}*\n"
    yield textwrap.fill(check.why, WIDTH, break_long_words=False, break_on_hyphens=False)
    yield ""


if __name__ == "__main__":
    sys.stdout.write(page())
