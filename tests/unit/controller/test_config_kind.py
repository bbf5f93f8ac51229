"""Kinds of loads in `rackgrid.toml`: read into values, and written as they were read.

What may be wrong with them is in `config_corpus`.
"""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rackgrid.cli.config import resolved
from rackgrid.config import (
    DeadlineConfig,
    GuardConfig,
    KindConfig,
    ModelConfig,
    TaskConfig,
    ThermalConfig,
)
from rackgrid.config_file import load_config

CORPUS = Path(__file__).parent / "config_corpus"
RACK = '[rack]\nname = "demo"\ninterface = "lo"\n[feed]\ncapacity_w = 30\n'
NODE = '[node]\nname = "pi-1"\nboard = "board.toml"\n[[load]]\nname = "fan"\n'
AMSTERDAM = ZoneInfo("Europe/Amsterdam")

KINDS: list[tuple[str, KindConfig | None]] = [
    ('kind = "task"\nrevenue_per_hour = 0.01\n', TaskConfig(0.01, None)),
    ('kind = "task"\nrevenue_per_hour = 0.01\nrun_s = 90\n', TaskConfig(0.01, 90.0)),
    (
        'kind = "deadline"\nenergy_wh = 20\nby = "07:30"\ntimezone = "Europe/Amsterdam"\n',
        DeadlineConfig(20.0, 7 * 3600 + 1800, AMSTERDAM, 0.0),
    ),
    (
        'kind = "thermal"\nworth = 0.5\nlow_c = -3\nhigh_c = 7\nmode = "heat"\n'
        'temperature_topic = "room"\n[mqtt]\nhost = "127.0.0.1"\n',
        ThermalConfig(-3.0, 7.0, False, 0.5, None, "room"),
    ),
    (
        'kind = "thermal"\nworth = 0.5\nlow_c = 3\nhigh_c = 7\noff_c = 21\non_c = -9\n'
        'slow_s = 7200\ntemperature_topic = "room"\n[mqtt]\nhost = "127.0.0.1"\n',
        ThermalConfig(
            *(3.0, 7.0, True, 0.5, None, "room"), ModelConfig(21.0, -9.0, 7200.0, 3600.0)
        ),
    ),
    ("worth = 0.5\n", None),
]


def written(folder: Path, load: str) -> Path:
    (folder / "board.toml").write_text((CORPUS / "board.toml").read_text())
    path = folder / "rackgrid.toml"
    path.write_text(RACK + NODE + load)
    return path


@pytest.mark.parametrize(("text", "plan"), KINDS)
def test_kind_is_read_and_shown_as_it_reads_back(
    tmp_path: Path, text: str, plan: KindConfig | None
) -> None:
    config = load_config(written(tmp_path, text))
    assert config.loads[0].plan == plan
    shown = tmp_path / "shown.toml"
    shown.write_text("\n".join(resolved(config)) + "\n")
    assert load_config(shown).loads == config.loads


def test_guards_are_read_and_shown_as_they_read_back(tmp_path: Path) -> None:
    text = 'worth = 0.5\nstart_cost = 0.001\nusual_run_s = 60\none_of = "warm"\n'
    config = load_config(written(tmp_path, text))
    assert config.loads[0].guards == GuardConfig(0.001, 60.0, "warm")
    shown = tmp_path / "shown.toml"
    shown.write_text("\n".join(resolved(config)) + "\n")
    assert load_config(shown).loads == config.loads
