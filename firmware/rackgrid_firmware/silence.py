"""How long a converter has given nothing new, and what that calls for.

A chip whose registers answer and whose configuration is right may still not convert: a supply that
is too low for the analogue part, a die that is damaged, a mode that a spike has changed and changed
back. Its registers then hold the last reading for ever. So its ready flag is waited for, but not
without end: after two of the slowest chip's cycles its configuration is to be written again, which
starts a conversion; and if three more bring none, that is a fault, and so on from there.

Pure: times are arguments, ns.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

STILL: Final = 2
"""A chip that has not converted for so many of its longest cycles is to be started again."""
CYCLES_MAX: Final = 3
"""A chip that has not converted after so many of its longest cycles never will."""


class Patience(Enum):
    """What a silence calls for."""

    BEAR = "bear"
    """Wait: it is converting."""
    START_AGAIN = "start_again"
    """Write the configuration again, whatever it reads."""
    GIVE_UP = "give_up"
    """Say that it is a fault; and write the configuration again, in case it comes back."""


class Silence:
    """How long one chip has been silent."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._is_restarted = False
        self.is_kept = False
        """Whether a flag was found down since it converted last."""
        self.length_ns = 0
        """How long the silence is that was judged last, ns."""

    def broken(self) -> None:
        """It has converted."""
        self._since_ns = None
        self._is_restarted = self.is_kept = False

    def begin(self) -> None:
        """Its configuration was written: it is given its time."""
        self._since_ns = None

    def judge(self, now_ns: int, longest_ns: int) -> Patience:
        """Say what is to be done about a flag that is down.

        Args:
            now_ns: the moment, ns.
            longest_ns: the slowest chip's cycle, ns.
        """
        self.is_kept = True
        if self._since_ns is None:
            self._since_ns = now_ns
        self.length_ns = now_ns - self._since_ns
        if not self._is_restarted and self.length_ns > STILL * longest_ns:
            self._is_restarted = True
            return Patience.START_AGAIN
        if self.length_ns > CYCLES_MAX * longest_ns:
            return Patience.GIVE_UP
        return Patience.BEAR

    def told(self, where: str, flag: str, word: int) -> str:
        """Say it, and what to do.

        Args:
            where: the chip.
            flag: and where its register is.
            word: its configuration.
        """
        return (
            f"{where} does not convert: its ready flag ({flag}) has stayed down for "
            f"{self.length_ns / 1e9:.3f} s though its configuration (00h) reads {word:#06x}, as "
            "written, and was written again: check its supply; if that is good, replace it"
        )
