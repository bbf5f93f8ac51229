"""What is special to the INA260; what every driver keeps is in test_chip_contract.py."""

from __future__ import annotations

import pytest
from tests.unit.firmware.chip_desk import INA260, Desk

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.ina260 import Ina260


@pytest.mark.parametrize(("profile", "word"), [("energy", 0x6437), ("fast", 0x60DF)])
def test_ina260_is_configured_as_the_profile_says(profile: str, word: int) -> None:
    desk = Desk(INA260)
    assert type(desk.opened(profile=profile)) is Ina260
    assert desk.configuration() == word


@pytest.mark.parametrize("amps", [-15.0, -0.00125, 0.00125, 6.0, 15.0])
def test_ina260_reads_amperes_whatever_shunt_the_profile_says(amps: float) -> None:
    desk = Desk(INA260)
    desk.feel(5.0, amps)
    sample = desk.opened(shunt_ohms=0.1).sample()
    assert sample is not None
    assert sample.amps == pytest.approx(amps, abs=1e-9 + 0.000625)


def test_ina260_beyond_what_its_shunt_bears_is_an_error_of_the_profile() -> None:
    with pytest.raises(ProfileError, match="16 A is more than the shunt inside an INA260 bears"):
        Desk(INA260).open(amps_max=16.0)
