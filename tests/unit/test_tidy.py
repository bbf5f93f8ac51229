"""The house's rules, held by a program: what a program can check is not a guideline.

Each rule (`rule.py`) has a test that shows it a breach: a rule that nothing can trip is no rule.
Exemptions are listed here, with their reasons.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from tests.unit.rule import (
    FILE_LINES_MAX,
    broad_excepts,
    has_logic,
    imports,
    impure_imports,
    leftovers,
    long_functions,
    sleeps,
)

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "firmware/rackgrid_firmware", ROOT / "controller/rackgrid")
UNIT = ROOT / "tests/unit"
TOP_FOLDERS = ("firmware", "controller", "hardware", "systemd", "tests")

BANNED_NAMES = frozenset({"utils", "helpers", "common", "manager", "base", "misc"})

PURE_ROOMS = ("core", "wire", "market")

DOORS = {
    "gpiozero": {"rackgrid_firmware/relay.py", "rackgrid_firmware/mock/pins.py"},
    "smbus2": {"rackgrid_firmware/i2c.py"},
    "paho": {
        "rackgrid/adapters/mqtt.py",
        "rackgrid/adapters/mqtt_visit.py",
        "rackgrid/adapters/plug/line.py",
    },
}

BROAD_EXCEPTS: dict[str, str] = {
    "rackgrid/driver.py": "the loop that feeds the node: logged, counted, outputs released",
    "rackgrid_firmware/meter.py": "the sampling thread: logged, its channels go stale",
    "rackgrid_firmware/relay.py": "translated: lgpio.error is a bare Exception of an extra",
    "rackgrid_firmware/service.py": "the firmware's loop: logged, every output made safe",
    "rackgrid/cli/doctor/examination.py": "a check that fails is said as a finding",
    "rackgrid/adapters/mqtt.py": "paho's thread dies silently of an exception in a callback",
}
"""Where `except Exception` is right: the last frame before a thread or a process ends."""

SLEEPS: dict[str, str] = {
    "rackgrid_firmware/mock/bus.py": "a hung bus is a call that does not return for a while",
}
"""Where sleeping is the thing itself, and not a wait for something else."""

NO_UNIT_TEST: dict[str, str] = {
    "rackgrid/__main__.py": "two lines that tests/unit/controller/cli runs as a process",
}

NO_SOURCE = frozenset(
    {"test_tidy.py", "test_lock.py", "test_packaging.py", "test_readme.py", "test_conftest.py"}
)
"""Unit tests of what is no module: the source as a whole, the README, the suite's own gate."""


def sources() -> list[Path]:
    """List every source file of both packages."""
    found = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
    assert len(found) > 20, "the packages have moved, and nothing would be checked"
    return found


def suite() -> list[Path]:
    """List every file of the test suite."""
    return sorted((ROOT / "tests").rglob("*.py"))


def tracked() -> list[Path]:
    """List every text file that git holds; where there is no git, what lies in the known rooms."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = [name for name in listing.stdout.split("\0") if name]
    if listing.returncode or not names:
        return sources() + suite() + sorted(ROOT.glob("*.md"))
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def package_of(path: Path) -> Path:
    """Say which package a source file belongs to."""
    return next(package for package in PACKAGES if path.is_relative_to(package))


def room(path: Path) -> str:
    """Name a source file from its source root on."""
    return path.relative_to(package_of(path).parent).as_posix()


def home_of(source: Path) -> Path:
    """Say where the unit test of a source belongs; a package's own is named after the package."""
    package = package_of(source)
    inside = source.relative_to(package)
    stem = inside.stem if inside.name != "__init__.py" else inside.parent.name or package.name
    return UNIT / package.parent.name / inside.parent / f"test_{stem}.py"


# --- the rules hold for the tree -----------------------------------------------------------------


def hold(findings: Iterable[str]) -> None:
    """Fail with every finding on a line of its own."""
    if lines := sorted(findings):
        pytest.fail("\n".join(lines), pytrace=False)


def findings_of(check: Callable[[Path, ast.Module], Iterable[str]], paths: list[Path]) -> list[str]:
    """Put files to a check, and name each finding by its file."""
    return [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in paths
        for finding in check(path, ast.parse(path.read_text()))
    ]


def test_files_and_functions_are_short_and_named() -> None:
    def check(path: Path, tree: ast.Module) -> Iterator[str]:
        yield from long_functions(tree)
        if (lines := len(path.read_text().splitlines())) > FILE_LINES_MAX:
            yield f" {lines} lines, {FILE_LINES_MAX} are allowed"
        if path.stem.removeprefix("test_") in BANNED_NAMES or path.parent.name in BANNED_NAMES:
            yield " a name that says nothing: name what it is"

    hold(findings_of(check, sources() + suite()))


def test_sources_wait_for_conditions_and_not_for_time() -> None:
    awake = [path for path in sources() if room(path) not in SLEEPS]
    hold(findings_of(lambda _, tree: sleeps(tree), awake))


def test_sources_catch_everything_only_in_outermost_loops() -> None:
    guarded = [path for path in sources() if room(path) not in BROAD_EXCEPTS]
    hold(findings_of(lambda _, tree: broad_excepts(tree), guarded))


