"""`rackgrid config`: check a configuration, and show what it comes to.

`check` names everything that is wrong in `rackgrid.toml` *and* in the board profile that it points
to, each with its line. `show` writes the values in force, the defaults with them, as TOML that can
be read again. Secrets cannot leak from it: they are in files of their own, which are never opened;
and what a URL's query says is left out, since many servers take their key there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.exit import Exit
from rackgrid_firmware.key import Key, Need, Table, quoted, shown

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs
    from rackgrid.config import Config
    from rackgrid_firmware.section import Finding

CONFIG_PATH = Path("/etc/rackgrid/rackgrid.toml")


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("config", help="check a configuration, or show it with its defaults")
    deeds = parser.add_subparsers(metavar="DEED", required=True)
    check = deeds.add_parser("check", help="name everything that is wrong, each with its line")
    check.add_argument("file", nargs="?", type=Path, default=CONFIG_PATH, help="rackgrid.toml")
    check.add_argument("--json", action="store_true", help="write JSON")
    check.set_defaults(run=run_check)
    show = deeds.add_parser("show", help="write the values in force, defaults included, as TOML")
    show.add_argument("file", nargs="?", type=Path, default=CONFIG_PATH, help="rackgrid.toml")
    show.set_defaults(run=run_show)


def run_check(args: argparse.Namespace) -> int:
    """Check a configuration, or a board profile by itself."""
    path: Path = args.file
    findings, notes = _examine(path)
    if args.json:
        print(json.dumps(_report(path, findings, notes), indent=2))
    else:
        for finding in findings:
            print(finding)
        for note in notes:
            print(f"{note} (note)")
        count = len(findings)
        say(f"{path}: {f'{count} to put right' if count else 'good'}")
    return Exit.BAD_CONFIG if findings else Exit.OK


def run_show(args: argparse.Namespace) -> int:
    """Write the values in force."""
    from rackgrid.config_file import load_config

    print("\n".join(resolved(load_config(args.file))))
    return Exit.OK


def _examine(path: Path) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    from rackgrid.config_file import read_config
    from rackgrid_firmware.profile_file import read_profile
    from rackgrid_firmware.profile_note import profile_notes
    from rackgrid_firmware.settings import TomlFile

    file = TomlFile(path)
    if file.has("board") and not file.has("rack"):
        profile, findings = read_profile(path)
        return findings, () if profile is None else profile_notes(path, profile, date.today())
    outcome = read_config(path)
    return outcome.findings, outcome.notes


def _report(
    path: Path, findings: tuple[Finding, ...], notes: tuple[Finding, ...]
) -> dict[str, object]:
    return {
        "file": str(path),
        "ok": not findings,
        "findings": [_entry(finding) for finding in findings],
        "notes": [_entry(note) for note in notes],
    }


def _entry(finding: Finding) -> dict[str, object]:
    return {
        "file": finding.file,
        "line": finding.line or None,
        "place": finding.place,
        "problem": finding.problem,
    }


def resolved(config: Config) -> Iterator[str]:
    """Write a configuration as TOML, line by line: every key, its value, and what it means."""
    from rackgrid.config_table import tables

    parts: dict[str, object] = {"source": config.sources, "load": config.loads}
    yield f"# {config.path}, with its defaults"
    for table in tables(str(config.node.board)):
        part = parts.get(table.name, getattr(config, table.name, None))
        for each in part if isinstance(part, tuple) else (part,):  # pyright: ignore[reportUnknownVariableType]
            if each is not None:
                yield from ("", table.title)
                yield from _lines(table, each)  # pyright: ignore[reportUnknownArgumentType]
                for inner in table.tables:
                    inside = getattr(each, inner.name)  # pyright: ignore[reportUnknownArgumentType]
                    if inside is not None:
                        yield f"[{table.name}.{inner.name}]"
                        yield from _lines(inner, inside)


def _lines(table: Table, part: object) -> Iterator[str]:
    from rackgrid.adapters.redaction import without_query

    for key in table.keys:
        value = _value(part, key.name)
        if value is None or value in ("", ()):
            continue
        text = shown_whole(without_query(str(value)) if key.name == "url" else value)
        mark = " (default)" if _is_default(key, value) else ""
        yield f"{key.name} = {text}  # {key.doc}{mark}"


def _value(part: object, key: str) -> object:
    from rackgrid.config import LoadConfig, SourceConfig
    from rackgrid.config_kind import written_kind
    from rackgrid.config_plug import written_way

    if isinstance(part, LoadConfig):
        return (written_kind(part) | written_way(part)).get(key)
    if isinstance(part, SourceConfig) and part.battery is not None and key == "price":
        return None  # it comes from what is in it
    return getattr(part, key)


def shown_whole(value: object) -> str:
    """Write a value as TOML."""
    if isinstance(value, str | Path):
        return quoted(str(value))
    if isinstance(value, tuple):
        names: tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return f"[{', '.join(quoted(str(each)) for each in names)}]"
    return repr(value) if isinstance(value, float) else shown(value)


def _is_default(key: Key, value: object) -> bool:
    if isinstance(key.default, Need) or key.default is None:
        return False
    return str(value) == key.default if isinstance(value, Path) else value == key.default
