"""gpiozero's mock pins, wired to the plant.

gpiozero's own mock pin records every change for ever, and it knows nothing of how a pin is claimed.
These keep no history, and tell the plant each level that is driven, the first one included, without
passing through another level. Closing a pin leaves it driven, as our real pins do (see `relay`).
"""

# gpiozero is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, Protocol, cast

from gpiozero.pins.mock import MockFactory, MockPin


class PinPort(Protocol):
    """Where the pins lead."""

    def drive(self, gpio: int, level: bool) -> None:
        """Drive a pin; when this returns the contact has followed."""
        ...

    def modulate(self, gpio: int, duty: float, hz: float) -> None:
        """Drive a pin high for `duty` of the time, 0 to 1, `hz` times a second."""
        ...


class PlantPin(MockPin):  # type: ignore[misc]  # gpiozero is untyped
    """A pin that ends in the plant."""

    def output_with_state(self, state: Any) -> None:
        """Become an output at this level, without another level in between."""
        self._function = "output"
        self._state: bool | None = bool(state)
        self._tell()

    def pulse(self, hz: float, high: float) -> None:
        """Be high for this part of the time, until a level is driven."""
        self._state = None  # neither level, so that each of them is told when it comes
        cast("PlantFactory", self.factory).port.modulate(self._number, high, hz)

    def close(self) -> None:
        """Leave the pin as it is driven."""

    def clear_states(self) -> None:
        """Keep no history (gpiozero's would grow for ever)."""
        self.states: list[Any] = []

    def _change_state(self, value: Any) -> bool:
        if self._state == value:
            return False
        self._state = value
        if self._function == "output":
            self._tell()
        return True

    def _set_function(self, value: Any) -> None:
        """Refuse the ways that pass through a level nobody asked for."""
        raise RuntimeError(f"{self!r}: no {value} but an output with its level")

    def _tell(self) -> None:
        cast("PlantFactory", self.factory).port.drive(self._number, bool(self._state))


class PlantFactory(MockFactory):  # type: ignore[misc]  # gpiozero is untyped
    """Makes pins that end in the plant.

    Args:
        port: where they lead.
    """

    def __init__(self, port: PinPort) -> None:
        super().__init__(pin_class=PlantPin)
        self.port = port
