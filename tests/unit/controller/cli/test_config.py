import json
import re
from pathlib import Path

import pytest

from rackgrid.cli import main
from rackgrid.cli.config import shown_whole
from rackgrid.cli.exit import Exit
from rackgrid.config_file import load_config

PROFILES = Path(__file__).parents[4] / "hardware" / "profiles"
FULL = f"""\
[rack]
name = "demo"
interface = "lo"
expect = 3
heartbeat_s = 0.05
[feed]
capacity_w = 60
[node]
name = "pi-1"
board = "{PROFILES / "mock-demo.toml"}"
[[source]]
name = "sun"
price = -1e-5
meter = "panel"
[[load]]
name = "server"
kind = "required"
[[load]]
name = "fan"
worth = 0.4
[mqtt]
host = "mqtt.lan"
username = "rack"
password_file = "pw"
tls_ca_file = "ca.pem"
[mock]
trace = "truth.jsonl"
"""


def write(folder: Path, text: str = FULL) -> Path:
    path = folder / "rackgrid.toml"
    path.write_text(text)
    return path


def test_check_of_a_good_file_has_notes_as_data_and_a_word_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path)
    assert main(["config", "check", str(path)]) == Exit.OK
    out, err = capsys.readouterr()
    assert err == f"{path}: good\n"
    assert out == (
        f'{path}:8: [node]: no [[load]] uses the output "heater", so it is never switched on '
        "(note)\n"
    )


def test_check_of_a_bad_file_names_all_and_ends_with_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, FULL.replace("worth", "worht").replace("60", '"60W"'))
    assert main(["config", "check", str(path)]) == Exit.BAD_CONFIG
    out, err = capsys.readouterr()
    assert [line.split(" ")[0] for line in out.splitlines()[:2]] == [f"{path}:7:", f"{path}:20:"]
    assert "did you mean 'worth'?" in out
    assert err == f"{path}: 2 to put right\n"


def test_check_as_json_has_place_and_problem_of_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, FULL.replace("capacity_w", "capacty_w"))
    assert main(["config", "check", str(path), "--json"]) == Exit.BAD_CONFIG
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert err == ""
    assert (answer["file"], answer["ok"]) == (str(path), False)
    assert answer["findings"] == [
        {
            "file": str(path),
            "line": 7,
            "place": "[feed] capacty_w",
            "problem": "unknown key; did you mean 'capacity_w'?",
        }
    ]
    assert len(answer["notes"]) == 1


def test_check_of_a_file_that_is_not_there_is_bad_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.toml"
    assert main(["config", "check", str(path), "--json"]) == Exit.BAD_CONFIG
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["line"] is None
    assert "No such file" in finding["problem"]


def test_check_of_a_board_profile_checks_it_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "check", str(PROFILES / "pi-relay4.toml")]) == Exit.OK
    path = write(tmp_path, '[board]\nname = "b"\ndriver = "pi"\nbas_w = 3\n')
    assert main(["config", "check", str(path)]) == Exit.BAD_CONFIG
    assert f"{path}:4: [board] bas_w: unknown key" in capsys.readouterr().out


def test_show_writes_what_reads_back_as_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path)
    assert main(["config", "show", str(path)]) == Exit.OK
    shown = tmp_path / "shown.toml"
    shown.write_text(capsys.readouterr().out)
    before, after = load_config(path), load_config(shown)
    for part in ("rack", "feed", "sources", "node", "loads", "mqtt", "web", "mock"):
        assert getattr(after, part) == getattr(before, part)


@pytest.mark.parametrize(
    "way",
    [
        'unit = "burn.service"\nsafe = "freeze"',
        'http = "tasmota://a.lan:81/2"',
        'mqtt = "generic://boiler/set"\nstate_topic = "boiler"\nstate_path = "s"\n'
        """on_payload = '{"s": "ON", "for": {seconds}}'""",
    ],
)
def test_show_writes_a_plug_that_reads_back_as_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    path = write(tmp_path)
    plug = f'\n[[load]]\nname = "boiler"\nworth = 0.1\nnominal_w = 9\nmin_on_s = 60\n{way}\n'
    path.write_text(path.read_text().replace("[rack]", "[rack]\ngrant_s = 6", 1) + plug)
    assert main(["config", "show", str(path)]) == Exit.OK
    shown = tmp_path / "shown.toml"
    shown.write_text(capsys.readouterr().out)
    assert load_config(shown).loads == load_config(path).loads


def test_show_marks_what_the_file_leaves_to_us(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["config", "show", str(write(tmp_path))])
    lines = capsys.readouterr().out.splitlines()
    port = next(line for line in lines if line.startswith("port = 8437"))
    heartbeat = next(line for line in lines if line.startswith("heartbeat_s"))
    assert port.endswith("(default)")
    assert heartbeat == "heartbeat_s = 0.05  # between the broker's heartbeats"


def test_show_never_opens_a_file_of_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pw").write_text("hunter2")
    main(["config", "show", str(write(tmp_path))])
    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert re.search(r'^password_file = ".*/pw"', out, re.MULTILINE)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1e-05"), (True, "true"), (Path("/a b"), '"/a b"'), ('a"b', '"a\\"b"'), (3, "3")],
)
def test_shown_whole_is_toml(value: object, text: str) -> None:
    assert shown_whole(value) == text


def test_check_of_a_board_by_itself_notes_meters_that_were_never_calibrated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = PROFILES / "pi-relay4.toml"
    assert main(["config", "check", str(path)]) == Exit.OK
    notes = capsys.readouterr().out.splitlines()
    assert len(notes) == 2
    assert all("rackgrid meter calibrate" in note for note in notes)
