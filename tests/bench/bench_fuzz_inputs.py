"""Play inputs of strangers in large numbers: MQTT payloads, HTTP requests, configurations.

    python tests/bench/bench_fuzz_inputs.py [--count 200000] [--seed 1]

Mutates the corpus of `tests/inputs.py`. Exits with 1 at the first input that raises, is answered
with 500 or changes something without the token, and prints the seed that makes it again; prints how
many were played, how fast, and how much the memory has grown over the second half.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "controller"), str(ROOT / "firmware")]

from tests.inputs import BODIES, HEARD, PATHS, mutated  # noqa: E402
from tests.unit.controller.adapters.test_ears_anything import heard  # noqa: E402
from tests.unit.controller.adapters.web.test_app_anything import (  # noqa: E402
    GOOD,
    METHODS,
    Node,
    answer,
)
from tests.unit.controller.test_config_anything import TEXTS, read  # noqa: E402

HEADERS = (b"host", b"authorization", b"origin", b"content-length", b"last-event-id", b"x")


def play_heard(seed: int) -> None:
    """One payload over MQTT."""
    rng = random.Random(seed)
    heard(mutated(rng, rng.choice(HEARD)))


class Asker:
    """One request over HTTP, through the real application."""

    def __init__(self) -> None:
        self.node = Node()
        self.guarded = self.node.app(True, GOOD)
        self.open = Node().app(True, None)
        self.loop = asyncio.new_event_loop()

    def play(self, seed: int) -> None:
        rng = random.Random(seed)
        target = mutated(rng, rng.choice(PATHS).encode()).decode("utf-8", "replace")
        body = mutated(rng, rng.choice(BODIES))
        headers = [(rng.choice(HEADERS), rng.randbytes(rng.randrange(20))) for _ in range(2)]
        headers = [(b"host", b"localhost"), *(each for each in headers if each[0] != b"host")]
        for app in (self.guarded, self.open):
            asked = answer(app, rng.choice(METHODS), target, headers, body)
            status, _ = self.loop.run_until_complete(asked)
            assert status < 500, (status, target)
        assert not self.node.reached, "changed without the token"


def play_config(folder: Path) -> Callable[[int], None]:
    """One file."""

    def play(seed: int) -> None:
        rng = random.Random(seed)
        read(folder, mutated(rng, rng.choice(TEXTS)))

    return play


def run(name: str, play: Callable[[int], None], seeds: range) -> bool:
    """Play them all; whether all went well."""
    began, middle_kb = time.perf_counter(), 0
    for number, seed in enumerate(seeds):
        if number == len(seeds) // 2:
            middle_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            play(seed)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is what is looked for
            print(f"{name}: seed {seed}: {fault!r}")
            return False
    spent_s = time.perf_counter() - began
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - middle_kb
    print(f"{name}: {len(seeds)} inputs, {len(seeds) / spent_s:.0f}/s, grown by {grown_kb} kB")
    return True


def main() -> int:
    """Play each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    seeds = range(args.seed, args.seed + args.count)
    with tempfile.TemporaryDirectory() as folder:
        config = play_config(Path(folder))
        done = [
            run("mqtt", play_heard, seeds),
            run("http", Asker().play, seeds),
            run("config", config, seeds[: len(seeds) // 10]),
        ]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
