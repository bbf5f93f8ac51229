"""Fails if a driver meets another chip in the mock world than on its board."""

from __future__ import annotations

import pytest

from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.ina226 import Ina226Chip, Ina260Chip
from rackgrid_firmware.mock.ina3221 import Ina3221Chip
from rackgrid_firmware.mock.shelf import make_chip, pace_of


@pytest.mark.parametrize(
    ("driver", "kind"),
    [
        ("ina219", Ina219Chip),
        ("pi-ina219", Ina219Chip),
        ("ina226", Ina226Chip),
        ("ina260", Ina260Chip),
        ("ina3221", Ina3221Chip),
    ],
)
def test_shelf_has_the_chip_of_each_driver(driver: str, kind: type) -> None:
    assert type(make_chip(driver)) is kind


def test_shelf_gives_each_seed_its_own_noise_and_none_if_asked() -> None:
    def words(seed: int, noise: float) -> list[int]:
        chip = make_chip("ina219", seed=seed, noise=noise)
        chip.feel(0, 0.02036, 12.0)
        return [chip.read(n * 2_000_000, 1) for n in range(1, 40)]

    assert words(1, 1.0) == words(1, 1.0) != words(2, 1.0)
    assert len(set(words(1, 0.0))) == 1


def test_shelf_without_such_a_chip_says_so() -> None:
    with pytest.raises(ValueError, match="no mock chip stands behind driver 'hwmon'"):
        make_chip("hwmon")


@pytest.mark.parametrize("driver", ["ina219", "ina226", "ina260", "ina3221"])
def test_chip_converts_at_its_own_pace_and_stands_still_when_it_is_halted(driver: str) -> None:
    chip = make_chip(driver, pace=1.1)
    typical = make_chip(driver)
    chip.read(1_000_000_000, 0)
    typical.read(1_000_000_000, 0)
    assert chip.converted[1] == pytest.approx(typical.converted[1] / 1.1, abs=1)
    chip.halt(1_000_000_000)
    halted = dict(chip.converted)
    chip.read(2_000_000_000, 0)
    assert chip.converted == halted
    chip.write(2_000_000_000, 0, chip.read(2_000_000_000, 0))
    chip.read(3_000_000_000, 0)
    assert chip.converted[1] > halted[1]


def test_pace_is_drawn_from_the_seed_alone_and_within_five_percent() -> None:
    paces = [pace_of(seed) for seed in range(1_000)]
    assert paces == [pace_of(seed) for seed in range(1_000)]
    assert 0.95 <= min(paces) < 0.952
    assert 1.048 < max(paces) <= 1.05
