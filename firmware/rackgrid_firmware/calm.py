"""How long a load keeps calm after the kernel has booted: power that returns finds few starts.

When a feed comes back after a cut all nodes boot together, and all their loads would start
together. So each may be told to wait, for a random part of a time. The part is drawn from the
kernel's random boot id: another one for each node and boot, and the same one for every process of
it, without anything that had to be kept.
"""

from __future__ import annotations

import hashlib


def calm_until_ns(delay_s: float, lot: str) -> int:
    """Say until when to keep calm, ns of CLOCK_MONOTONIC.

    That clock is near zero when the kernel starts, so a later restart of the process finds the calm
    over.

    Args:
        delay_s: the longest, s.
        lot: what the part of it is drawn from: the boot id, and whose calm it is.
    """
    drawn = int.from_bytes(hashlib.sha256(lot.encode()).digest()[:4], "big")
    return round(delay_s * 1e9) * drawn >> 32
