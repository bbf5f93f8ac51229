"""The firmware under its own unit, on the kernel's own I2C bus and GPIO lines."""

from __future__ import annotations

import pytest
from tests.vpi.bench import wait_until
from tests.vpi.node import LAMP, PUMP, SERVER, SHUNT_OHMS, Node, levels, of

from rackgrid_firmware.device import Quality
from rackgrid_firmware.link import Attached, Refused, Switched, Telemetry

pytestmark = pytest.mark.vpi


@pytest.mark.parametrize("shunt_uv", [0, 10, 32_000, 150_000, -1_500, -32_000])
def test_reading_of_a_real_bus_is_what_flows(node: Node, shunt_uv: int) -> None:
    node.plant.meter(0x41, bus_mv=12_500, shunt_uv=shunt_uv)
    node.start()
    last = of(Telemetry, node.hand("until telemetry listen 1"))[-1]
    (reading,) = (each for each in last.readings if each.meter == "flexible")
    assert reading.quality is Quality.FRESH
    assert reading.amps == pytest.approx(shunt_uv / 1e6 / SHUNT_OHMS[0x41], abs=1e-9)
    assert reading.volts == pytest.approx(12.5)
    assert reading.energy_mj >= 0


def test_outputs_at_start_stand_at_their_safe_level_without_a_pulse(node: Node) -> None:
    node.plant.forget_edges()
    node.start()
    # From an input at its pull straight to an output at the safe level: one edge each, and the
    # levels of the flexible loads do not change at all.
    assert levels(node.plant.edges(SERVER)) == [(True, True)]
    assert levels(node.plant.edges(LAMP)) == [(True, False)]
    assert levels(node.plant.edges(PUMP)) == [(True, True)]
    assert node.on() == {"server": True, "lamp": False, "pump": False}


def test_gpiozero_s_own_pins_would_pulse_the_active_low_output_and_it_is_seen(node: Node) -> None:
    # What the firmware's pins are for, and the proof that such a pulse would be noted above.
    node.plant.forget_edges()
    node.pi.run(
        "cd /run && /opt/rackgrid/venv/bin/python -c '"
        "from gpiozero import OutputDevice; from gpiozero.pins.lgpio import LGPIOFactory;"
        f"OutputDevice({PUMP}, active_high=False, initial_value=False, pin_factory=LGPIOFactory())'"
    )
    low, high, *_ = node.plant.edges(PUMP)
    assert levels([low, high]) == [(True, False), (True, True)]


def test_output_switched_over_the_link_moves_its_line_and_the_meter_follows(node: Node) -> None:
    node.start()
    node.plant.forget_edges()
    heard = node.hand("hold lamp 10 until switched listen 1 release lamp until switched listen 1")
    assert levels(node.plant.edges(LAMP)) == [(True, True), (True, False)]
    assert [report.state.on for report in of(Switched, heard)] == [True, False]
    (up, down) = node.plant.edges(LAMP)
    lit = [
        reading
        for telemetry in of(Telemetry, heard)
        for reading in telemetry.readings
        if reading.meter == "flexible" and up.t_ns + 200_000_000 < reading.t_ns < down.t_ns
    ]
    assert lit
    assert all(reading.amps == pytest.approx(0.5) for reading in lit)
    last = of(Telemetry, heard)[-1]
    assert [reading.amps for reading in last.readings if reading.meter == "flexible"] == [0.0]
    assert not node.plant.edges(SERVER)
    assert not node.plant.edges(PUMP)


def test_active_low_output_is_on_at_a_low_level_and_off_at_its_deadline(node: Node) -> None:
    node.start()
    (attached,) = of(Attached, node.hand("until attached"))
    wait_s = max(0, *(state.may_switch_ns for state in attached.outputs)) / 1e9
    assert wait_s > 0
    node.plant.forget_edges()
    heard = node.hand("hold pump 19 until switched listen 1 hold pump 1 until switched")
    on, off = of(Switched, heard)
    low, high = node.plant.edges(PUMP)
    assert ((low.level, high.level), on.state.on, off.state.cause) == (
        (False, True),
        True,
        "deadline",
    )
    assert low.t_ns >= attached.outputs[2].may_switch_ns, "it was inside its min-off at start"
    assert high.t_ns >= off.state.since_ns


def test_line_that_another_program_has_is_reported_and_the_others_work(node: Node) -> None:
    node.pi.run(
        "systemd-run -q --collect --unit=other --setenv=LG_WD=/run /opt/rackgrid/venv/bin/python "
        f"-c 'import lgpio, signal; lgpio.gpio_claim_input(lgpio.gpiochip_open(0), {LAMP});"
        "signal.pause()'"
    )
    wait_until("another program has it", lambda: node.plant.lines()[LAMP].is_claimed)
    node.start()
    assert f"GPIO {LAMP} is in use" in node.journal()
    heard = node.hand("hold lamp 5 until refused hold pump 19 until switched")
    (refused,) = of(Refused, heard)
    assert (refused.output, refused.reason) == ("lamp", "unavailable")
    assert node.on() == {"server": True, "lamp": False, "pump": True}
    node.pi.run("systemctl stop other")


def test_chip_that_a_kernel_driver_has_is_named_and_comes_back_when_it_lets_go(node: Node) -> None:
    bus = "/sys/bus/i2c/devices/i2c-1"
    node.pi.run(f"echo ina219 0x41 >{bus}/new_device")
    node.start()
    node.leave_hand("listen 600")
    node.wait_for_readings("one is stale", server=Quality.FRESH, flexible=Quality.STALE)
    wait_until("it says why", lambda: "a kernel driver has 0x41" in node.journal())
    node.pi.run(f"echo 0x41 >{bus}/delete_device")
    node.wait_for_readings("both work", server=Quality.FRESH, flexible=Quality.FRESH)
