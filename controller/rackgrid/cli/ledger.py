"""`rackgrid ledger show|days|export|verify`: what loads drew and cost, and whether it adds up.

`show` asks the running daemon. `days`, `export` and `verify` read the ledger's file, beside a
daemon that writes it or without one. `verify --rack` takes the files of all nodes of a rack, and
balances them against each other, their sources and the feed's meter.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import add_target, address, ask
from rackgrid.cli.config import CONFIG_PATH
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.adapters.ledger_columns import Entry
    from rackgrid.adapters.ledger_rack import RackReport
    from rackgrid.adapters.ledger_store import LedgerStore
    from rackgrid.cli.verb import Verbs

FIELDS = (
    *("load", "start", "seconds", "on", "price", "energy_wh", "estimated_wh", "cost"),
    *("reference_cost", "saving", "revenue", "profit", "doubt_wh", "granted_wh"),
    *("mixed", "term", "round", "boot", "start_ns"),
)


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("ledger", help="show, export or verify what loads drew and cost")
    deeds = parser.add_subparsers(metavar="DEED", required=True)
    show = deeds.add_parser("show", help="what each load of this node has drawn, and its cost")
    add_target(show)
    show.add_argument("--json", action="store_true", help="write JSON")
    show.set_defaults(run=run_show)
    days = deeds.add_parser(
        "days", help="by day and load: what was granted, what it drew, and its cost"
    )
    _add_file(days)
    _add_span(days)
    days.add_argument("--json", action="store_true", help="write JSON")
    days.set_defaults(run=run_days)
    export = deeds.add_parser("export", help="write the rows as CSV or as JSON lines")
    _add_file(export)
    export.add_argument("--jsonl", action="store_true", help="JSON lines instead of CSV")
    _add_span(export)
    export.set_defaults(run=run_export)
    verify = deeds.add_parser("verify", help="check every row and the chain of hashes")
    _add_file(verify, many=True)
    verify.add_argument(
        "--rack",
        action="store_true",
        help="the files are of all the rack's nodes: balance them, and compare the feed's meter",
    )
    verify.add_argument("--json", action="store_true", help="write JSON")
    verify.set_defaults(run=run_verify)


def moment(text: str) -> int:
    """Read a date or a time; Unix time in ns.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(
            f"not a date: {text[:40]!r}; write 2026-03-01, or 2026-03-01T12:00+01:00"
        ) from fault
    return int(read.astimezone(UTC).timestamp()) * 1_000_000_000


def run_show(args: argparse.Namespace) -> int:
    """Show the sums of the running daemon."""
    accounts = ask(f"{address(args)}/api/ledger").records("accounts")
    if args.json:
        print(json.dumps([account.fields for account in accounts], indent=2, ensure_ascii=False))
        return Exit.OK
    for account in accounts:
        line = f"{account.text('load'):20} {account.number('energy_wh') or 0.0:12.3f} Wh"
        line += f" {account.number('cost') or 0.0:12.6f} {account.text('currency')}"
        for word in ("saving", "revenue", "profit"):
            if money := account.number(word):
                line += f"   {word} {money:.6f}"
        if granted := account.number("granted_wh"):
            line += f"   {account.number('taken_wh') or 0.0:.3f} of {granted:.3f} Wh granted"
        if unpriced := account.number("unpriced_wh"):
            line += f"   ({unpriced:.3f} Wh without a price)"
        print(line)
    if not accounts:
        say("nothing has been booked yet")
    return Exit.OK


def run_export(args: argparse.Namespace) -> int:
    """Write every row."""

    def write(ledger: LedgerStore) -> int:
        rows = map(fields, ledger.entries(args.since, args.until))
        (_write_jsonl if args.jsonl else _write_csv)(rows)
        return Exit.OK

    return _with_ledger(args, write)


