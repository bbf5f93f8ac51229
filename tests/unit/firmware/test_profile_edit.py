"""Fails if editing a profile changes anything but the keys that it was asked to set."""

from __future__ import annotations

import os
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.profile_edit import edited, replace_file
from rackgrid_firmware.profile_file import load_profile

PROFILES = Path(__file__).parents[3] / "hardware" / "profiles"
VALUES = {
    "gain": "1.020000",
    "offset_a": "-0.001200",
    "calibrated": '"2026-11-26"',
    "uncertainty_percent": "0.300",
    "uncertainty_a": "0.000400",
}
WANTED = tomllib.loads("\n".join(f"{key} = {value}" for key, value in VALUES.items()))
NOW = datetime(2026, 11, 26, 15, 4, 5)


def set_in(text: str, index: int = 0) -> str:
    return edited(text, ("meter", index), VALUES, after="shunt_ohms")


def test_values_are_replaced_in_place_and_new_keys_stand_below_them() -> None:
    text = (
        '# mine\n[[meter]]  # first\nname = "m"\nshunt_ohms = 0.1 # R100\n'
        "  gain=1.0   # by hand\n\n# next\n[board]\n"
    )
    assert set_in(text) == (
        '# mine\n[[meter]]  # first\nname = "m"\nshunt_ohms = 0.1 # R100\n'
        "  gain=1.020000   # by hand\n"
        "  offset_a = -0.001200\n"
        '  calibrated = "2026-11-26"\n'
        "  uncertainty_percent = 0.300\n"
        "  uncertainty_a = 0.000400\n"
        "\n# next\n[board]\n"
    )


def test_editing_twice_is_editing_once() -> None:
    text = (PROFILES / "pi-relay4.toml").read_text()
    assert set_in(set_in(text, 1), 1) == set_in(text, 1)


@pytest.mark.parametrize("index", [0, 1])
def test_shipped_profile_keeps_every_line_but_those_of_the_meter(
    tmp_path: Path, index: int
) -> None:
    before = (PROFILES / "pi-relay4.toml").read_text()
    after = set_in(before, index)
    old, new = before.splitlines(), after.splitlines()
    gone = [line for line in old if line not in new]
    assert len(gone) == (2 if index == 0 else 0), "gain and offset_a stand in the first one only"
    assert all("calibration" in line or line.startswith("offset_a") for line in gone)
    path = tmp_path / "board.toml"
    path.write_text(after)
    meter = load_profile(path).meters[index]
    assert (meter.gain, meter.calibrated, meter.uncertainty_a) == (1.02, "2026-11-26", 0.0004)
    assert load_profile(path).meters[1 - index].calibrated == ""


# --- odd formatting ------------------------------------------------------------------------------

blank = st.sampled_from(["", " ", "  ", "\t"])
comment = st.sampled_from(["", "# plain", '# gain = 3 "quoted', "# [[meter]]", "#'"])
ending = st.sampled_from(["\n", "\r\n"])
quoted_key = st.sampled_from(["{}", '"{}"', "'{}'"])
KNOWN = {
    "gain": ["1", "1.0", "0.5e0", "+1.5"],
    "offset_a": ["0.0", "-0.1", "1e-3"],
    "shunt_ohms": ["0.1", "1e-1"],
    "calibrated": ['"2020-01-01"', "'2020-01-01'"],
    "name": ['"m"', "'m'", '"a#b]"', '"""m"""'],
    "mock": ["{ source_w = 3.0 }", "{source_w=3,x={gain=9}}"],
    "list": ["[1, 2]", "[ # c\n 1,\n 2 ]", '["gain = 1"]'],
}


@st.composite
def line_of(draw: st.DrawFn, key: str) -> str:
    shape = draw(quoted_key).format(key)
    value = draw(st.sampled_from(KNOWN[key]))
    parts = (draw(blank), shape, draw(blank), "=", draw(blank), value, draw(blank), draw(comment))
    return "".join(parts)


@st.composite
def meter_of(draw: st.DrawFn) -> list[str]:
    keys = draw(st.lists(st.sampled_from(sorted(KNOWN)), unique=True, min_size=1))
    lines = [draw(blank) + "[[ meter ]]" + draw(blank) + draw(comment)]
    for key in keys:
        lines += draw(st.lists(comment, max_size=2))
        lines.append(draw(line_of(key)))
    if "mock" not in keys and draw(st.booleans()):
        lines += ["[meter.mock]", "gain = 7"]
    return lines


