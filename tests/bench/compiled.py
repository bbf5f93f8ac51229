"""Makes a compiled copy of what the simulation plays: mypyc, the same source, the same digests.

The copy is for campaigns alone: nothing is installed from it, and a test that takes a rule away
needs the source. Needs a C compiler and Python's headers (apt install gcc python3-dev), and about
five minutes; it is made anew when the source has changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "controller" / "rackgrid", ROOT / "firmware" / "rackgrid_firmware")
COMPILED = (
    "rackgrid/core/*.py",
    "rackgrid/market/*.py",
    "rackgrid/simulation/*.py",
    "rackgrid_firmware/guard*.py",
    "rackgrid_firmware/interlock.py",
    "rackgrid_firmware/link.py",
    "rackgrid_firmware/unpack.py",
)
"""Not `rackgrid/wire`: the codec reads its records' annotations, which mypyc does not keep, nor
`rackgrid/value.py`, which shows type checkers another `replace`."""


def compiled(folder: Path) -> Path:
    """Return a folder for PYTHONPATH with the compiled packages, which it makes if need be.

    Raises:
        subprocess.CalledProcessError: it does not compile; what the compiler said is in
            `compile.log` in the folder.
    """
    stamp = folder / "stamp"
    now = _digest()
    if stamp.is_file() and stamp.read_text() == now:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    for package in PACKAGES:
        _copy(package, folder / package.name)
    names = [
        str(path.relative_to(folder))
        for pattern in COMPILED
        for path in sorted(folder.glob(pattern))
    ]
    mypyc = Path(sys.executable).with_name("mypyc")
    with (folder / "compile.log").open("w") as log:
        subprocess.run(
            [str(mypyc), *names],
            cwd=folder,
            env=os.environ | {"MYPYC_DEBUG_LEVEL": "0"},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    shutil.rmtree(folder / "build")
    stamp.write_text(now)
    return folder


def _copy(package: Path, to: Path) -> None:
    """Copy a package; its records are left open, since a frozen one fills each slot by a detour.

    That nobody writes to one is what type checkers and the tests of the source are for.
    """
    shutil.copytree(package, to, ignore=shutil.ignore_patterns("__pycache__"))
    for path in to.rglob("*.py"):
        text = path.read_text()
        path.write_text(text.replace("@dataclass(frozen=True", "@dataclass(unsafe_hash=True"))


def _digest() -> str:
    """What the copy was made of: the source, and the Python that compiles it."""
    whole = hashlib.sha256(sys.version.encode())
    for path in _sources():
        whole.update(str(path.relative_to(ROOT)).encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()


def _sources() -> Iterator[Path]:
    yield Path(__file__)
    for package in PACKAGES:
        yield from sorted(package.rglob("*.py"))
