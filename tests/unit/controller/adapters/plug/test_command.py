"""Programs that are run: what they say, how they fail, and that they end."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from rackgrid.adapters.plug.command import OUTPUT_MAX, run
from rackgrid.errors import TransportError


def test_output_is_returned_and_no_shell_reads_the_words() -> None:
    assert asyncio.run(run(5, "echo", "$HOME;", "`id`")) == "$HOME; `id`\n"


def test_environment_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACKGRID_SECRET", "x")
    said = asyncio.run(run(5, "env"))
    assert "SECRET" not in said
    assert f"PATH={os.environ['PATH']}" in said


def test_failure_says_why() -> None:
    with pytest.raises(TransportError, match=r"ls /nowhere failed: .*No such file"):
        asyncio.run(run(5, "ls", "/nowhere"))
    with pytest.raises(TransportError, match="false failed: 1"):
        asyncio.run(run(5, "false"))


def test_program_that_is_not_there_says_so() -> None:
    with pytest.raises(TransportError, match="cannot be run: No such file"):
        asyncio.run(run(5, "rackgrid-no-such-program"))


def test_program_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    begun = time.monotonic()
    script = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    with pytest.raises(TransportError, match="did not end within"):
        asyncio.run(run(0.5, "sh", "-c", script))
    assert time.monotonic() - begun < 30
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_output_has_a_limit() -> None:
    with pytest.raises(TransportError, match="more than"):
        asyncio.run(run(10, "head", "-c", str(OUTPUT_MAX + 1), "/dev/zero"))
