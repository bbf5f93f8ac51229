"""Pictures: what is drawn, and that it is drawn the same every time."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.unit.controller.simulation.scenario.day import day

from rackgrid.simulation.scenario.picture import day_of, drawn, powers_w, prices, spans_on
from rackgrid.simulation.scenario.work import DAY_MINUTES

needs_matplotlib = pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="needs the picture extra: pip install '.[picture]'"
)


def test_day_has_its_minutes_their_powers_and_prices() -> None:
    run = day("black-start")
    minutes = day_of(run, 0)
    assert len(minutes) == DAY_MINUTES
    lost = run.scenario.lost.start
    assert powers_w(minutes, "grid")[lost] == 0
    assert powers_w(minutes, "grid")[0] == pytest.approx(minutes[0].drawn_mj / 60_000)
    assert prices(minutes)[lost] != prices(minutes)[lost], "there is no price, not a price of 0"
    assert 0.22 <= prices(minutes)[0] < 0.30


def test_spans_are_whole_and_apart() -> None:
    first, second, third = day("sunny-day").minutes[:3]
    minutes = [
        replace(first, on=(True, False)),
        replace(second, on=(True, True)),
        replace(third, on=(False, True)),
    ]
    assert spans_on(minutes, 2) == [[(0, 2)], [(1, 2)]]
    gap = [replace(first, on=(True,)), replace(second, on=(False,)), replace(third, on=(True,))]
    assert spans_on(gap, 1) == [[(0, 1), (2, 1)]]


@needs_matplotlib
@pytest.mark.parametrize("name", ["evening-peak", "black-start"])
def test_picture_is_an_svg_and_the_same_every_time(name: str, tmp_path: Path) -> None:
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    for path in (first, second):
        drawn(day(name), 0, path)
    text = first.read_text()
    assert text.startswith("<?xml")
    assert "</svg>" in text
    assert text == second.read_text()


@needs_matplotlib
def test_picture_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not supported"):
        drawn(day("sunny-day"), 0, tmp_path / "day.xyz")
