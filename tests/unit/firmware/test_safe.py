"""Fails if an output is left on, passes a wrong level, or a failure is not said."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from tests.unit.firmware.left_behind import PROFILE, leave_record, leave_table
from tests.unit.firmware.pretended_lgpio import RecordingLgpio

from rackgrid_firmware import safe
from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.guard_rules import Kept
from rackgrid_firmware.mock.client import PlantControl, RemotePins
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.process import PlantProcess
from rackgrid_firmware.mock.wiring import wiring
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.safe_pins import pins_of

SAFE = {17: False, 22: True, 27: True}
CLAIMS = [(gpio, int(level)) for gpio, level in SAFE.items()]


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch) -> RecordingLgpio:
    recorder = RecordingLgpio()
    monkeypatch.setitem(sys.modules, "lgpio", recorder)
    return recorder


def places(profile: Path) -> list[str]:
    """Say where to look, so that no firmware of this machine has a say."""
    return ["--table", str(profile.parent / "pins"), "--state", str(profile.parent / "state")]


def run(profile: Path) -> int:
    """Run the helper by what lies beside a profile."""
    return safe.main([str(profile), *places(profile)])


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "board.toml"
    path.write_text(PROFILE.format(driver="pi"))
    return path


@pytest.mark.parametrize("active_high", [True, False])
def test_main_brings_a_pin_that_modulates_to_its_off_level(
    lgpio: RecordingLgpio, profile: Path, active_high: bool
) -> None:
    """Whatever level a killed firmware's pulses ended at."""
    profile.write_text(
        '[board]\nname = "bench"\ndriver = "pi"\nbase_w = 4\n[[output]]\nname = "heater"\n'
        f"nominal_w = 10\npwm = 18\nactive_high = {str(active_high).lower()}\n"
    )
    assert run(profile) == 0
    assert lgpio.calls == [("open", 0), (18, int(not active_high))]


