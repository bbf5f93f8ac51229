"""The sun over a place on a day: how much of it falls on a flat panel, and the clouds before it.

    declination  d = 23.45° * sin(360° * (284 + day) / 365)                   (Cooper 1969)
    height       sin h = sin(lat) * sin(d) + cos(lat) * cos(d) * cos(15° * (hour - 12))
    clear sky    1098 W/m² * sin h * e^(-0.059 / sin h)                        (Haurwitz 1945)
    overcast     1 - 0.75 * N^3.4 of it, 0.25 under a full cover N = 1         (Kasten, Czeplak 80)

A broken sky is either clear or covered where the sun stands (irradiance under broken clouds has two
modes), so clouds are cells of five minutes, each covered or not by chance from the seed.

Sources: Cooper, Solar Energy 12, 333; Haurwitz, J. Meteorology 2, 154 (constants as in pvlib);
Kasten and Czeplak, Solar Energy 24, 177; Suehrcke and McCormick, Solar Energy 40, 413 (two modes).
"""

from __future__ import annotations

import math

from rackgrid_firmware.mock.chance import bits

CELL_S = 300
"""How long a cloud or a gap stands, s of the sun's time."""
OVERCAST = 0.25


def irradiance(latitude_deg: float, day: int, hour: float) -> float:
    """Give what a clear sky lets fall on flat ground, W/m².

    Args:
        latitude_deg: degrees north.
        day: of the year, 1 to 365.
        hour: true solar time, h; 12 is noon.
    """
    tilt = math.radians(23.45) * math.sin(math.tau * (284 + day) / 365)
    latitude = math.radians(latitude_deg)
    height = math.sin(latitude) * math.sin(tilt) + math.cos(latitude) * math.cos(tilt) * math.cos(
        math.radians(15.0 * (hour - 12.0))
    )
    return 1098.0 * height * math.exp(-0.059 / height) if height > 0.001 else 0.0


def passes(seed: int, cell: int, clouds: float) -> float:
    """Give the share of the light that a cell of the sky lets through.

    Args:
        seed: of the weather.
        cell: its number.
        clouds: the share of the cells that are covered.
    """
    return OVERCAST if bits(seed, cell) / float(1 << 64) < clouds else 1.0
