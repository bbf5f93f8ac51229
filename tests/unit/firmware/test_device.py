from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from rackgrid_firmware.device import Accuracy, Quality, Reading


@pytest.mark.parametrize(
    ("volts", "amps", "watts"), [(12.0, 0.5, 6.0), (12.0, -0.5, -6.0), (0.0, 3.0, 0.0)]
)
def test_reading_of_volts_and_amps_gives_watts_with_the_sign_of_the_current(
    volts: float, amps: float, watts: float
) -> None:
    assert Reading("m", 1, volts, amps, 0, Quality.FRESH).watts == watts


def test_reading_once_taken_cannot_be_changed() -> None:
    reading = Reading("m", 1, 12.0, 0.5, 0, Quality.FRESH)
    with pytest.raises(FrozenInstanceError):
        reading.amps = 0.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_uncertainty_adds_its_parts_as_squares() -> None:
    accuracy = Accuracy(0.03, 0.04, 0.004, 0.03)
    assert accuracy.of_amps(0.0) == 0.04
    assert accuracy.of_amps(-1.0) == pytest.approx(0.05)
    assert accuracy.of_volts(10.0) == pytest.approx(0.05)
    assert accuracy.of_watts(0.0, 0.0) == 0.0
    assert accuracy.of_watts(10.0, 1.0) == pytest.approx((0.05**2 + 0.5**2) ** 0.5)
