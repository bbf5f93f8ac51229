"""Runs a program and waits for it, not longer than it may take: no shell, no input."""

from __future__ import annotations

import asyncio
import os

from rackgrid.errors import TransportError

OUTPUT_MAX = 65536
"""More than this is no answer, bytes."""
_KEPT = ("PATH", "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
"""All that it gets of our environment: where programs are, and the buses."""


async def run(within_s: float, *argv: str) -> str:
    """Run a program to its end; return what it wrote to stdout.

    Args:
        within_s: it is killed after so long, s.
        argv: the program, found on the PATH, and its arguments.

    Raises:
        TransportError: it cannot be started, fails or takes too long; says why.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**environment, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
        )
    except OSError as fault:
        raise TransportError(f"{argv[0]} cannot be run: {fault.strerror or fault}") from fault
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    except TimeoutError:
        raise TransportError(f"{' '.join(argv[:2])} did not end within {within_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = err.decode("utf-8", "replace").split("\n")[0].strip()
        raise TransportError(f"{' '.join(argv[:2])} failed: {words or process.returncode}"[:300])
    if len(out) > OUTPUT_MAX:
        raise TransportError(f"{argv[0]} says {len(out)} bytes, more than {OUTPUT_MAX}")
    return out.decode("utf-8", "replace")