def run_days(args: argparse.Namespace) -> int:
    """Write what each load was granted, drew and paid on each day (of UTC)."""

    def write(ledger: LedgerStore) -> int:
        found = list(day_lines(ledger.entries(args.since, args.until)))
        if args.json:
            print(json.dumps(found, indent=2, ensure_ascii=False))
            return Exit.OK
        for each in found:
            granted_wh, taken_wh = each["granted_wh"], each["taken_wh"]
            line = f"{each['day'] or 'undated':10} {each['load']:20} {each['energy_wh']:12.3f} Wh"
            line += f" {each['cost']:12.6f}"
            if granted_wh is not None:
                line += f"   {taken_wh:.3f} of {granted_wh:.3f} Wh granted"
            print(line)
        if not found:
            say("nothing has been booked in that time")
        return Exit.OK

    return _with_ledger(args, write)


def day_lines(entries: Iterable[Entry]) -> Iterator[dict[str, object]]:
    """Sum up rows by the day (of UTC) on which they began, and by load; undated ones come first.

    What was granted is None of what takes no grant, and of what was booked before that was said.
    """
    from rackgrid.market.row import Totals

    days: dict[tuple[str, str], Totals] = {}
    known: set[tuple[str, str]] = set()
    for entry in entries:
        start_ns = entry.start_wall_ns
        key = ("" if start_ns is None else _rfc3339(start_ns)[:10], entry.row.load)
        days[key] = days.get(key, Totals()).plus(entry.row)
        if entry.row.granted_mj is not None:
            known.add(key)
    for (day, load), total in sorted(days.items()):
        is_known = (day, load) in known
        yield {
            "day": day or None,
            "load": load,
            "energy_wh": total.energy_mj / 3_600_000,
            "granted_wh": total.granted_mj / 3_600_000 if is_known else None,
            "taken_wh": total.taken_mj / 3_600_000 if is_known else None,
            "cost": total.cost_nc / 1e9,
        }