def test_deciding_rooms_import_nothing_of_the_world() -> None:
    pure = [path for name in PURE_ROOMS for path in sorted((PACKAGES[1] / name).rglob("*.py"))]
    assert len(pure) >= 10
    hold(findings_of(lambda _, tree: impure_imports(tree), pure))


def test_device_libraries_are_imported_by_their_doors_only() -> None:
    def check(path: Path, tree: ast.Module) -> Iterator[str]:
        for line, module in imports(tree):
            doors = DOORS.get(module.split(".")[0])
            if doors is not None and room(path) not in doors:
                yield f"{line}: {module} has its door in {sorted(doors)}"

    hold(findings_of(check, sources()))


def test_sources_with_logic_have_their_own_test() -> None:
    def check(path: Path, tree: ast.Module) -> Iterator[str]:
        if has_logic(tree) and room(path) not in NO_UNIT_TEST and not home_of(path).is_file():
            yield f" write {home_of(path).relative_to(ROOT)}"

    hold(findings_of(check, sources()))


def test_unit_tests_mirror_the_source() -> None:
    """A test is named after its source file, or after it and one aspect of it."""
    homes = {home_of(source) for source in sources()}
    strays = [
        path.relative_to(ROOT).as_posix()
        for path in UNIT.rglob("test_*.py")
        if path.name not in NO_SOURCE
        and not any(
            path.parent == home.parent and (path == home or path.stem.startswith(f"{home.stem}_"))
            for home in homes
        )
    ]
    hold(strays)


def test_exemptions_name_files_that_are_there() -> None:
    named = set(NO_UNIT_TEST) | set(BROAD_EXCEPTS) | set(SLEEPS) | set().union(*DOORS.values())
    hold(named - {room(path) for path in sources()})


def test_tracked_files_hold_no_leftovers() -> None:
    findings: list[str] = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.name != "LICENSE":
            findings += (f"{path.relative_to(ROOT)}:{finding}" for finding in leftovers(text))
    hold(findings)


@pytest.mark.parametrize("folder", TOP_FOLDERS)
def test_top_folder_says_what_lives_in_it(folder: str) -> None:
    page = ROOT / folder / "README.md"
    assert page.is_file()
    assert len(page.read_text().splitlines()) >= 10


def test_decisions_have_their_four_headings() -> None:
    pages = sorted((ROOT / "controller/decisions").glob("*.md"))
    assert pages
    numbers = [int(page.name.split("-", 1)[0]) for page in pages]
    assert numbers == sorted(set(numbers)), "each number names one decision"
    for page in pages:
        assert re.match(r"\d{4}-[a-z0-9-]+\.md$", page.name), page.name
        headings = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
        assert headings[:4] == ["Context", "Choice", "Rejected", "Consequences"], page.name


def test_import_contracts_are_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


# --- each rule trips on a breach -----------------------------------------------------------------


def test_function_over_the_limit_is_found_and_its_docstring_is_free() -> None:
    words = '    """Say.\n' + "    more\n" * 99 + '    """\n'
    body = "    x = 1\n"
    assert not [*long_functions(ast.parse(f"def f():\n{words}{body * 59}"))]
    assert [*long_functions(ast.parse(f"def f():\n{words}{body * 60}"))]
    assert [*long_functions(ast.parse(f"async def f():\n{body * 61}"))]


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "import os.path",
        "from random import Random",
        "from rackgrid_firmware.board import Board",
        "from rackgrid_firmware import i2c",
        "def f():\n    import socket",
        "__import__('threading')",
        "m.import_module('asyncio')",
        "import importlib",
    ],
)
def test_impure_import_is_found_at_any_depth(line: str) -> None:
    assert [*impure_imports(ast.parse(line))]


@pytest.mark.parametrize(
    "line",
    [
        "import hashlib",
        "from rackgrid_firmware.link import Hold",
        "from rackgrid_firmware import guard",
        "from rackgrid.identity import Pair",
        "timeout = 3",
    ],
)
def test_pure_import_is_not_found(line: str) -> None:
    assert not [*impure_imports(ast.parse(line))]


@pytest.mark.parametrize("caught", ["", " Exception", " (OSError, BaseException)"])
def test_broad_except_is_found(caught: str) -> None:
    assert [*broad_excepts(ast.parse(f"try:\n    f()\nexcept{caught}:\n    pass"))]
    assert not [*broad_excepts(ast.parse("try:\n    f()\nexcept OSError:\n    pass"))]
    assert not [*broad_excepts(ast.parse(f"try:\n    f()\nexcept{caught}:\n    g()\n    raise"))]


def test_sleep_is_found_by_either_name() -> None:
    assert [*sleeps(ast.parse("import time\ntime.sleep(1)"))]
    assert [*sleeps(ast.parse("from time import monotonic, sleep"))]
    assert not [*sleeps(ast.parse("import time\ntime.monotonic()"))]


@pytest.mark.parametrize("place", ["home/pi", "work/x", "root/y", "opt/pypi"])
def test_leftover_is_found(place: str) -> None:
    assert [*leftovers(f"a path /{place}")]
    assert [*leftovers("# " + "TO" + "DO later")]
    assert not [*leftovers("/opt/rackgrid/venv and /run/rackgrid and framework/x")]


def test_logic_is_told_from_words() -> None:
    assert not has_logic(ast.parse('class P:\n    def f(self):\n        """Say."""\n        ...'))
    assert has_logic(ast.parse("def f():\n    return 1"))
