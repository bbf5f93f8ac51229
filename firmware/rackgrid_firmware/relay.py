"""A GPIO output that never passes through a level nobody asked for.

gpiozero over lgpio claims a pin in three calls: as an input, as an output at lgpio's default level
(low), then at the level that was asked for. An active-low relay closes for that moment, at every
start of the process; and a closed pin becomes a floating input. gpiozero knows (its issues #1146
and #1177, open since 2024). So the pins here are gpiozero's with two methods replaced: a pin is
claimed as an output *with* its level in one call (the kernel's line request takes both), and a
closed pin stays driven until the process ends.

What the pin does after that is the kernel's affair: Raspberry Pi kernels leave it at its last
level, or (`dtparam=strict_gpiod`) make it an input with its pull. Source: Raspberry Pi white paper
"GPIO Usage on Raspberry Pi Devices"; raspberrypi/linux#6117.

The factory is always explicit. gpiozero's own choice falls through four libraries with a warning
each, and a board whose GPIO is broken would come up with pins that switch nothing.
"""

# gpiozero and lgpio are untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import glob
import os
from typing import Any

from gpiozero import GPIOZeroError, OutputDevice
from gpiozero.exc import PinUnknownPi

from rackgrid_firmware.errors import (
    DeviceClosed,
    DeviceError,
    DeviceForbidden,
    DeviceUnavailable,
)

_INSTALL = "install it with `apt install python3-lgpio`, or `pip install rackgrid[pi]`"


class _Output(OutputDevice):  # type: ignore[misc]  # gpiozero is untyped
    """Lets go at once when it cannot be made.

    gpiozero's own leaves that to the garbage collector, and it takes the lock of the reservations:
    collected while the next output reserves its pin, it waits for that lock for ever.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except BaseException:
            self.close()
            raise


class Relay:
    """One switched output.

    Args:
        name: in the board profile.
        gpio: BCM number.
        active_high: whether a high pin energises the load.
        safe_on: the safe state: energised (a required load) or not.
        factory: where gpiozero gets its pins: `pi_factory()`, or the mock's.

    Raises:
        DeviceUnavailable: there is no such pin, or somebody else has it.
        DeviceForbidden: we may not use it.
    """

    def __init__(
        self, name: str, gpio: int, *, active_high: bool, safe_on: bool, factory: Any
    ) -> None:
        self._name = name
        self._gpio = gpio
        self._safe_on = safe_on
        self.is_barred = False
        """Whether it stays off even in its safe state: it has tripped, or is locked out."""
        try:
            self._device: Any = _Output(
                gpio, active_high=active_high, initial_value=safe_on, pin_factory=factory
            )
        except Exception as fault:
            raise self._translated(fault) from fault

    @property
    def name(self) -> str:
        """The output's name in the board profile."""
        return self._name

    def energise(self, on: bool) -> None:
        """Give the load power, or take it away.

        Raises:
            DeviceUnavailable: the pin could not be driven.
            DeviceClosed: the relay was closed.
        """
        if self._device is None:
            raise DeviceClosed(f"output {self._name} was closed")
        try:
            self._device.value = on
        except Exception as fault:
            raise self._translated(fault) from fault

    def _pulse(self, hz: float, high: float) -> None:
        """Let the pin pulse: high for this part of the time; `energise` ends it."""
        if self._device is None:
            raise DeviceClosed(f"output {self._name} was closed")
        try:
            self._device.pin.pulse(hz, high)
        except Exception as fault:
            raise self._translated(fault) from fault

    def close(self) -> None:
        """Bring the output to its safe level and leave it there."""
        if self._device is None:
            return
        try:
            self.energise(self._safe_on and not self.is_barred)
        finally:
            self._device.close()
            self._device = None

    def _translated(self, fault: Exception) -> Exception:
        """Say what a fault of gpiozero or lgpio means; others are bugs and stay as they are."""
        if isinstance(fault, DeviceError):
            return fault
        where = f"output {self._name}: GPIO {self._gpio}"
        if isinstance(fault, GPIOZeroError):
            return DeviceUnavailable(f"{where}: {fault}; correct `gpio` in the board profile")
        if type(fault).__module__ != "lgpio":
            return fault
        if "busy" in str(fault).lower():
            return DeviceUnavailable(
                f"{where} is in use: `gpioinfo` says by whom; end that program, or remove the "
                "overlay from config.txt"
            )
        if "permi" in str(fault).lower():
            return DeviceForbidden(f"{where}: no permission: {_JOIN_GROUP}")
        return DeviceUnavailable(f"{where} cannot be driven: {fault}")


