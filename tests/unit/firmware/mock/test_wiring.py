"""Fails if a board does not reach the plant as its profile says."""

from __future__ import annotations

import json

import pytest

from rackgrid_firmware.mock.wiring import ChipWiring, LoadWiring, from_json, to_json, wiring
from rackgrid_firmware.profile import MeterMock, MeterProfile, OutputMock, OutputProfile, Profile

PROFILE = Profile(
    name="bench",
    driver="mock",
    base_w=3.0,
    hold_max_s=5.0,
    stagger_s=0.0,
    meters=(MeterProfile("m1", "ina219", 1, 0x40, 0.1, 0.0, "energy", 1.0, 0.0, MeterMock(18.0)),),
    outputs=(
        OutputProfile(
            "fan", 17, False, True, 12.0, 20.0, 0.1, 0.0, 1.0, "m1", OutputMock(10.0, 0.02)
        ),
    ),
)


def test_wiring_of_a_profile_is_its_mock_part() -> None:
    node = wiring("n1", PROFILE)
    assert node.node == "n1"
    assert node.base_w == 3.0
    assert node.chips == (ChipWiring("m1", 1, 0x40, 0.1, 18.0),)
    assert node.loads == (LoadWiring("fan", 17, False, True, 12.0, 20.0, 0.1, 10.0, 0.02, "m1"),)


def test_wiring_through_json_is_the_same() -> None:
    node = wiring("n1", PROFILE)
    assert from_json(json.loads(json.dumps(to_json(node)))) == node


@pytest.mark.parametrize(
    "spoil",
    [
        {"loads": None},
        {"chips": [{"name": "m1"}]},
        {"loads": [{"name": "fan", "colour": "red"}]},
        {"base_w": "much"},
    ],
)
def test_wiring_from_a_wrong_packet_is_a_value_error(spoil: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"wiring|float"):
        from_json(to_json(wiring("n1", PROFILE)) | spoil)


def test_wiring_from_a_packet_without_a_node_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="node"):
        from_json({"loads": [], "chips": []})
