"""What lands on a Pi is what is in the tree: the wheel, its version, its entry points."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import rackgrid

ROOT = Path(__file__).parents[2]
ROOTS = (ROOT / "firmware", ROOT / "controller")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the wheel and list what is in it, as it will lie below its prefix."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {re.sub(r"^rackgrid-[^/]*\.data/data/", "", name) for name in archive.namelist()}


def test_wheel_contains_every_source_and_says_it_is_typed(wheel: set[str]) -> None:
    wanted = {path.relative_to(root).as_posix() for root in ROOTS for path in root.rglob("*/*.py")}
    assert len(wanted) > 20
    assert wanted <= wheel, sorted(wanted - wheel)
    assert {"rackgrid/py.typed", "rackgrid_firmware/py.typed"} <= wheel


def test_wheel_contains_profiles_and_units(wheel: set[str]) -> None:
    wanted = {f"share/rackgrid/profiles/{p.name}" for p in ROOT.glob("hardware/profiles/*.toml")}
    wanted |= {f"share/rackgrid/systemd/{p.name}" for p in ROOT.glob("systemd/*.service")}
    assert len(wanted) >= 4
    assert wanted <= wheel, sorted(wanted - wheel)


def test_wheel_contains_no_second_copy_under_a_source_root(wheel: set[str]) -> None:
    assert not [name for name in wheel if name.startswith(("tests/", "firmware/", "controller/"))]


def test_entry_points_lead_to_functions(pyproject: dict[str, Any]) -> None:
    for target in pyproject["project"]["scripts"].values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_version_is_the_same_in_project_and_package(pyproject: dict[str, Any]) -> None:
    assert pyproject["project"]["version"] == rackgrid.__version__


def test_changelog_opens_with_what_is_coming_or_current() -> None:
    heads = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] in {"Unreleased", rackgrid.__version__}


def test_warnings_fail_the_tests(pyproject: dict[str, Any]) -> None:
    assert pyproject["tool"]["pytest"]["ini_options"]["filterwarnings"][0] == "error"
