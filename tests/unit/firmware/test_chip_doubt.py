"""The contract of a meter driver about wrong words: what each keeps, on its register-true chip.

The rules are in `doubt`; stories of garbled samples that fall anywhere are in test_meter_law.py.
"""

from __future__ import annotations

import pytest
from tests.unit.firmware.chip_desk import KINDS, Desk, Kind

from rackgrid_firmware.mock.fault import Fault


@pytest.fixture(params=KINDS, ids=lambda kind: kind.driver)
def kind(request: pytest.FixtureRequest) -> Kind:
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def desk(kind: Kind) -> Desk:
    return Desk(kind)


@pytest.mark.parametrize("profile", ["energy", "fast", "inrush"])
@pytest.mark.parametrize("sign", [1, -1])
def test_true_overcurrent_is_said_by_its_first_sample_for_one_read_again(
    desk: Desk, kind: Kind, profile: str, sign: int
) -> None:
    """Fails if a trip waits for another conversion, or a third read, until it is believed."""
    desk.limit_a = 0.3 * kind.full_a
    desk.feel(12.0, 0.1 * kind.full_a)
    driver = desk.opened(profile=profile)
    for _ in range(6):
        desk.next(driver)
    desk.feel(12.0, sign * 0.7 * kind.full_a)
    converted = desk.chip.converted[2 * kind.channels - 1]
    desk.transfers.clear()
    while abs(desk.next(driver).amps) < desk.limit_a:  # the one under way saw a part of it
        assert desk.chip.converted[2 * kind.channels - 1] - converted <= 2
    assert len(desk.transfers) <= 3 * kind.transfers[1] + 2 * 5
    desk.transfers.clear()
    for _ in range(20):
        assert abs(desk.next(driver).amps) > desk.limit_a
    assert len(desk.transfers) <= 20 * (kind.transfers[1] + 0.5) + 4, "it is believed from then on"


@pytest.mark.parametrize("profile", ["energy", "fast", "inrush"])
def test_garbled_sample_is_read_again_and_trips_nothing(
    desk: Desk, kind: Kind, profile: str
) -> None:
    desk.limit_a = 0.3 * kind.full_a
    desk.feel(12.0, 0.1 * kind.full_a)
    driver = desk.opened(profile=profile)
    for _ in range(6):
        desk.next(driver)
    for _ in range(500):
        desk.faults.add(Fault.GARBAGE, count=2)
        assert abs(desk.next(driver).amps) < desk.limit_a
        sample = desk.next(driver)
        if profile == "energy":
            assert sample.amps == pytest.approx(0.1 * kind.full_a, abs=kind.full_a / 30)
            assert sample.volts == pytest.approx(12.0, abs=1.3)
