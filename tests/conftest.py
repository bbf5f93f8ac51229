"""Which tests can run on this machine: each marker says what it needs, and what to install.

A test whose need is unmet is skipped with that reason, so that `make test` is green on a bare
laptop. In CI a skipped test is a test that did not run: with RACKGRID_REQUIRE_ALL=1 every skip,
whoever asks for it, is a failure.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REQUIRE_ALL = os.environ.get("RACKGRID_REQUIRE_ALL", "") not in ("", "0")
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")

# A plain user's PATH on Debian lacks these, and the servers and tools under test live there.
os.environ["PATH"] = os.pathsep.join(
    dict.fromkeys([*os.environ.get("PATH", os.defpath).split(os.pathsep), *SBIN])
)

# Durations are never asserted, so a busy machine must not fail a property test. CI looks at the
# same examples each time; elsewhere each run looks at new ones.
settings.register_profile(
    "rackgrid",
    deadline=None,
    max_examples=50,
    derandomize=REQUIRE_ALL,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("rackgrid")


def missing_root() -> str | None:
    """Say why network namespaces cannot be made here."""
    if os.geteuid() != 0:
        return "needs root (network namespaces): sudo make test"
    for tool, package in (("ip", "iproute2"), ("nft", "nftables"), ("unshare", "util-linux")):
        if shutil.which(tool) is None:
            return f"needs {tool}: sudo apt install {package}"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"needs the right to make network namespaces: {made.stderr.strip()}"
    return None


def missing_mosquitto() -> str | None:
    """Say why there is no MQTT server here."""
    if shutil.which("mosquitto") is None:
        return "needs Mosquitto: sudo apt install mosquitto"
    return None


def missing_nginx() -> str | None:
    """Say why there is no reverse proxy here."""
    if shutil.which("nginx") is None:
        return "needs nginx: sudo apt install nginx-light"
    return None


def missing_faketime() -> str | None:
    """Say why no process can be given another wall clock here."""
    if not any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        return "needs libfaketime: sudo apt install faketime"
    return None


def missing_systemd() -> str | None:
    """Say why no unit can be verified here."""
    if shutil.which("systemd-analyze") is None:
        return "needs systemd-analyze: sudo apt install systemd"
    return None


def missing_oracle() -> str | None:
    """Say why there is no second meter driver here."""
    if importlib.util.find_spec("ina219") is None:
        return "needs the pi-ina219 extra: sudo apt install gcc python3-dev; make -B setup"
    return None


def missing_vpi() -> str | None:
    """Say why no virtual Pi can be booted here."""
    if reason := missing_root():
        return reason
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "needs /dev/net/tun: sudo modprobe tun"
    check = Path(__file__).with_name("vpi") / "build-image.sh"
    built = subprocess.run([check, "--check"], capture_output=True, text=True, check=False)
    if built.returncode:
        return f"needs a virtual Pi: sudo make test-vpi ({built.stdout.strip()})"
    return None


PROBES: dict[str, Callable[[], str | None]] = {
    "root": missing_root,
    "mosquitto": missing_mosquitto,
    "nginx": missing_nginx,
    "faketime": missing_faketime,
    "systemd": missing_systemd,
    "oracle": missing_oracle,
    "vpi": missing_vpi,
}


@functools.cache
def unmet(marker: str) -> str | None:
    """Return what keeps the tests of this marker from running here, or None."""
    return PROBES[marker]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that cannot run here, before any of its fixtures is made."""
    for marker in PROBES:
        if item.get_closest_marker(marker) is not None and (reason := unmet(marker)):
            pytest.skip(reason)


def forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where everything must run."""
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"RACKGRID_REQUIRE_ALL is set, and this did not run. {why}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Hold every test to having run, where everything must run."""
    report = yield
    forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Hold every file to having been collected, where everything must run."""
    report = yield
    forbid_skip(report)
    return report
