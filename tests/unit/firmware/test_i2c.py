from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from rackgrid_firmware.errors import DeviceClosed, DeviceForbidden, DeviceUnavailable
from rackgrid_firmware.i2c import REOPEN_AFTER, Bus, FaultCount, WordBus, open_smbus


class ScriptedPort:
    """A bus whose next accesses fail with these numbers (0: works), then all work."""

    def __init__(self, *script: int) -> None:
        self.script = list(script)
        self.registers: dict[tuple[int, int], int] = {}
        self.accesses = 0
        self.closed = 0
        self.close_error = 0

    def _access(self) -> None:
        self.accesses += 1
        code = self.script.pop(0) if self.script else 0
        if code:
            raise OSError(code, os.strerror(code))

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        self._access()
        return self.registers.get((i2c_addr, register), 0)

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        self._access()
        self.registers[i2c_addr, register] = value

    def close(self) -> None:
        self.closed += 1
        if self.close_error:
            raise OSError(self.close_error, os.strerror(self.close_error))


NACK, BROKEN, HANG = errno.EREMOTEIO, errno.EIO, errno.ETIMEDOUT


def bus_over(port: ScriptedPort) -> Bus:
    return Bus(1, lambda number: port)


def test_word_on_the_wire_is_swapped_both_ways() -> None:
    """Fails if the byte order is wrong: SMBus words are low byte first, the chip's high first."""
    port = ScriptedPort()
    bus = bus_over(port)
    bus.write_word(0x40, 0, 0x399F)
    assert port.registers == {(0x40, 0): 0x9F39}
    assert bus.read_word(0x40, 0) == 0x399F


def test_bus_is_opened_by_its_first_access_and_once() -> None:
    opened: list[int] = []
    port = ScriptedPort()

    def opener(number: int) -> WordBus:
        opened.append(number)
        return port

    bus = Bus(7, opener)
    assert opened == []
    bus.read_word(0x40, 1)
    bus.read_word(0x41, 1)
    assert opened == [7]


@pytest.mark.parametrize("code", [NACK, BROKEN, errno.ENXIO])
@pytest.mark.parametrize("times", [1, 2])
def test_access_that_is_not_acknowledged_is_tried_twice_again(code: int, times: int) -> None:
    port = ScriptedPort(*[code] * times)
    port.registers[0x40, 1] = 0x0100
    bus = bus_over(port)
    assert bus.read_word(0x40, 1) == 1
    assert port.accesses == times + 1
    assert bus.faults() == FaultCount(times, 0, 0, failures=0, opened=1)


def test_access_that_fails_three_times_is_given_up() -> None:
    port = ScriptedPort(NACK, NACK, NACK)
    bus = bus_over(port)
    with pytest.raises(DeviceUnavailable):
        bus.write_word(0x40, 0, 1)
    assert port.accesses == 3
    assert bus.faults() == FaultCount(3, 0, 0, failures=1, opened=1)


@pytest.mark.parametrize("first", [(), (NACK,)])
def test_access_on_a_hung_bus_is_never_tried_again(first: tuple[int, ...]) -> None:
    """Each try costs a second of the sampling thread."""
    port = ScriptedPort(*first, HANG, 0)
    bus = bus_over(port)
    with pytest.raises(DeviceUnavailable) as caught:
        bus.read_word(0x40, 1)
    assert caught.value.errno == HANG
    assert port.accesses == len(first) + 1
    assert bus.faults() == FaultCount(len(first), 1, 0, failures=1, opened=1)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (NACK, DeviceUnavailable, "no chip answers at 0x40 on I2C bus 1: .*i2cdetect -y 1"),
        (errno.ENXIO, DeviceUnavailable, "no chip answers at 0x40 on I2C bus 1"),
        (BROKEN, DeviceUnavailable, "transfers with 0x40 on I2C bus 1 break: check wiring"),
        (HANG, DeviceUnavailable, "I2C bus 1 hangs at 0x40: SDA or SCL is held low"),
        (errno.EBUSY, DeviceForbidden, "a kernel driver has 0x40 on I2C bus 1: remove"),
        (errno.EACCES, DeviceForbidden, "no permission to use 0x40 on I2C bus 1"),
        (errno.EOPNOTSUPP, DeviceUnavailable, "bus 1 cannot transfer words: use another"),
        (errno.ENODEV, DeviceUnavailable, "bus 1 went away while in use: is its adapter"),
        (errno.EPROTO, DeviceUnavailable, "no transfer with 0x40 on I2C bus 1: Protocol error"),
    ],
)
def test_access_that_fails_says_what_where_and_what_to_do(
    code: int, kind: type[OSError], words: str
) -> None:
    bus = bus_over(ScriptedPort(code, code, code))
    with pytest.raises(kind, match=words) as caught:
        bus.read_word(0x40, 1)
    assert caught.value.errno == code
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOENT, DeviceUnavailable, "/dev/i2c-1 does not exist; enable I2C with raspi-conf"),
        (errno.EACCES, DeviceForbidden, "to open /dev/i2c-1: add the user to the group i2c"),
        (errno.EMFILE, DeviceUnavailable, "cannot open /dev/i2c-1: Too many open files"),
    ],
)
def test_bus_that_cannot_be_opened_says_what_to_do_and_is_tried_again(
    code: int, kind: type[OSError], words: str
) -> None:
    def opener(number: int) -> WordBus:
        if failing:
            raise OSError(code, os.strerror(code))
        return ScriptedPort()

    failing = True
    bus = Bus(1, opener)
    for _ in range(2):
        with pytest.raises(kind, match=words):
            bus.read_word(0x40, 1)
    assert bus.faults() == FaultCount(0, 0, 0, failures=2, opened=0)
    failing = False
    assert bus.read_word(0x40, 1) == 0


