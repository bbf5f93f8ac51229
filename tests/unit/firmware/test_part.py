"""Fails if a board profile may ask more of a chip than its datasheet gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.part import INA219, INA226, INA260, INA3221, PARTS, Part, over_range


def test_parts_have_the_datasheets_limits() -> None:
    assert [each.shunt_v_max for each in (INA219, INA226, INA3221)] == [0.32, 0.08192, 0.1638]
    assert (INA260.ohms, INA260.amps_max) == (0.002, 15.0)
    assert [each.die for each in (INA219, INA226, INA260, INA3221)] == [0, 0x226, 0x227, 0x322]
    assert {driver: part.address_max for driver, part in PARTS.items()} == {
        "ina219": 0x4F,
        "pi-ina219": 0x4F,
        "ina226": 0x4F,
        "ina260": 0x4F,
        "ina3221": 0x43,
    }


@pytest.mark.parametrize(
    ("part", "amps", "ohms", "said"),
    [
        (INA219, 3.2, 0.1, ""),
        (INA219, 0.0, 10.0, ""),
        (
            INA226,
            10.0,
            0.01,
            "10 A through 0.01 ohm is 100 mV, and the chip sees at most 81.92 mV; "
            "fit a shunt of at most 0.00819 ohm, or expect at most 8.19 A",
        ),
        (
            INA3221,
            2.0,
            0.1,
            "2 A through 0.1 ohm is 200 mV, and the chip sees at most 163.8 mV; "
            "fit a shunt of at most 0.0819 ohm, or expect at most 1.63 A",
        ),
        (INA260, 15.0, 0.002, ""),
        (
            INA260,
            15.5,
            0.002,
            "15.5 A is more than the shunt inside an INA260 bears; expect at most 15 A, or take "
            "an INA226 with a shunt of its own",
        ),
    ],
)
def test_over_range_says_what_to_fit_instead(
    part: Part, amps: float, ohms: float, said: str
) -> None:
    assert over_range(part, amps, ohms) == said


@given(st.sampled_from([INA219, INA226, INA3221]), st.floats(0.001, 1000), st.floats(0.0001, 10))
def test_over_range_advises_what_it_would_accept(part: Part, amps: float, ohms: float) -> None:
    said = over_range(part, amps, ohms)
    assert bool(said) == (amps * ohms > part.shunt_v_max * (1 + 1e-9))
    if said:
        ohms_advised = float(said.split("a shunt of at most ")[1].split(" ohm")[0])
        amps_advised = float(said.split("expect at most ")[1].split(" A")[0])
        assert not over_range(part, amps, ohms_advised)
        assert not over_range(part, amps_advised, ohms)
