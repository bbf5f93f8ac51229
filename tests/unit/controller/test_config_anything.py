"""Whatever stands in `rackgrid.toml`: findings, and never an exception.

Fails if a file that nobody would write makes `config check` or the daemon's start raise anything
but its findings, or if a file with findings gives a configuration.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.inputs import mutated

from rackgrid.config_file import read_config

CORPUS = sorted((Path(__file__).parent / "config_corpus").glob("*.toml"))
SHIPPED = Path(__file__).parents[3] / "systemd" / "rackgrid.toml"
TEXTS = [path.read_bytes() for path in (*CORPUS, SHIPPED)]
VALUES = (
    *("-1", "0", "1e400", "nan", "inf", "9" * 30, "1979-05-27", "07:32:00", "[]", "[[1]]", "{}"),
    *('""', '"\\u0000"', '"\\U0010ffff"', '"a/b"', '"+"', '"#"', '"$SYS"', '["x", 1]', "true"),
)


def read(folder: Path, text: bytes) -> None:
    path = folder / "rackgrid.toml"
    path.write_bytes(text)
    outcome = read_config(path)
    assert (outcome.config is None) == bool(outcome.findings)
    for finding in (*outcome.findings, *outcome.notes):
        assert str(finding).isprintable(), "a finding is one line, and cannot steer a terminal"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
def test_file_that_was_mutated_gives_findings_or_a_configuration(
    folder: Path, text: bytes, seed: int
) -> None:
    read(folder, mutated(random.Random(seed), text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32), st.sampled_from(VALUES))
def test_file_with_a_value_exchanged_gives_findings_or_a_configuration(
    folder: Path, text: bytes, seed: int, value: str
) -> None:
    lines = text.decode().splitlines()
    keys = [number for number, line in enumerate(lines) if " = " in line]
    at = random.Random(seed).choice(keys)
    lines[at] = f"{lines[at].partition(' = ')[0].lstrip('# ')} = {value}"
    read(folder, "\n".join(lines).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_file_of_any_bytes_gives_findings(folder: Path, data: bytes) -> None:
    read(folder, data)


@pytest.mark.parametrize(
    "text",
    [
        b"[rack]\nname = d\x10emo\n",  # found by the bench: a guess repeated it as it was
    ],
)
def test_file_that_fuzzing_has_found_gives_findings(folder: Path, text: bytes) -> None:
    read(folder, text)


NASTY = ("+", "#", "/", "\0", "$", "$SYS", "é", "\N{SNOWMAN}", " ", "", "a" * 33, "a/b", "A")


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("place", ["rack", "node", "load"])
def test_name_that_would_reach_another_topic_is_refused(
    tmp_path: Path, place: str, name: str
) -> None:
    written = '"' + name.replace("\0", "\\u0000") + '"'
    good = {"rack": '"shed"', "node": '"pi-1"', "load": '"fan"'} | {place: written}
    board = Path(__file__).parents[3] / "hardware" / "profiles" / "mock-demo.toml"
    path = tmp_path / "rackgrid.toml"
    path.write_text(
        f'[rack]\nname = {good["rack"]}\ninterface = "lo"\n[feed]\ncapacity_w = 60\n'
        f'[node]\nname = {good["node"]}\nboard = "{board}"\n'
        f'[[load]]\nname = {good["load"]}\noutput = "fan"\nworth = 0.3\n'
    )
    findings = read_config(path).findings
    assert any("name" in finding.place for finding in findings), findings