def test_bus_that_fails_again_and_again_is_opened_anew() -> None:
    ports = [ScriptedPort(*[HANG] * REOPEN_AFTER), ScriptedPort()]
    bus = Bus(1, lambda number: ports[bus.faults().opened])
    for _ in range(REOPEN_AFTER):
        with pytest.raises(DeviceUnavailable):
            bus.read_word(0x40, 1)
    assert (ports[0].closed, bus.faults().opened) == (1, 1)
    bus.read_word(0x40, 1)
    assert bus.faults().opened == 2


def test_bus_on_which_one_chip_answers_stays_open_though_another_is_dead() -> None:
    port = ScriptedPort(*[HANG, 0] * REOPEN_AFTER)
    bus = bus_over(port)
    for _ in range(REOPEN_AFTER):
        with pytest.raises(DeviceUnavailable):
            bus.read_word(0x41, 1)
        bus.read_word(0x40, 1)
    assert port.closed == 0


def test_bus_whose_adapter_was_unplugged_is_opened_anew_at_once() -> None:
    port = ScriptedPort(errno.ENODEV)
    port.close_error = errno.EBADF
    bus = bus_over(port)
    with pytest.raises(DeviceUnavailable):
        bus.read_word(0x40, 1)
    bus.read_word(0x40, 1)
    assert bus.faults() == FaultCount(0, 0, 2, failures=1, opened=2)


def test_bus_used_after_its_close_is_our_bug() -> None:
    port = ScriptedPort()
    bus = bus_over(port)
    bus.read_word(0x40, 1)
    bus.close()
    bus.close()
    assert port.closed == 1
    with pytest.raises(DeviceClosed, match="bus 1"):
        bus.read_word(0x40, 1)


def test_bus_never_opened_closes_without_opening() -> None:
    def opener(number: int) -> WordBus:
        raise AssertionError("opened in order to be closed")

    Bus(1, opener).close()


class OverlapPort(ScriptedPort):
    """Notices when two threads are inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0
        self.overlaps = 0

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        self.inside += 1
        self.overlaps += self.inside > 1
        os.sched_yield()
        word = super().read_word_data(i2c_addr, register)
        self.inside -= 1
        return word


def test_bus_lets_one_thread_in_at_a_time() -> None:
    """smbus2 keeps the slave address in the object: a second thread would read the wrong chip."""
    port = OverlapPort()
    port.registers = {(address, 1): address << 8 for address in range(0x40, 0x44)}
    bus = bus_over(port)
    wrong: list[int] = []

    def read(address: int) -> None:
        wrong.extend(word for _ in range(300) if (word := bus.read_word(address, 1)) != address)

    threads = [threading.Thread(target=read, args=(address,)) for address in range(0x40, 0x44)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(interval)
    assert (wrong, port.overlaps, port.accesses) == ([], 0, 1200)


def test_open_smbus_of_a_missing_bus_is_told_as_such() -> None:
    """The real smbus2: this machine has no bus 250."""
    with pytest.raises(DeviceUnavailable, match="no I2C bus 250: /dev/i2c-250 does not exist"):
        Bus(250).read_word(0x40, 0)


def test_open_smbus_asks_smbus2_for_the_bus_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: Callable[[int], SimpleNamespace] = lambda number: SimpleNamespace(number=number)  # noqa: E731
    monkeypatch.setitem(sys.modules, "smbus2", SimpleNamespace(SMBus=made))
    assert open_smbus(3).number == 3  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("refusal", [0, errno.ENOTTY, errno.EINVAL])
def test_open_smbus_has_the_kernel_give_up_soon_on_a_bus_that_hangs(
    monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    """Requests and units as in the kernel's i2c-dev.h; an adapter that refuses is used as it is."""
    asked: list[tuple[int, int, int]] = []

    def ioctl(descriptor: int, request: int, value: int) -> int:
        asked.append((descriptor, request, value))
        if refusal:
            raise OSError(refusal, os.strerror(refusal))
        return 0

    port = SimpleNamespace(fd=7)

    def made(number: int) -> SimpleNamespace:
        assert number == 1
        return port

    monkeypatch.setitem(sys.modules, "smbus2", SimpleNamespace(SMBus=made))
    monkeypatch.setattr("fcntl.ioctl", ioctl)
    assert open_smbus(1) is port
    assert asked == [(7, 0x0702, 10), (7, 0x0701, 0)]
