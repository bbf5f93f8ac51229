"""What a node is made of, and what stands in its way before it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.played import write_config

from rackgrid.config import Config
from rackgrid.config_file import load_config
from rackgrid.errors import ConfigError, StoreError
from rackgrid.parts import assemble


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(write_config(tmp_path))


def test_assemble_without_its_group_key_is_a_finding(config: Config) -> None:
    (config.path.parent / "rack.key").unlink()
    with pytest.raises(ConfigError, match=r"rack\.key"):
        assemble(config)


def test_assemble_twice_on_one_state_folder_is_refused(config: Config) -> None:
    parts = assemble(config)
    with pytest.raises(StoreError, match="state"):
        assemble(config)
    parts.store.close()
    assemble(config).store.close()


def test_assemble_keeps_a_record_unless_none_is_wanted(config: Config) -> None:
    parts = assemble(config)
    parts.store.close()
    assert parts.record is not None
    assert parts.record.waiting == 1, "its start"
    none = replace(config, node=replace(config.node, record_days=0))
    parts = assemble(none)
    parts.store.close()
    assert parts.record is None
