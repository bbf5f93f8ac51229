"""Sources in `rackgrid.toml`: read into values, and written as they were read.

What may be wrong with them is in `config_corpus`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid.adapters.books import chart_of
from rackgrid.cli.config import resolved
from rackgrid.config import BatteryConfig, HttpTariffConfig, SourceConfig
from rackgrid.config_file import load_config

RACK = '[rack]\nname = "demo"\ninterface = "lo"\n[feed]\ncapacity_w = 30\n'
NODE = '[node]\nname = "pi-1"\nboard = "board.toml"\n'
BOARD = """\
[board]
name = "b"
driver = "mock"
base_w = 2
[[meter]]
name = "pack"
address = 0x41
shunt_ohms = 0.1
[[output]]
name = "charger"
gpio = 22
nominal_w = 6
[[output]]
name = "fan"
gpio = 23
nominal_w = 6
"""
PACK = """\
[[source]]
name = "pack"
meter = "pack"
power_w = 20
[source.battery]
capacity_wh = 50
price_low = 0.1
price_high = 0.4
full_v = 14.4
empty_v = 11.5
"""
CHARGER = '[[load]]\nname = "charger"\nkind = "charger"\nbattery = "pack"\n'

SOURCES = [
    (
        '[[source]]\nname = "roof"\nprice = -0.02\nmeter = "pack"\nexport = true\n',
        SourceConfig("roof", -0.02, 0.0, "pack", None, export=True),
    ),
    (
        '[[source]]\nname = "grid"\nprice = 0.3\n[source.http]\nurl = "http://a/b"\nscale = 0.1\n',
        SourceConfig(
            *("grid", 0.3, 0.0, "", None),
            HttpTariffConfig("http://a/b", 900.0, "", "start", "", "value", 0.1, None),
        ),
    ),
    (
        PACK,
        SourceConfig(
            *("pack", 0.0, 20.0, "pack", None),
            battery=BatteryConfig(50.0, 20.0, 100.0, 85.0, 0.0, 0.1, 0.4, 14.4, 11.5),
        ),
    ),
]


def written(folder: Path, rest: str) -> Path:
    (folder / "board.toml").write_text(BOARD)
    path = folder / "rackgrid.toml"
    path.write_text(RACK + NODE + rest)
    return path


@pytest.mark.parametrize(("text", "source"), SOURCES)
def test_source_is_read_and_shown_as_it_reads_back(
    tmp_path: Path, text: str, source: SourceConfig
) -> None:
    config = load_config(written(tmp_path, text))
    assert config.sources == (source,)
    shown = tmp_path / "shown.toml"
    shown.write_text("\n".join(resolved(config)) + "\n")
    assert load_config(shown).sources == config.sources


def test_charger_is_read_and_shown_as_it_reads_back(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, PACK + CHARGER))
    shown = tmp_path / "shown.toml"
    shown.write_text("\n".join(resolved(config)) + "\n")
    assert load_config(shown).loads == config.loads


def test_accounts_know_which_source_is_sold(tmp_path: Path) -> None:
    chart = chart_of(load_config(written(tmp_path, SOURCES[0][0])))
    assert (chart.exported, chart.source_meters) == ({"roof"}, {"roof": "pack"})
