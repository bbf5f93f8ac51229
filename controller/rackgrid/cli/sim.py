"""`rackgrid sim`: run simulated racks under faults, and check the promises.

Each seed is a rack of real cores on a virtual clock, with a script of faults of its own; the same
arguments give the same runs, to the byte. What fails is made small and comes with the command that
replays it. With `--scenario` a rack lives through days at market level instead (`scenario`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rackgrid.cli import say, scenario
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs
    from rackgrid.simulation.run import Outcome
    from rackgrid.simulation.script import Script

SEEDS_MAX = 1_000_000
PROGRESS_S = 2.0
SHRUNK_MAX = 5
"""Failing seeds that are made small; of more than that the first few say enough."""
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """A seed that failed.

    Attributes:
        what: the first violation.
        replay: the command that shows it again, with as few faults as it takes.
        script: these faults.
    """

    seed: int
    what: str
    replay: str
    script: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What all seeds came to."""

    seeds: int = 0
    elapsed_ns: int = 0
    real_s: float = 0.0
    peak_percent: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    sometimes: Counter[str] = field(default_factory=Counter[str])
    findings: list[Finding] = field(default_factory=list[Finding])
    digests: list[str] = field(default_factory=list[str])

    def add(self, outcome: Outcome) -> None:
        """Add one seed's outcome."""
        self.seeds += 1
        self.elapsed_ns += outcome.elapsed_ns
        self.peak_percent = max(self.peak_percent, outcome.peak_percent)
        self.faults.update(outcome.faults)
        self.sometimes.update(outcome.sometimes)
        self.digests.append(outcome.digest)

    @property
    def digest(self) -> str:
        """One digest of all transcripts."""
        return hashlib.blake2b("".join(self.digests).encode(), digest_size=16).hexdigest()

    @property
    def speed(self) -> float:
        """Simulated time over real time."""
        return round(self.elapsed_ns / SECOND_NS / max(self.real_s, 1e-6), 1)


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("sim", help="run simulated racks under faults and check the promises")
    parser.add_argument("--nodes", type=int, default=5, metavar="N", help="nodes of a rack (5)")
    parser.add_argument(
        "--seconds", type=int, default=30, metavar="S", help="simulated time of a run (30)"
    )
    parser.add_argument("--seeds", type=int, default=20, metavar="K", help="how many runs (20)")
    parser.add_argument("--seed-from", type=int, default=0, metavar="SEED", help="the first (0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes at once (1)")
    parser.add_argument(
        "--plot", default="", metavar="NAME", help="this plot only, such as churn (all take turns)"
    )
    parser.add_argument("--replay", type=int, metavar="SEED", help="run this seed only, in words")
    parser.add_argument(
        "--keep", metavar="I,J", help="with --replay: keep these faults of its script only"
    )
    parser.add_argument("--transcript", action="store_true", help="with --replay: all that happens")
    parser.add_argument(
        "--scenario",
        metavar="NAME",
        help="live through days at market level: sunny-day, ...",
    )
    parser.add_argument("--days", type=int, default=7, metavar="D", help="with --scenario (7)")
    parser.add_argument("--seed", type=int, default=1, metavar="SEED", help="with --scenario (1)")
    parser.add_argument(
        "--picture", metavar="FILE", help="with --scenario: draw the last day (.svg, .png)"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the seeds, and say what came of them."""
    if args.scenario is not None:
        return scenario.run(args)
    complaint = _complaint(args)
    if complaint:
        say(f"rackgrid sim: {complaint}")
        return Exit.USAGE
    tally = Tally()
    if args.replay is None:
        _seeds(args, tally)
    else:
        _replay(args, tally)
    if args.json:
        print(json.dumps(figures(tally, args.nodes, args.seconds), ensure_ascii=False))
    else:
        print("\n".join(summary(tally, args.nodes)))
    return Exit.FAILED if tally.findings else Exit.OK


def figures(tally: Tally, nodes: int, seconds: int) -> dict[str, object]:
    """Put the result into the fields of the JSON line."""
    return {
        "seeds": tally.seeds,
        "seconds": seconds,
        "nodes": nodes,
        "speed": tally.speed,
        "peak_percent": tally.peak_percent,
        "digest": tally.digest,
        "faults": dict(sorted(tally.faults.items())),
        "sometimes": _sometimes(tally),
        "violations": [
            {"seed": f.seed, "what": f.what, "replay": f.replay, "script": list(f.script)}
            for f in tally.findings
        ],
    }


def summary(tally: Tally, nodes: int) -> list[str]:
    """Say it for a person."""
    lines = [
        f"{tally.seeds} seeds, {tally.elapsed_ns / SECOND_NS:.0f} simulated seconds of {nodes}"
        f" nodes, {tally.speed:.0f} times as fast as real",
        f"digest {tally.digest}",
        f"highest draw {tally.peak_percent} % of the feed",
        "",
        f"{sum(tally.faults.values())} faults",
        *(f"{count:8}  {name}" for name, count in sorted(tally.faults.items())),
        "",
        "reached",
        *(f"{count:8}  {name}" for name, count in _sometimes(tally).items()),
        "",
    ]
    for finding in tally.findings:
        lines += [f"seed {finding.seed}: {finding.what}", *(f"    {x}" for x in finding.script)]
        lines += [f"    replay: {finding.replay}", ""]
    count = len(tally.findings)
    lines.append(f"{count} of {tally.seeds} seeds failed" if count else "no violation")
    return lines


def _complaint(args: argparse.Namespace) -> str | None:
    """Say what is wrong with the arguments, if anything is."""
    from rackgrid.simulation.script import scripted
    from rackgrid.simulation.swarm import JOBS_MAX

    if args.picture is not None:
        return "--picture goes with --scenario NAME"
    if not 1 <= args.seeds <= SEEDS_MAX:
        return f"--seeds is between 1 and {SEEDS_MAX}, not {args.seeds}"
    if not 1 <= args.jobs <= JOBS_MAX:
        return f"--jobs is between 1 and {JOBS_MAX}, not {args.jobs}"
    if (args.keep is not None or args.transcript) and args.replay is None:
        return "--keep and --transcript go with --replay SEED"
    try:
        script = scripted(args.replay or 0, args.nodes, args.seconds, args.plot)
        _kept(script, args.keep)
    except (ValueError, IndexError) as error:
        return str(error)
    return None


def _kept(script: Script, keep: str | None) -> Script:
    """Keep the faults that were named by their places."""
    if keep is None:
        return script
    places = [int(word) for word in keep.split(",") if word]
    wrong = [place for place in places if not 0 <= place < len(script.timed)]
    if wrong:
        raise ValueError(f"--keep {wrong[0]}: this script has faults 0 to {len(script.timed) - 1}")
    return script.kept(places)


def _seeds(args: argparse.Namespace, tally: Tally) -> None:
    from rackgrid.simulation.script import scripted
    from rackgrid.simulation.swarm import outcomes

    began = told = time.monotonic()
    seeds = range(args.seed_from, args.seed_from + args.seeds)
    scripts = (scripted(seed, args.nodes, args.seconds, args.plot) for seed in seeds)
    for outcome in outcomes(scripts, args.jobs):
        tally.add(outcome)
        if outcome.violations:
            say(f"seed {outcome.script.seed}: {outcome.violations[0]}")
            tally.findings.append(_finding(outcome, is_enough=len(tally.findings) >= SHRUNK_MAX))
        now = time.monotonic()
        if now - told >= PROGRESS_S:
            told = now
            say(f"{tally.seeds} of {args.seeds} seeds, {len(tally.findings)} failed")
    tally.real_s = time.monotonic() - began


def _replay(args: argparse.Namespace, tally: Tally) -> None:
    from rackgrid.simulation.run import run as run_script
    from rackgrid.simulation.script import scripted

    began = time.monotonic()
    script = _kept(scripted(args.replay, args.nodes, args.seconds, args.plot), args.keep)
    outcome = run_script(script)
    tally.add(outcome)
    tally.real_s = time.monotonic() - began
    if args.transcript:
        print("\n".join(outcome.lines), file=sys.stderr if args.json else sys.stdout)
    if outcome.violations:
        places = None if args.keep is None else [int(word) for word in args.keep.split(",") if word]
        tally.findings.append(_told(outcome, places))


def _finding(outcome: Outcome, *, is_enough: bool) -> Finding:
    """Make a failing script small, unless enough have been."""
    from rackgrid.simulation.run import run as run_script
    from rackgrid.simulation.shrink import shrunk

    if is_enough:
        return _told(outcome, None)
    say(f"seed {outcome.script.seed}: looking for the few faults that it takes")
    places = shrunk(outcome.script, lambda fewer: bool(run_script(fewer).violations))
    return _told(run_script(outcome.script.kept(places)), places)


def _told(outcome: Outcome, places: list[int] | None) -> Finding:
    script = outcome.script
    replay = (
        f"rackgrid sim --nodes {script.nodes} --seconds {script.seconds} --replay {script.seed}"
    )
    if script.plot:
        replay += f" --plot {script.plot}"
    if places is not None:
        replay += f" --keep {','.join(map(str, places)) or ','}"
    return Finding(
        script.seed,
        outcome.violations[0],
        f"{replay} --transcript",
        tuple(str(timed) for timed in script.timed),
    )


def _sometimes(tally: Tally) -> dict[str, int]:
    """Name every hard state that is looked for, also those that were not reached."""
    from rackgrid.simulation.witness import SOMETIMES

    return {name: tally.sometimes[name] for name in SOMETIMES}
