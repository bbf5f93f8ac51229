"""A square wave for a hardware dead-man: it goes on exactly as long as the deadline loop turns.

A hung Pi holds its pins as they are, and no software can help that. A circuit can, if it needs
*edges* to keep the relay coils supplied (a retriggerable monostable, a charge pump): a pin that
stands still, high or low, opens them. So the wave must come from the very loop that keeps the
deadlines: no thread, no PWM of the chip or the kernel, which would go on when the loop has died. A
loop that was late makes up for nothing: its wave is slower, and what stands behind it may open.

Source: LinuxCNC charge_pump(9) and watchdog(9) (the same for a machine tool's enable line).
"""

from __future__ import annotations

from rackgrid_firmware.device import Output

HALF_NS = 20_000_000
"""Between two edges, ns: a monostable of 150 ms bears six that are missing."""


class Heartbeat:
    """The wave.

    Args:
        pin: that it is on, low.
        now_ns: the moment, CLOCK_MONOTONIC in ns; the first edge is due at once.
    """

    def __init__(self, pin: Output, now_ns: int) -> None:
        self._pin = pin
        self._is_high = False
        self.next_ns = now_ns
        """When the next edge is due, ns."""

    def beat(self, now_ns: int) -> None:
        """Make the edge that is due, if one is.

        Args:
            now_ns: the moment, ns.

        Raises:
            DeviceError: the pin did not follow.
        """
        if now_ns < self.next_ns:
            return
        self._is_high = not self._is_high
        self._pin.energise(self._is_high)
        self.next_ns = now_ns + HALF_NS