def run_verify(args: argparse.Namespace) -> int:
    """Check every row and the chain of each file; and of a rack, whether it balances."""
    verdict = _verdict(args.file or [_path(args)], is_rack=args.rack)
    if args.json:
        print(json.dumps(verdict.fields, indent=2))
    else:
        for finding in verdict.findings:
            print(finding)
        verdict.say()
    return Exit.FAILED if verdict.findings else Exit.OK


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of verifying.

    Attributes:
        findings: what is wrong; unchecked: what could not be checked.
        hashes: the newest of each file.
        owners: who signed each, in hex; "" where nobody did.
        rack: the balance, if one was asked for.
    """

    findings: list[str]
    unchecked: list[str]
    hashes: dict[str, str]
    owners: dict[str, str]
    rack: RackReport | None

    @property
    def fields(self) -> dict[str, object]:
        """What `--json` prints."""
        found: dict[str, object] = {"findings": self.findings, "unchecked": self.unchecked}
        if len(self.hashes) == 1:
            found["last_hash"] = next(iter(self.hashes.values()))
        found["last_hashes"] = self.hashes
        found["signed_by"] = self.owners
        if self.rack is not None:
            found["rack"] = _rack_fields(self.rack)
        return found

    def say(self) -> None:
        """Tell the operator."""
        for each in self.unchecked:
            say(f"not checked: {each}")
        if self.rack is not None and self.rack.hours:
            sums = _rack_fields(self.rack)
            say(", ".join(f"{name} {'-' if sums[name] is None else sums[name]}" for name in sums))
        if self.findings:
            say(f"{len(self.findings)} wrong")
            return
        for name, newest in self.hashes.items():
            which = f" of {name}" if len(self.hashes) > 1 else ""
            signed = f", signed by node {self.owners[name]}" if self.owners[name] else ""
            say(f"all adds up; the newest hash{which} is {newest}{signed}")


def _verdict(paths: list[Path], *, is_rack: bool) -> Verdict:
    from rackgrid.adapters.ledger_examination import all_examined
    from rackgrid.adapters.ledger_rack import settled

    files = dict(zip(map(str, paths), all_examined(paths, gathers=is_rack), strict=True))
    findings, unchecked = list[str](), list[str]()
    for name, file in files.items():
        where = f"{name}: " if len(files) > 1 else ""
        findings += [f"{where}{finding}" for finding in file.findings]
        unchecked += [f"{where}{each}" for each in file.unchecked]
    hashes = {name: file.hash for name, file in files.items()}
    owners = {name: file.owner for name, file in files.items()}
    if not is_rack:
        unchecked.append(
            "the balance of the rack and the feed's meter: that takes --rack, and --file for the "
            "ledger of each of its nodes"
        )
        return Verdict(findings, unchecked, hashes, owners, None)
    report = settled([file.gathering for file in files.values() if file.gathering is not None])
    return Verdict(
        [*findings, *report.findings], [*unchecked, *report.unchecked], hashes, owners, report
    )


def _rack_fields(report: RackReport) -> dict[str, object]:
    return {
        "hours": report.hours,
        "energy_wh": report.drawn_mj / 3_600_000,
        "loss_wh": None if report.loss_mj is None else report.loss_mj / 3_600_000,
        "paid": report.paid_nc / 1e9,
        "earned": report.earned_nc / 1e9,
        "scarcity_rent": report.rent_nc / 1e9,
        "sold_wh": report.sold_mj / 3_600_000,
        "sold": report.sold_nc / 1e9,
    }


def fields(entry: Entry) -> dict[str, object]:
    """Put a row into the fields of the export."""
    row = entry.row
    money = 1e9
    start_ns = entry.start_wall_ns
    parts, is_open = row.parts, row.cost_nc is None
    return {
        "load": row.load,
        "start": None if start_ns is None else _rfc3339(start_ns),
        "seconds": (row.end_ns - row.start_ns) / 1e9,
        "on": row.terms.on,
        "price": None if row.terms.price_uc is None else row.terms.price_uc / 1e6,
        "energy_wh": row.energy_mj / 3_600_000,
        "estimated_wh": row.estimated_mj / 3_600_000,
        "cost": None if row.cost_nc is None else row.cost_nc / money,
        "reference_cost": None if row.reference_nc is None else row.reference_nc / money,
        "saving": None if is_open or row.reference_nc is None else parts.saving_nc / money,
        "revenue": None if row.revenue_nc is None else row.revenue_nc / money,
        "profit": None if is_open or row.revenue_nc is None else parts.profit_nc / money,
        "doubt_wh": None if row.doubt_mj is None else row.doubt_mj / 3_600_000,
        "granted_wh": None if row.granted_mj is None else row.granted_mj / 3_600_000,
        "mixed": row.mixed is not None,
        "term": row.term,
        "round": row.round,
        "boot": entry.kernel,
        "start_ns": row.start_ns,
    }


def _add_file(parser: argparse.ArgumentParser, *, many: bool = False) -> None:
    parser.add_argument(
        "--file",
        type=Path,
        metavar="FILE",
        action="append" if many else "store",
        help="the ledger, instead of --config's" + ("; may be given several times" if many else ""),
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the daemon's rackgrid.toml")


def _add_span(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", metavar="DATE", type=moment, help="rows that began then or later"
    )
    parser.add_argument("--until", metavar="DATE", type=moment, help="rows that began before then")


def _with_ledger(args: argparse.Namespace, work: Callable[[LedgerStore], int]) -> int:
    from rackgrid.adapters.ledger_store import LedgerStore

    ledger = LedgerStore(_path(args), writable=False)
    try:
        return work(ledger)
    finally:
        ledger.close()


def _path(args: argparse.Namespace) -> Path:
    if args.file:
        path: Path = args.file
        return path
    from rackgrid.adapters.ledger_file import LEDGER
    from rackgrid.config_file import load_config

    return load_config(args.config or CONFIG_PATH).node.state_dir / LEDGER


def _write_csv(rows: Iterator[dict[str, object]]) -> None:
    writer = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _write_jsonl(rows: Iterator[dict[str, object]]) -> None:
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


def _rfc3339(wall_ns: int) -> str:
    seconds, ns = divmod(wall_ns, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ns // 1_000_000:03d}Z"
