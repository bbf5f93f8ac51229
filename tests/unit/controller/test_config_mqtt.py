"""What `[mqtt]` says of who we are there (the mistakes are in `config_corpus/`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid.config_file import Outcome, read_config

BOARD = Path(__file__).parents[3] / "hardware" / "profiles" / "mock-demo.toml"


def read(folder: Path, mqtt: str) -> Outcome:
    path = folder / "rackgrid.toml"
    path.write_text(
        '[rack]\nname = "demo"\ninterface = "lo"\nexpect = 3\n[feed]\ncapacity_w = 60\n'
        f'[node]\nname = "pi-1"\nboard = "{BOARD}"\n[mqtt]\n{mqtt}\n'
    )
    return read_config(path)


def test_files_of_a_login_are_found_beside_the_configuration(tmp_path: Path) -> None:
    outcome = read(
        tmp_path,
        'host = "h"\nusername = "u"\npassword_file = "p"\ntls_ca_file = "ca"\n'
        'tls_cert_file = "c"\ntls_key_file = "k"',
    )
    assert outcome.config is not None
    mqtt = outcome.config.mqtt
    assert mqtt is not None
    assert (mqtt.tls_cert_file, mqtt.tls_key_file) == (tmp_path / "c", tmp_path / "k")


@pytest.mark.parametrize(
    ("mqtt", "noted"),
    [
        ('host = "h"\nusername = "u"\npassword_file = "p"', True),
        ('host = "192.168.1.2"\nusername = "u"\npassword_file = "p"', True),
        ('host = "127.0.0.1"\nusername = "u"\npassword_file = "p"', False),
        ('host = "[::1]"\nusername = "u"\npassword_file = "p"', False),
        ('host = "localhost"\nusername = "u"\npassword_file = "p"', False),
        ('host = "h"\nusername = "u"\npassword_file = "p"\ntls_ca_file = "ca"', False),
        ('host = "h"', False),
    ],
)
def test_password_in_the_clear_is_noted(tmp_path: Path, mqtt: str, noted: bool) -> None:
    outcome = read(tmp_path, mqtt)
    assert outcome.config is not None
    assert any("in the clear" in str(note) for note in outcome.notes) is noted


@pytest.mark.parametrize(
    ("mqtt", "commands"),
    [("", ()), ("commands = []", ()), ('commands = ["lock", "clear"]', ("lock", "clear"))],
)
def test_commands_are_off_unless_they_are_named_and_then_noted(
    tmp_path: Path, mqtt: str, commands: tuple[str, ...]
) -> None:
    outcome = read(tmp_path, f'host = "h"\n{mqtt}')
    assert outcome.config is not None
    assert outcome.config.mqtt is not None
    assert outcome.config.mqtt.commands == commands
    noted = [str(note) for note in outcome.notes if "may publish" in str(note)]
    assert len(noted) == bool(commands)


def test_command_that_there_is_not_is_refused(tmp_path: Path) -> None:
    outcome = read(tmp_path, 'host = "h"\ncommands = ["on"]')
    assert outcome.config is None
    (finding,) = outcome.findings
    assert "[mqtt] commands" in str(finding)
    assert "lock" in str(finding)
