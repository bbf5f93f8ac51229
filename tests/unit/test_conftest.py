"""The suite's own gate: what cannot run is skipped with a reason, and is a failure in CI."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SUITE = """
import pytest

@pytest.mark.oracle
def test_marked():
    pass

def test_plain():
    pass

def test_skips_itself():
    pytest.skip("not today")
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Make a tiny suite with this one's conftest and an oracle that never is there."""
    gate = CONFTEST.read_text().replace('find_spec("ina219")', 'find_spec("never_installed")')
    assert "never_installed" in gate
    (tmp_path / "conftest.py").write_text(gate)
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    oracle: a need\n")
    return tmp_path


def run(suite: Path, **env: str) -> tuple[int, str]:
    """Run pytest there, return its exit code and what it said."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RACKGRID", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", str(suite)],
        env=inherited | env,
        cwd=suite,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_suite_with_an_unmet_need_skips_with_the_reason(suite: Path) -> None:
    code, said = run(suite)
    assert code == 0
    assert "1 passed, 2 skipped" in said
    assert "needs the pi-ina219 extra" in said


def test_suite_that_must_run_whole_fails_at_every_skip(suite: Path) -> None:
    code, said = run(suite, RACKGRID_REQUIRE_ALL="1")
    assert code == 1
    assert "1 passed" in said
    assert "skipped" not in said.splitlines()[-1]
    assert "needs the pi-ina219 extra" in said
    assert "not today" in said


def test_suite_that_must_run_whole_fails_at_a_skipped_file(suite: Path) -> None:
    (suite / "test_absent.py").write_text("import pytest\npytest.importorskip('never_installed')\n")
    code, said = run(suite, RACKGRID_REQUIRE_ALL="1")
    assert code != 0
    assert "never_installed" in said


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the gate as a module of its own, so that its cache is not the suite's."""
    monkeypatch.setenv("PATH", os.environ["PATH"])
    spec = importlib.util.spec_from_file_location("gate", CONFTEST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_root_need_of_a_plain_user_is_unmet(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert gate.unmet("root") == "needs root (network namespaces): sudo make test"


@pytest.mark.parametrize(
    ("marker", "package"),
    [("mosquitto", "mosquitto"), ("nginx", "nginx-light"), ("systemd", "systemd")],
)
def test_tool_need_on_an_empty_path_names_the_package(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, marker: str, package: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gate.unmet(marker).endswith(f"sudo apt install {package}")


def test_needs_of_pyproject_are_the_gates(gate: ModuleType) -> None:
    """A marker that pyproject.toml declares and no probe knows would silently run anywhere."""
    declared = tomllib.loads((CONFTEST.parents[1] / "pyproject.toml").read_text())
    markers = declared["tool"]["pytest"]["ini_options"]["markers"]
    assert {marker.partition(":")[0] for marker in markers} == set(gate.PROBES)