def test_main_requests_each_pin_once_with_its_safe_level(
    lgpio: RecordingLgpio, profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(profile) == 0
    assert lgpio.calls == [("open", 0), *CLAIMS]
    assert capsys.readouterr() == ("safe: 3 outputs of board bench\n", "")


@pytest.mark.parametrize(
    ("user", "holder"),
    [("spi0 CS0", '"spi0 CS0"'), ("", "another program"), (None, "another program")],
)
def test_main_busy_pin_is_named_with_its_holder_and_the_others_are_safe(
    lgpio: RecordingLgpio,
    profile: Path,
    capsys: pytest.CaptureFixture[str],
    user: str | None,
    holder: str,
) -> None:
    lgpio.busy[17] = user
    assert run(profile) == 1
    assert lgpio.calls[1:] == [(22, 1), (27, 1)]
    said = f"NOT SAFE: output fan (GPIO 17) is held by {holder}; {safe.WHO}\n"
    assert capsys.readouterr() == ("", said)


def test_main_while_the_firmware_runs_every_pin_is_named_and_the_advice_is_said_once(
    lgpio: RecordingLgpio, profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `strict_gpiod` or without: what another process has requested is not ours to drive."""
    lgpio.busy.update(dict.fromkeys(SAFE, "lg"))
    assert run(profile) == 1
    assert lgpio.calls == [("open", 0)]
    said = capsys.readouterr().err
    for name, gpio in (("fan", 17), ("pump", 22), ("switch", 27)):
        assert f'output {name} (GPIO {gpio}) is held by "lg"' in said
    assert said.count(safe.WHO) == 1
    for step in ("systemctl stop rackgrid-firmware", "gpioinfo", "fuser -v", "config.txt"):
        assert step in said
    assert said.count("\n") == 1


def test_main_pin_that_fails_otherwise_is_not_said_to_be_held(
    lgpio: RecordingLgpio, profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lgpio.broken[27] = "bad GPIO number"
    assert run(profile) == 1
    assert capsys.readouterr().err == "NOT SAFE: output switch (GPIO 27): bad GPIO number\n"


@pytest.mark.parametrize(
    ("is_there", "is_ours", "says"),
    [
        (False, False, "/dev/gpiochip0 is not there: is this a Raspberry Pi?"),
        (True, False, "/dev/gpiochip0: no permission: use sudo"),
        (True, True, "/dev/gpiochip0 cannot be opened: can not open gpiochip; `gpiodetect`"),
    ],
)
def test_main_gpiochip_that_does_not_open_is_said_with_the_next_step(
    lgpio: RecordingLgpio,
    profile: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_there: bool,
    is_ours: bool,
    says: str,
) -> None:
    def exists(_: str) -> bool:
        return is_there

    def access(_: str, mode: int) -> bool:
        return is_ours

    monkeypatch.setattr("rackgrid_firmware.safe.os.path.exists", exists)
    monkeypatch.setattr("rackgrid_firmware.safe.os.access", access)
    lgpio.opens = False
    assert run(profile) == 1
    assert says in capsys.readouterr().err


def test_main_without_lgpio_says_what_to_install(
    profile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    assert run(profile) == 1
    assert "apt install python3-lgpio" in capsys.readouterr().err


def test_main_wrong_profile_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "board.toml").write_text("[board]\n")
    assert run(tmp_path / "board.toml") == 1
    said = capsys.readouterr().err
    assert said.startswith("NOT SAFE: ")
    assert said.count("\n") == 1


def test_main_mock_board_without_a_plant_is_said(
    profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile.write_text(PROFILE.format(driver="mock"))
    assert run(profile) == 1
    assert "--plant SOCKET" in capsys.readouterr().err


def test_main_mock_board_is_made_safe_in_the_plant(profile: Path, tmp_path: Path) -> None:
    profile.write_text(PROFILE.format(driver="mock"))
    path = str(tmp_path / "plant")
    process = PlantProcess(Plant(), path)
    thread = threading.Thread(target=process.run)
    thread.start()
    pins = RemotePins(path, wiring("n1", load_profile(profile)))
    pins.drive(17, True)
    control = PlantControl(path)
    words = [str(profile), *places(profile), "--plant", path, "--node", "n1"]
    assert safe.main(words) == 0
    assert control.levels("n1") == SAFE
    leave_record(profile, switch=Kept(is_locked=True))
    assert safe.main(words) == 0
    assert control.levels("n1") == SAFE | {27: False}
    pins.close()
    control.close()
    process.stop()
    thread.join(5)
    process.close()


@pytest.mark.parametrize(
    ("revision", "has_fourth", "chip"),
    [(0xA03111, True, 0), (0xC04170, True, 4), (0xC04170, False, 0), (None, True, 0)],
)
def test_gpiochip_is_the_headers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    revision: int | None,
    has_fourth: bool,
    chip: int,
) -> None:
    def exists(_: object) -> bool:
        return has_fourth

    file = tmp_path / "revision"
    if revision is not None:
        file.write_bytes(revision.to_bytes(4, "big"))
    monkeypatch.setattr(safe, "_REVISION", str(file))
    monkeypatch.setattr("rackgrid_firmware.safe.os.path.exists", exists)
    assert safe.gpiochip() == chip


def test_make_safe_goes_on_after_a_failure(profile: Path) -> None:
    driven: dict[int, bool] = {}

    def drive(gpio: int, level: bool) -> None:
        if gpio == 22:
            raise DeviceUnavailable("gone")
        driven[gpio] = level

    assert safe.make_safe(pins_of(load_profile(profile)), drive) == ["output pump (GPIO 22): gone"]
    assert driven == {17: False, 27: True}


# --- what the last firmware left ------------------------------------------------------------------


def test_main_unchanged_profile_is_not_even_parsed(
    lgpio: RecordingLgpio, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_table(profile)

    def parse(_: str) -> None:
        raise AssertionError("it read TOML")

    monkeypatch.setattr("rackgrid_firmware.safe_pins.load", parse)
    assert run(profile) == 0
    assert lgpio.calls == [("open", 0), *CLAIMS]


def test_main_who_may_not_read_of_lockouts_drives_no_required_output_and_is_told(
    lgpio: RecordingLgpio,
    profile: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def access(path: str, mode: int) -> bool:
        return not path.endswith("/state")

    (profile.parent / "state").mkdir()
    monkeypatch.setattr("rackgrid_firmware.safe_pins.os.access", access)
    assert run(profile) == 1
    assert lgpio.calls == [("open", 0), (17, 0), (22, 1)]
    said = capsys.readouterr().err
    assert said.startswith("NOT SAFE: output switch: a lockout would be in ")
    assert "use sudo" in said


def test_main_mock_board_that_only_the_table_knows_is_not_driven_as_a_real_one(
    lgpio: RecordingLgpio, profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_table(profile, driver="mock")
    profile.unlink()
    assert run(profile) == 1
    assert lgpio.calls == []
    assert "--plant SOCKET" in capsys.readouterr().err


def test_main_empty_shell_of_lgpio_is_named(
    profile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", ModuleType("lgpio"))
    assert run(profile) == 1
    assert "lgpio is an empty shell" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--nod"], ["a.toml", "b.toml"], ["--table"], ["--plant="], ["-x"]]
)
def test_main_wrong_words_are_a_usage_error(
    lgpio: RecordingLgpio, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert safe.main(words) == 2
    assert lgpio.calls == []
    assert capsys.readouterr().err.startswith("usage: rackgrid relays safe")


def test_main_help_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert safe.main(["--help"]) == 0
    assert capsys.readouterr().out == safe.USAGE


def test_helper_imports_nothing_heavy_while_the_profile_is_unchanged(
    profile: Path, tmp_path: Path
) -> None:
    """Each of these costs milliseconds during which a load stays on."""
    leave_table(profile)
    (tmp_path / "lgpio.py").write_text(
        "class error(Exception): pass\n"
        "def gpiochip_open(chip): return 1\n"
        "def gpio_claim_output(handle, gpio, level): return 0\n"
    )
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); before = set(sys.modules); "
        "from rackgrid_firmware.safe import main; "
        f"assert main({[str(profile), *places(profile)]!r}) == 0; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[1].split()) - {"__future__", "encodings"}
    assert loaded == {"lgpio", "rackgrid_firmware", "zlib"}
