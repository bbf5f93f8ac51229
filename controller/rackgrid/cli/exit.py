"""How the `rackgrid` command ends. Scripts and systemd units rely on these numbers.

Source: sysexits.h for 69 (EX_UNAVAILABLE), 75 (EX_TEMPFAIL) and 78 (EX_CONFIG).
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the number means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 69
    """The daemon does not answer."""
    NO_BROKER = 75
    """The daemon answers, and the rack has no broker yet."""
    BAD_CONFIG = 78
    INTERRUPTED = 130
    """By Ctrl-C, as shells have it: 128 + SIGINT."""
