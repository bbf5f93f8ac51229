"""What happens to the readings when chips and bus fail, and to the outputs meanwhile: nothing."""

from __future__ import annotations

from errno import EIO, EREMOTEIO, ETIMEDOUT

import pytest
from tests.vpi.bench import wait_until
from tests.vpi.node import FIRMWARE, LAMP, Node, levels, of, output, reading

from rackgrid_firmware.device import Quality
from rackgrid_firmware.link import Telemetry

pytestmark = pytest.mark.vpi

SHUNT_UV = 20_000
AMPS = 1.0
"""That many microvolts at the shunt of the meter "flexible"."""


@pytest.fixture
def metering(node: Node) -> Node:
    """A firmware that meters one ampere at 0x41, and a hand that listens to it."""
    node.plant.meter(0x41, shunt_uv=SHUNT_UV)
    node.start()
    node.leave_hand("listen 600")
    node.wait_for_readings("both meters work", server=Quality.FRESH, flexible=Quality.FRESH)
    return node


def configuration(chip: dict[str, str]) -> str:
    """The configuration register of a chip."""
    return chip["registers"].split(",")[0]


def wait_for_samples(node: Node, count: int) -> None:
    """Wait until the chip at 0x41 has been read so many times more: four messages each."""
    end = int(node.plant.chip(0x41)["messages"]) + 4 * count
    wait_until(f"{count} samples", lambda: int(node.plant.chip(0x41)["messages"]) >= end)


def test_chip_that_is_unplugged_goes_stale_alone_and_comes_back_configured(metering: Node) -> None:
    word = configuration(metering.plant.chip(0x41))
    without_power = metering.plant.meter(0x41, present=0)
    assert configuration(without_power) != word
    metering.wait_for_readings("one is stale", server=Quality.FRESH, flexible=Quality.STALE)
    metering.plant.meter(0x41, present=1)
    back = metering.wait_for_readings("both work", server=Quality.FRESH, flexible=Quality.FRESH)
    assert reading(back, "flexible").amps == pytest.approx(AMPS)
    assert configuration(metering.plant.chip(0x41)) == word
    journal = metering.journal()
    assert "meter-failing meter=flexible" in journal
    assert "meter-works meter=flexible" in journal
    assert "meter-failing meter=server" not in journal


def test_bus_that_hangs_for_a_second_per_transfer_delays_no_deadline_and_no_ping(
    node: Node,
) -> None:
    node.start()
    pid = node.pid()
    for address in (0x40, 0x41):
        node.plant.meter(address, fault=ETIMEDOUT, delay_us=1_000_000)
    node.plant.forget_edges()
    node.leave_hand("hold lamp 6 listen 600")
    wait_until("the lamp was on and off", lambda: len(node.plant.edges(LAMP)) == 2)
    on, off = node.plant.edges(LAMP)
    assert levels([on, off]) == [(True, True), (True, False)]
    held = {
        output(telemetry.outputs, "lamp").deadline_ns
        for telemetry in of(Telemetry, node.left_hand_was_told())
    } - {0}
    assert max(held) <= off.t_ns
    node.wait_for_readings("both are stale", server=Quality.STALE, flexible=Quality.STALE)
    for address in (0x40, 0x41):
        node.plant.meter(address, fault=0, delay_us=0)
    node.wait_for_readings("both work again", server=Quality.FRESH, flexible=Quality.FRESH)
    assert node.pid() == pid, "no watchdog has bitten"
    assert node.show(FIRMWARE, "NRestarts") == "0"


def test_firmware_on_a_bus_that_hangs_from_the_start_has_its_outputs_and_ends_in_order(
    node: Node,
) -> None:
    for address in (0x40, 0x41):
        node.plant.meter(address, fault=ETIMEDOUT, delay_us=1_000_000)
    node.start()
    node.hand("hold lamp 19 until switched")
    assert node.on() == {"server": True, "lamp": True, "pump": False}
    node.pi.run(f"systemctl stop {FIRMWARE}")
    assert node.on() == {"server": True, "lamp": False, "pump": False}
    assert node.show(FIRMWARE, "Result") == "success"
    assert node.show(FIRMWARE, "NRestarts") == "0"


@pytest.mark.parametrize("errno", [EIO, ETIMEDOUT, EREMOTEIO])
def test_transfers_that_fail_once_or_twice_cost_no_reading(metering: Node, errno: int) -> None:
    for _ in range(3):
        metering.plant.meter(0x41, fault=errno, count=1 if errno == ETIMEDOUT else 2)
        wait_for_samples(metering, 5)
    heard = [reading(each, "flexible") for each in of(Telemetry, metering.left_hand_was_told())]
    first = next(at for at, each in enumerate(heard) if each.quality is Quality.FRESH)
    assert len(heard) > first + 3
    for each in heard[first:]:
        assert (each.quality, each.amps) == (Quality.FRESH, pytest.approx(AMPS))
    # A hang is not tried again in the same breath, so it is a failed sample; the others are none.
    assert ("meter-failing" in metering.journal()) == (errno == ETIMEDOUT)


def test_clock_that_is_stretched_for_20_ms_a_message_is_borne(metering: Node) -> None:
    metering.plant.meter(0x41, delay_us=20_000)
    wait_for_samples(metering, 10)
    slow = metering.wait_for_readings("both work", server=Quality.FRESH, flexible=Quality.FRESH)
    assert reading(slow, "flexible").amps == pytest.approx(AMPS)
    assert "meter-failing" not in metering.journal()


def test_chip_reset_by_a_brown_out_never_reads_zero_and_is_configured_again(
    metering: Node,
) -> None:
    word = configuration(metering.plant.chip(0x41))
    assert configuration(metering.plant.meter(0x41, reset=1)) != word
    wait_until("it is configured again", lambda: configuration(metering.plant.chip(0x41)) == word)
    wait_for_samples(metering, 5)
    heard = of(Telemetry, metering.left_hand_was_told())
    amps = [reading(each, "flexible").amps for each in heard]
    since = next(at for at, each in enumerate(amps) if each)
    # The very conversion that was cut short may be read as zero by no one: the chip says that it
    # has not converted.
    assert all(each == pytest.approx(AMPS) for each in amps[since:])
