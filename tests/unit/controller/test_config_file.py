import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rackgrid.config_file import load_config, read_config
from rackgrid.errors import ConfigError

PROFILES = Path(__file__).parents[3] / "hardware" / "profiles"
SMALL = (
    '[rack]\nname = "demo"\ninterface = "lo"\n[feed]\ncapacity_w = 60\n'
    '[node]\nname = "pi-1"\nboard = "{board}"\n'
)


@contextmanager
def as_nobody() -> Generator[None]:
    """Give up root's right to read everything, if this is root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def write(folder: Path, text: str, board: str = "mock-demo.toml") -> Path:
    path = folder / "rackgrid.toml"
    path.write_text(text.format(board=board))
    return path


@pytest.mark.parametrize("name", ["mock-demo.toml", "pi-relay4.toml"])
def test_shipped_profile_with_a_small_config_is_good(tmp_path: Path, name: str) -> None:
    outcome = read_config(write(tmp_path, SMALL, str(PROFILES / name)))
    assert outcome.findings == ()
    assert outcome.config is not None
    assert outcome.profile is not None
    assert outcome.profile.name == name.removesuffix(".toml")


def test_shipped_example_fits_the_profile_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text((PROFILES / "pi-relay4.toml").read_text())
    example = tmp_path / "rackgrid.toml"
    example.write_text((PROFILES.parents[1] / "systemd" / "rackgrid.toml").read_text())
    outcome = read_config(example)
    assert outcome.findings == ()
    assert all("not calibrated" in note.problem for note in outcome.notes)


def test_findings_of_the_profile_come_with_those_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text('[board]\nname = "b"\ndriver = "pi"\nbase = 4\n')
    path = write(tmp_path, SMALL.replace("interface", "interfac"), "b.toml")
    outcome = read_config(path)
    assert outcome.config is None
    assert [str(each).removeprefix(f"{tmp_path}/") for each in outcome.findings] == [
        "rackgrid.toml:3: [rack] interfac: unknown key; did you mean 'interface'?",
        "b.toml:4: [board] base: unknown key; did you mean 'base_w'?",
    ]


def test_profile_that_is_not_there_is_a_finding_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text("")
    outcome = read_config(write(tmp_path, SMALL, "baord.toml"))
    (finding,) = outcome.findings
    assert finding.line == 8
    assert finding.problem == (
        'the board profile cannot be read: No such file or directory (got "baord.toml"); '
        "allowed: the path of a TOML file, from this file's folder; did you mean 'board.toml'?"
    )


def test_profile_in_a_folder_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    outcome = read_config(write(tmp_path, SMALL, "none/board.toml"))
    assert [finding.line for finding in outcome.findings] == [8]


def test_profile_that_this_user_may_not_read_is_left_out_and_noted() -> None:
    """It belongs to root, and the firmware tells the controller the same over its socket."""
    with TemporaryDirectory() as name:  # pytest's own folders are for their owner alone
        folder = Path(name)
        folder.chmod(0o711)
        board = folder / "board.toml"
        board.write_text("[board]\n")
        board.chmod(0)
        config = SMALL.replace("[feed]", "expect = 3\n[feed]")
        path = write(folder, config + '[[load]]\nname = "any"\nworth = 1\n', "board.toml")
        path.chmod(0o644)
        with as_nobody():
            outcome = read_config(path)
    assert outcome.findings == ()
    assert outcome.config is not None
    assert outcome.profile is None
    (note,) = outcome.notes
    assert note.line == 9
    assert "not for this user to read" in note.problem


_line = st.sampled_from(
    [
        *SMALL.format(board="b.toml").splitlines(),
        *('[[load]]\nname = "fan"\nworth = 1\nkind = "required"\noutput = "x"'.splitlines()),
        *("[mqtt]", 'host = "h"', "[web]", "port = 0", "[mock]", "[[source]]", "price = 0.1"),
        *("suspect = 3", "grant_s = inf", "heartbeat_s = nan", "[load]", "[[rack]]", "rack = 3"),
        *("board = []", "board = 'a\\u0000'", 'board = "/dev/null"', 'board = "."', "[meter]"),
    ]
)


@given(
    st.binary(max_size=80)
    | st.text(max_size=80).map(str.encode)
    | st.lists(_line | st.text('abgn_[]={}."#0 \n', max_size=12), max_size=25).map(
        lambda lines: "\n".join(lines).encode()
    )
)
@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_config_of_any_bytes_is_a_config_or_findings(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(raw)
    outcome = read_config(path)
    assert (outcome.config is None) == bool(outcome.findings)
    if outcome.config is not None:
        assert load_config(path) == outcome.config
        return
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.findings == tuple(map(str, outcome.findings))
    assert all("\n" not in finding for finding in caught.value.findings)