@st.composite
def files(draw: st.DrawFn) -> tuple[str, int]:
    meters = draw(st.lists(meter_of(), min_size=1, max_size=3))
    lines = ["# head", "[board]", "gain = 8", ""]
    for meter in meters:
        lines += [*meter, *draw(st.lists(comment, max_size=2))]
    if draw(st.booleans()):
        lines += ["[[output]]", "gain = 6"]
    newline = draw(ending)
    text = newline.join(line.replace("\n", newline) for line in lines)
    return text + draw(st.sampled_from(["", newline])), draw(st.integers(0, len(meters) - 1))


@settings(max_examples=400, deadline=None)
@given(files())
def test_editing_any_file_sets_the_keys_and_keeps_every_other_character(
    file: tuple[str, int],
) -> None:
    text, index = file
    before: dict[str, Any] = tomllib.loads(text)
    after = set_in(text, index)
    data: dict[str, Any] = tomllib.loads(after)
    before["meter"][index].update(WANTED)
    assert data == before
    # Every line that names none of the keys is still there, in its order.
    rest = iter(after.splitlines())
    kept = [line for line in text.splitlines() if not any(key in line for key in VALUES)]
    assert all(line in rest for line in kept)
    if not set(VALUES) & set(tomllib.loads(text)["meter"][index]):
        rest = iter(after)
        assert all(character in rest for character in text), "nothing is replaced, only added"
    assert after.count("#") == text.count("#")
    assert after.count("\r\n") == (after.count("\n") if "\r\n" in text else 0)


def test_meters_that_are_written_as_values_are_edited_there() -> None:
    text = 'meter = [ { name = "a" }, { name = "b", shunt_ohms = 0.1, gain = 1.0 } ] # both\n'
    after = set_in(text, 1)
    assert tomllib.loads(after)["meter"][1] == {"name": "b", "shunt_ohms": 0.1, **WANTED}
    assert tomllib.loads(after)["meter"][0] == {"name": "a"}
    assert after.endswith("] # both\n")
    assert after.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[meter]\n", "not TOML"),
        ("[board]\n", "no table meter.0"),
        ("meter = 3\n", "no table meter.0"),
        ("[[meter]]\n", "set gain = 1.020000, .* by hand"),
        ("[[meter]]\n[meter.mock]\nx = 1\n", "set gain = 1.020000, .* by hand"),
    ],
)
def test_text_that_cannot_be_edited_with_certainty_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        set_in(text)


# --- the file ------------------------------------------------------------------------------------


def test_file_is_replaced_with_its_mode_and_what_was_there_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text("old")
    path.chmod(0o640)
    copy = replace_file(path, b"old", "new", NOW)
    assert copy == tmp_path / "board.toml.20261126-150405.bak"
    assert (path.read_text(), copy.read_text()) == ("new", "old")
    assert (path.stat().st_mode & 0o777, copy.stat().st_mode & 0o777) == (0o640, 0o640)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([path.name, copy.name])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own files as somebody else")
def test_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text("old")
    os.chown(path, 1234, 2345)
    copy = replace_file(path, b"old", "new", NOW)
    for each in (path, copy):
        assert (each.stat().st_uid, each.stat().st_gid) == (1234, 2345)


def test_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("old")
    link = tmp_path / "board.toml"
    link.symlink_to("real.toml")
    replace_file(link, b"old", "new", NOW)
    assert link.is_symlink()
    assert (tmp_path / "real.toml").read_text() == "new"


def test_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text("newer")
    with pytest.raises(ProfileError, match="changed meanwhile"):
        replace_file(path, b"old", "new", NOW)
    assert [each.name for each in tmp_path.iterdir()] == ["board.toml"]
    assert path.read_text() == "newer"


def test_file_that_cannot_be_written_is_a_profile_error_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    with pytest.raises(ProfileError, match="cannot be replaced: No such file"):
        replace_file(tmp_path / "none.toml", b"", "new", NOW)
    assert list(tmp_path.iterdir()) == []
