"""lgpio as far as the safe helper uses it: records each claim, refuses as the library does."""

from __future__ import annotations

from types import ModuleType


class LgpioError(Exception):
    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class RecordingLgpio(ModuleType):
    error = LgpioError

    def __init__(self) -> None:
        super().__init__("lgpio")
        self.calls: list[tuple[object, ...]] = []
        self.busy: dict[int, str | None] = {}
        """Who has a pin; None if the kernel does not say."""
        self.broken: dict[int, str] = {}
        self.opens = True

    def gpiochip_open(self, chip: int) -> int:
        self.calls.append(("open", chip))
        if not self.opens:
            raise LgpioError("can not open gpiochip")
        return 7

    def gpio_claim_output(self, handle: int, gpio: int, level: int) -> None:
        assert handle == 7
        if gpio in self.busy:
            raise LgpioError("GPIO busy")
        if gpio in self.broken:
            raise LgpioError(self.broken[gpio])
        self.calls.append((gpio, level))

    def gpio_get_line_info(self, handle: int, gpio: int) -> list[object]:
        assert handle == 7
        user = self.busy[gpio]
        if user is None:
            raise LgpioError("bad GPIO number")
        return [0, gpio, 3, f"GPIO{gpio}", user]
