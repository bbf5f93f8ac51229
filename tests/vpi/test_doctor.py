"""What `rackgrid doctor` and `rackgrid relays safe` say and do on a machine with real devices."""

from __future__ import annotations

import json

import pytest
from tests.vpi.bench import wait_until
from tests.vpi.node import FIRMWARE, LAMP, PUMP, SERVER, Node, levels

pytestmark = pytest.mark.vpi

RACKGRID = "/opt/rackgrid/venv/bin/rackgrid"


def doctor(node: Node) -> dict[str, list[tuple[str, str]]]:
    """Let the doctor look at the Pi, as root: (grade, cause) of each finding, by code."""
    said = node.pi.run(f"{RACKGRID} doctor --json || [ $? -le 1 ]")
    found: dict[str, list[tuple[str, str]]] = {}
    for each in json.loads(said)["checks"]:
        found.setdefault(each["code"], []).append((each["grade"], each["cause"]))
    return found


def grades(found: dict[str, list[tuple[str, str]]], *codes: str) -> dict[str, set[str]]:
    return {code: {grade for grade, _ in found[code]} for code in codes}


def test_doctor_finds_a_pi_as_it_was_set_up_in_order(node: Node) -> None:
    node.start()
    found = doctor(node)
    codes = (
        *("config-sound", "profile-owner", "pi-model", "os-release", "python-version", "lgpio"),
        *("gpiochip", "gpio-access", "i2c-device", "i2c-kernel-driver", "service-watchdog"),
        *("fail-safe-helper", "profile-in-force", "lgpio-directory", "stagger", "i2c-load"),
    )
    assert grades(found, *codes) == {code: {"PASS"} for code in codes}, found
    assert ("WARN", f"{FIRMWARE} does not start at boot") in found["firmware-unit"]
    assert grades(found, "gpio-boot-state") == {"gpio-boot-state": {"WARN"}}
    assert "pump" in found["gpio-boot-state"][0][1], "its board switches on at a low pin"


def test_doctor_reads_the_chips_itself_while_no_firmware_does(node: Node) -> None:
    found = doctor(node)
    assert found["meter-answers"] == [
        ("PASS", "meter server answers"),
        ("PASS", "meter flexible answers"),
    ]
    assert found["meter-plausible"] == [
        ("PASS", "meter server sees 12.00 V"),
        ("PASS", "meter flexible sees 12.00 V"),
    ]
    node.plant.meter(0x41, present=0)
    first, (grade, why) = doctor(node)["meter-answers"]
    assert first == ("PASS", "meter server answers")
    assert grade == "FAIL"
    assert "0x41" in why


def test_doctor_leaves_the_bus_to_a_firmware_that_runs(node: Node) -> None:
    node.start()
    ((grade, why),) = doctor(node)["meter-answers"]
    assert grade == "SKIP"
    assert "the firmware has the bus" in why


def test_doctor_names_who_holds_a_pin_while_no_firmware_does(node: Node) -> None:
    """By the kernel's own word: the structure of its answer is only laid out by hand elsewhere."""
    assert grades(doctor(node), "gpio-held") == {"gpio-held": {"PASS"}}
    node.pi.run(
        "systemd-run -q --collect --unit=other --setenv=LG_WD=/run /opt/rackgrid/venv/bin/python "
        f"-c 'import lgpio, signal; lgpio.gpio_claim_input(lgpio.gpiochip_open(0), {LAMP});"
        "signal.pause()'"
    )
    wait_until("another program has it", lambda: node.plant.lines()[LAMP].is_claimed)
    held = doctor(node)["gpio-held"]
    node.pi.run("systemctl stop other")
    assert held == [("FAIL", f"output lamp (GPIO {LAMP}) is held by lg")]
    node.start()
    ((grade, why),) = doctor(node)["gpio-held"]
    assert (grade, why) == ("SKIP", "the firmware runs, and holds them")


def test_doctor_sees_a_profile_that_is_not_in_force(node: Node) -> None:
    node.start()
    node.pi.run("sed -i 's/^min_off_s = .*/min_off_s = 5.0/' /etc/rackgrid/board.toml")
    ((grade, why),) = doctor(node)["profile-in-force"]
    assert (grade, "since the firmware started" in why) == ("WARN", True)


def test_doctor_sees_a_profile_that_others_may_write(node: Node) -> None:
    node.pi.run("chmod 666 /etc/rackgrid/board.toml")
    try:
        ((grade, why),) = doctor(node)["profile-owner"]
    finally:
        node.pi.run("chmod 644 /etc/rackgrid/board.toml")
    assert grade == "FAIL"
    assert "written by others" in why


def test_helper_opens_what_a_killed_firmware_left_on_though_its_profile_is_damaged(
    node: Node,
) -> None:
    """The rung below ExecStopPost's usual case: the table in memory is all that there is."""
    node.start()
    node.hand("hold pump 18 until switched hold pump 15 hold lamp 15 until switched")
    assert node.on() == {"server": True, "lamp": True, "pump": True}
    node.plant.forget_edges()
    node.pi.run(
        "head -c 200 /etc/rackgrid/board.toml >/tmp/cut && cp /tmp/cut /etc/rackgrid/board.toml;"
        f"systemctl kill -s KILL {FIRMWARE}"
    )
    wait_until("the helper is through", lambda: "as the last firmware knew it" in node.journal())
    assert node.on() == {"server": True, "lamp": False, "pump": False}
    assert levels(node.plant.edges(LAMP))[-1] == (True, False)
    assert levels(node.plant.edges(PUMP))[-1] == (True, True)
    assert not [edge for edge in node.plant.edges(SERVER) if not edge.level], "it never blinked"


def test_relays_safe_by_hand_says_what_is_in_its_way(node: Node) -> None:
    node.start()
    said = node.pi.run(f"{RACKGRID} relays safe 2>&1; echo $?")
    assert said.startswith("NOT SAFE: output server (GPIO 17) is held by ")
    assert "systemctl stop rackgrid-firmware" in said
    assert said.rstrip().endswith("1")
    node.pi.run(f"systemctl stop {FIRMWARE}")
    said = node.pi.run(f"cd /proc && {RACKGRID} relays safe")
    assert said == "safe: 3 outputs of board vpi\n"
    assert node.on() == {"server": True, "lamp": False, "pump": False}
