"""Whether what a node must not forget reads back: terms, roster, ledger, and what bars an output.

All of it is looked at as its owner reads it, and nothing is changed: a running daemon has its
ledger to itself, so what is read then is a copy of the file (`ledger_access`).

Sources: decision 8 (what rests on the roster's word); `adapters.store` (terms never repeat);
sqlite.org/pragma.html (`quick_check`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rackgrid.adapters.ledger_file import LEDGER
from rackgrid.adapters.ledger_opening import damage_of
from rackgrid.adapters.roster_shelf import copies_of_roster
from rackgrid.adapters.store import copies_of_terms
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.errors import StoreError
from rackgrid_firmware.logbook import NAME, copies_of_record

FIRMWARE_STATE = "/var/lib/rackgrid-firmware"
"""Where the firmware's unit has it keep what bars its outputs."""
PLUGS = "plugs.json"
BARRED = (
    "see with your own eyes that nobody's hands are in a load; at the next start every flexible "
    "one is barred until it is cleared: rackgrid load clear LOAD"
)

WHOLE = Check(
    "state-whole",
    "Is the stored state undamaged?",
    "Terms and roster are each kept in two copies with a checksum, what bars an output (lockouts, "
    "latched faults) with the record before it, the ledger in a database whose rows are chained by "
    "their hashes; here its pages and its newest rows are checked, and `rackgrid ledger verify` "
    "checks all. One bad copy is mended at the next start. Without a good one of the terms the "
    "node refuses to start, and without one of the roster it has no vote until the rack gives it "
    "the roster again; if the newest record of lockouts is damaged every flexible output stays off "
    "until somebody clears it. A file NAME.bad is one that was set aside.",
)
CHECKS = (WHOLE,)

Copies = dict[str, bool] | Unknown
"""Of each copy that is there, whether it reads back."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        terms, roster: of the controller; plugs: lockouts and faults of units and plugs, of it, too.
        outputs: lockouts and faults of the board's outputs, of the firmware.
        ledger: what is wrong with it, or ""; None if there is none yet.
        set_aside: names of damaged files that were kept.
    """

    terms: Copies
    roster: Copies
    plugs: Copies
    outputs: Copies
    ledger: str | Unknown | None
    set_aside: tuple[str, ...]


def look(case: Case) -> Facts:
    """Gather the facts."""
    firmware = case.host.path(FIRMWARE_STATE)
    outputs: Copies = Unknown(case.why_not_real)
    if case.is_real:
        outputs = _copies(firmware, lambda folder: copies_of_record(folder, NAME))
    if isinstance(case.config, Unknown):
        missing = case.config
        return Facts(missing, missing, missing, outputs, missing, ())
    folder = case.config.node.state_dir
    return Facts(
        terms=_copies(folder, copies_of_terms),
        roster=_copies(folder, copies_of_roster),
        plugs=_copies(folder, lambda folder: copies_of_record(folder, PLUGS)),
        outputs=outputs,
        ledger=_ledger(folder / LEDGER),
        set_aside=_set_aside(folder),
    )


def _copies(folder: Path, read: Callable[[Path], dict[str, bool]]) -> Copies:
    try:
        if not folder.is_dir():
            return Unknown(f"there is no {folder} yet: it is made at the first start")
        return read(folder)
    except OSError as fault:
        return Unknown(f"{folder} cannot be read ({fault.strerror}): run as root")


def _ledger(path: Path) -> str | Unknown | None:
    try:
        return damage_of(path) if path.is_file() else None
    except (OSError, StoreError) as fault:
        return Unknown(f"{path} cannot be looked at ({fault}): run as root")


def _set_aside(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(each.name for each in folder.glob("*.bad*")))
    except OSError:
        return ()


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them; what is not stored yet is not spoken of, if something else is."""
    stores = [
        *_stored(
            "the terms",
            facts.terms,
            "restore them from a backup that is not older than the last start, or make this a new "
            "node: rackgrid run says how",
        ),
        *_stored(
            "the roster",
            facts.roster,
            "start the node: it asks the rack for the roster, and has no vote until it has it; if "
            "no node of the rack has it any more: rackgrid recover",
        ),
        *_barring("the lockouts and faults of units and plugs", facts.plugs),
        *_barring("the lockouts and faults of the board's outputs", facts.outputs),
        *_ledgered(facts.ledger),
    ]
    yield from stores
    if facts.set_aside:
        yield WHOLE.warn(
            f"damaged files were set aside: {', '.join(facts.set_aside)}",
            "keep what you want to look at, delete the rest; replace the card if it comes again",
        )
    elif not stores:
        yield WHOLE.skip("nothing is stored yet")


def _stored(what: str, copies: Copies, fix: str) -> Iterator[Finding]:
    if isinstance(copies, Unknown):
        yield WHOLE.skip(f"{what}: {copies.reason}")
        return
    bad = [name for name, is_good in copies.items() if not is_good]
    if bad and len(bad) == len(copies):
        yield WHOLE.fail(f"no copy of {what} can be read ({', '.join(bad)})", fix)
    elif bad:
        yield WHOLE.warn(
            f"a copy of {what} is damaged: {', '.join(bad)}",
            "back up the state directory, and replace the card if it comes again",
        )
    elif copies:
        yield WHOLE.ok(f"{len(copies)} copies of {what} read back")


def _barring(what: str, copies: Copies) -> Iterator[Finding]:
    """Judge a record and the one before it, which may not know of the newest lockout."""
    newest = "" if isinstance(copies, Unknown) else next(iter(copies), "")
    if isinstance(copies, Unknown) or not newest or copies[newest]:
        yield from _stored(what, copies, BARRED)
    else:
        yield WHOLE.fail(f"{newest}, the newest word on {what}, is damaged", BARRED)


def _ledgered(damage: str | Unknown | None) -> Iterator[Finding]:
    if isinstance(damage, Unknown):
        yield WHOLE.skip(f"the ledger: {damage.reason}")
    elif damage:
        yield WHOLE.fail(
            f"the ledger is damaged: {damage}",
            "back up the state directory; at its next start the daemon sets the ledger aside and "
            "goes on from the copy that other nodes keep; replace the card if it comes again",
        )
    elif damage is not None:
        yield WHOLE.ok("the ledger is whole, its newest rows add up")


FAMILY = Family("state", CHECKS, lambda case: judge(look(case)))
