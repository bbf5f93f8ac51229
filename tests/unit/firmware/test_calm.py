"""Fails if nodes, boots or loads wait alike, or two processes of a boot find two calms."""

from __future__ import annotations

from rackgrid_firmware.calm import calm_until_ns

S = 1_000_000_000


def test_calm_is_another_for_each_boot_and_within_the_delay() -> None:
    calms = [calm_until_ns(60.0, f"boot-{number}") for number in range(200)]
    assert calms == [calm_until_ns(60.0, f"boot-{number}") for number in range(200)]
    assert 0 <= min(calms) < 6 * S
    assert 54 * S < max(calms) < 60 * S
    assert calm_until_ns(0.0, "boot-1") == 0
