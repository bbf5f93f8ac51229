"""What a machine may lack: one clear line that says what to do next, and up where it can be."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.rack.rig import QUICK, Rig, RigNode, State, wait_until

pytestmark = pytest.mark.root


def said(node: RigNode, process: str = "controller") -> list[str]:
    """What a process of the node has said so far, without the time."""
    path = node.folder / f"{process}.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split(" ", 1)[1] if line[2:3] == ":" else line for line in lines]


def says_once(node: RigNode, text: str, process: str = "controller") -> None:
    """Wait until it says this, and hold it to one line."""
    wait_until(
        f"{process} says {text!r}", lambda: any(text in line for line in said(node, process))
    )
    found = [line for line in said(node, process) if text in line]
    assert len(found) == 1, found
    assert not [line for line in said(node, process) if "Traceback" in line]


def health(node: RigNode) -> tuple[int, str]:
    answer = node.ask("/healthz")
    return answer.get("status", 200), str(answer)


def unhealthy(node: RigNode, word: str) -> bool:
    """Whether it says that it does not do its work, and this word; at first it may lack more."""
    code, reason = health(node)
    return code == 503 and word in reason


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, (old, text)
    path.write_text(text.replace(old, new))


def refused(node: RigNode) -> subprocess.CompletedProcess[str]:
    """Run the controller to its end: it does not start."""
    done = node.rackgrid("run", "--attach", "--config", str(node.config))
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done


def test_interface_missing_is_said_once_and_the_node_joins_when_it_comes() -> None:
    with Rig(2) as rig:
        absent, other = rig.nodes
        absent.host.ip("link", "set", "eth0", "name", "eth9")
        rig.start()
        says_once(absent, "no interface eth0")
        wait_until("healthz says it too", lambda: unhealthy(absent, "no interface eth0"))
        wait_until("its firmware is attached all the same", lambda: absent.state()["firmware"])
        absent.host.ip("link", "set", "eth9", "down")
        absent.host.ip("link", "set", "eth9", "name", "eth0")
        absent.host.ip("link", "set", "eth0", "up")
        rig.wait_for_broker()
        says_once(absent, "no interface eth0")
        wait_until("both are healthy", lambda: [health(n)[0] for n in rig.nodes] == [200, 200])
        assert other.running


def test_group_port_held_by_another_program_is_said_once_and_taken_when_it_is_free() -> None:
    with Rig(1) as rig:
        (node,) = rig.nodes
        with node.host.entered():
            holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        holder.bind(("224.0.0.224", 8437))  # alone: it does not share, as other programs do not
        with holder:
            rig.start()
            says_once(node, "8437")
            wait_until("healthz says it too", lambda: unhealthy(node, "8437"))
        rig.wait_for_broker()


def test_api_port_held_by_another_program_is_said_and_the_node_goes_on_without() -> None:
    with Rig(2) as rig:
        blind, seeing = rig.nodes
        with blind.host.entered():
            holder = socket.create_server(("127.0.0.1", 8470))
        with holder:
            blind.start_firmware()
            wait_until("its firmware", (blind.folder / "run/firmware.sock").is_socket)
            blind.start()
            says_once(blind, "the port is in use")
            rig.start(2)

            def is_member() -> bool:
                members = seeing.state().get("members", [])
                return {m["role"] for m in members} == {"member", "broker"}

            wait_until("both are in the rack", is_member)
            assert blind.running


def test_board_of_a_pi_on_a_machine_without_bus_and_pins_is_said_and_nothing_is_on() -> None:
    if Path("/dev/i2c-1").exists():
        pytest.skip("needs a machine without an I2C bus 1")
    with Rig(1, driver="pi") as rig:
        (node,) = rig.nodes
        board = node.folder / "board.toml"
        real = [x for x in board.read_text().splitlines() if not x.startswith("mock = ")]
        board.write_text("\n".join(real))
        rig.start()
        rig.wait_for_broker()
        wait_until(
            "no meter answers",
            lambda: {meter["quality"] for meter in node.state().get("meters", [])} == {"stale"},
        )
        bus = [x for x in said(node, "firmware") if "/dev/i2c-1 does not exist; enable I2C" in x]
        assert len(bus) == 1, "for the one meter"
        # Which of the two depends on whether the extra with the pins' library is installed.
        why = ("this is no Raspberry Pi", "lgpio is missing")
        pins = [x for x in said(node, "firmware") if any(words in x for words in why)]
        assert len(pins) == 3, "one for each output"
        assert not [load["name"] for load in node.state()["loads"] if load["on"]]
        for process in ("firmware", "controller"):
            assert not [line for line in said(node, process) if "Traceback" in line]


def test_firmware_absent_is_told_by_healthz_and_found_when_it_comes() -> None:
    with Rig(1) as rig:
        (node,) = rig.nodes
        node.start()
        wait_until("its API", node.state)
        says_once(node, "start rackgrid-firmware.service")
        assert unhealthy(node, "firmware")
        assert not node.state()["firmware"]
        assert {load["reason"] for load in node.state()["loads"]} == {
            "the firmware does not answer"
        }
        node.start_firmware()
        rig.wait_for_broker()
        rig.wait_for_loads()
        wait_until("it is healthy", lambda: health(node)[0] == 200)


def test_key_file_that_is_missing_open_or_no_key_is_refused_in_a_line() -> None:
    with Rig(1) as rig:
        (node,) = rig.nodes
        key = rig.key_file.read_bytes()
        rig.key_file.chmod(0o644)
        done = refused(node)
        assert done.returncode == 78
        assert f"chmod 600 {rig.key_file}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        rig.key_file.write_bytes(key[:10])
        rig.key_file.chmod(0o600)
        done = refused(node)
        assert done.returncode == 78
        assert len(done.stderr.splitlines()) == 1
        rig.key_file.unlink()
        done = refused(node)
        assert done.returncode == 78
        assert str(rig.key_file) in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_key_of_another_rack_keeps_the_node_apart() -> None:
    with Rig(2, rack={**QUICK, "expect": 1}) as rig:
        stranger, node = rig.nodes
        other = rig.folder / "other.key"
        shutil.copy(rig.key_file, other)
        other.unlink()
        assert node.rackgrid("key", "new", str(other)).returncode == 0
        change(stranger.config, str(rig.key_file), str(other))
        rig.start()

        def is_alone(state: State) -> bool:
            return state.get("role") == "broker" and state["rejected"].get("bad_mac", 0) > 3

        wait_until(
            "each is alone and counts the other",
            lambda: all(is_alone(n.state()) for n in rig.nodes),
        )
        assert [len(n.state()["members"]) for n in rig.nodes] == [1, 1]


def test_second_daemon_on_one_state_folder_is_refused_and_the_first_goes_on() -> None:
    with Rig(1) as rig:
        (node,) = rig.nodes
        rig.start()
        rig.wait_for_broker()
        rig.wait_for_loads()
        before_ns = time.monotonic_ns()
        done = refused(node)
        assert done.returncode == 1
        assert str(node.folder / "state") in done.stderr
        assert len(done.stderr.splitlines()) == 1
        rig.wait_for_broker()
        assert rig.edges(before_ns, rig.nodes) == []


def test_config_with_three_mistakes_is_refused_with_all_three() -> None:
    with Rig(1) as rig:
        (node,) = rig.nodes
        change(node.config, "priority = 1", "priority = -1")
        change(node.config, 'kind = "required"', 'kind = "requird"')
        change(node.config, "worth = 0.50", "worth = 0.50\nnominal_w = 3.0")
        done = refused(node)
        assert done.returncode == 78
        lines = done.stderr.splitlines()
        assert len(lines) == 3
        assert all(line.startswith(f"{node.config}:") for line in lines)
        assert "did you mean" in done.stderr


def test_trace_that_cannot_be_written_is_refused_in_a_line() -> None:
    with Rig(1) as rig:
        (node,) = rig.nodes
        change(node.config, f'trace = "{rig.trace}"', f'trace = "{rig.folder}/no/such/trace"')
        done = refused(node)
        assert done.returncode == 78
        assert "[mock] trace: cannot write" in done.stderr
