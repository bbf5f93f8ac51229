"""Scripts: the built-in day, and files with all that may be wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid.cli.demo.script import DEEDS, GRID_PRICE, PANEL_W, Deed, default_script, load_script
from rackgrid.errors import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "script.toml"
    path.write_text(text)
    return path


def test_script_by_default_is_in_order_and_ends_each_day_as_it_began() -> None:
    script = default_script(5)
    assert [d.at_s for d in script] == sorted(d.at_s for d in script)
    day = [d for d in script if d.at_s < 70]
    assert [d.do for d in day] == ["sun", "sun", "tariff", "tariff", "tariff", "kill", "start"]
    assert [d.watts for d in day if d.do == "sun"][-1] == PANEL_W
    assert [d.price for d in day if d.do == "tariff"][-1] == GRID_PRICE
    assert {d.do for d in script} <= set(DEEDS)
    assert all(d.say for d in script)
    assert script[len(day)].at_s == day[0].at_s + 70


def test_script_by_default_kills_nobody_where_there_is_only_one() -> None:
    assert {d.do for d in default_script(1)} == {"sun", "tariff"}


def test_script_from_a_file_is_put_in_order_and_says_what_it_does(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [[event]]
        at_s = 5
        do = "kill"
        node = "broker"

        [[event]]
        at_s = 1.5
        do = "sun"
        watts = 3
        say = "a cloud"
        """,
    )
    assert load_script(path) == (
        Deed(1.5, "sun", "", "", 3.0, 0.0, "a cloud"),
        Deed(5.0, "kill", "broker", "", 0.0, 0.0, "kill broker"),
    )


def test_script_without_events_is_a_rack_left_alone(tmp_path: Path) -> None:
    assert load_script(written(tmp_path, "")) == ()


def test_script_with_mistakes_is_refused_with_all_of_them(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[[event]]\nat_s = "soon"\ndo = "sun"\n\n[[event]]\nat_s = 1\ndo = "kil"\nwats = 3\n',
    )
    with pytest.raises(ConfigError) as caught:
        load_script(path)
    findings = caught.value.findings
    assert len(findings) == 3
    assert all(finding.startswith(f"{path}:") for finding in findings)
    assert any("did you mean kill" in finding or "kill" in finding for finding in findings)
    assert any("watts" in finding for finding in findings)


@pytest.mark.parametrize("text", ["[[event]", "\x00"])
def test_script_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load_script(written(tmp_path, text))


def test_script_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load_script(tmp_path / "nowhere.toml")