_JOIN_GROUP = "add the user to the group gpio (`usermod -aG gpio USER`) and log in again"


def pi_factory() -> Any:
    """Make the factory of a Raspberry Pi's real pins.

    Raises:
        DeviceUnavailable: no lgpio, no gpiochip, or no Pi.
        DeviceForbidden: the gpiochip is there, and we may not use it.
    """
    lgpio = _lgpio()
    try:
        return _steady_factory(lgpio)
    except PinUnknownPi as fault:
        raise DeviceUnavailable(
            'this is no Raspberry Pi: set `driver = "mock"` in the board profile to try without'
        ) from fault
    except lgpio.error as fault:
        raise _no_chip(fault) from fault


def _lgpio() -> Any:
    """Import lgpio, which opens a FIFO in the working directory (or in $LG_WD) at once."""
    try:
        import lgpio  # pyright: ignore[reportMissingImports] - there only on a Pi
    except ImportError as fault:
        raise DeviceUnavailable(f"the Python package lgpio is missing: {_INSTALL}") from fault
    except OSError as fault:
        raise DeviceUnavailable(
            f"lgpio cannot write to {os.environ.get('LG_WD', os.getcwd())} ({fault}): "
            "set LG_WD to a writable directory"
        ) from fault
    if not hasattr(lgpio, "gpiochip_open"):
        # For some platforms an empty wheel of 2020 is the newest that pip finds.
        raise DeviceUnavailable(f"the Python package lgpio is an empty shell: {_INSTALL}")
    return lgpio


def _no_chip(fault: Exception) -> DeviceError:
    chips = glob.glob("/dev/gpiochip*")
    if not chips:
        return DeviceUnavailable(
            "no /dev/gpiochip*: this kernel has no GPIO; is this a Raspberry Pi, and does the "
            "sandbox let the device through?"
        )
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return DeviceForbidden(f"no permission on {', '.join(sorted(chips))}: {_JOIN_GROUP}")
    return DeviceUnavailable(f"the gpiochip cannot be opened: {fault}")


def _steady_factory(lgpio: Any) -> Any:
    """Make a factory whose pins are claimed with their level, and stay driven when closed."""
    from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin
    from gpiozero.pins.local import LocalPiPin

    class SteadyPin(LGPIOPin):  # type: ignore[misc]  # gpiozero is untyped
        def __init__(self, factory: Any, info: Any) -> None:
            # Not LGPIOPin's: it claims the pin as an input first.
            LocalPiPin.__init__(self, factory, info)
            self._pwm = None
            self._bounce = None
            self._callback = None
            self._edges = lgpio.BOTH_EDGES
            self._is_claimed = False
            self._pulses = False

        def output_with_state(self, state: Any) -> None:
            handle = self.factory._handle  # noqa: SLF001  # gpiozero's own pins do the same
            if self._is_claimed:
                self._set_state(state)
            else:
                lgpio.gpio_claim_output(handle, self._number, int(state))
                self._is_claimed = True

        def pulse(self, hz: float, high: float) -> None:
            # Frequency and duty in one call: gpiozero's own starts with a duty of 0.
            handle = self.factory._handle  # noqa: SLF001
            lgpio.tx_pwm(handle, self._number, hz, 100.0 * high)
            self._pulses = True

        def _set_state(self, value: Any) -> None:
            handle = self.factory._handle  # noqa: SLF001
            if self._pulses:
                lgpio.tx_pwm(handle, self._number, 0, 0)  # ends at any level, so one is written
                self._pulses = False
            lgpio.gpio_write(handle, self._number, int(value))

        def _set_function(self, value: Any) -> None:
            raise DeviceUnavailable(f"{self!r}: no {value} but an output with its level")

        def close(self) -> None:
            """Leave it driven."""

    class SteadyFactory(LGPIOFactory):  # type: ignore[misc]  # gpiozero is untyped
        def __init__(self) -> None:
            super().__init__()
            self.pin_class = SteadyPin

    return SteadyFactory()
