"""Fails if a bench cannot be started by the command that its docstring prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "tests" / "bench").glob("bench_*.py"))
START = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='started')"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_bench_finds_all_that_it_imports(script: Path, tmp_path: Path) -> None:
    """Without the help of the path that pytest has: only what an installation gives."""
    roots = os.pathsep.join(str(ROOT / name) for name in ("controller", "firmware"))
    done = subprocess.run(
        [sys.executable, "-P", "-c", START, str(script)],
        env={**os.environ, "PYTHONPATH": roots},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_benches_to_start() -> None:
    assert len(SCRIPTS) > 20
