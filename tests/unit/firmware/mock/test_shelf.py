"""Fails if a driver meets another chip in the mock world than on its board."""

from __future__ import annotations

import pytest

from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.ina226 import Ina226Chip, Ina260Chip
from rackgrid_firmware.mock.ina3221 import Ina3221Chip
from rackgrid_firmware.mock.shelf import make_chip


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
