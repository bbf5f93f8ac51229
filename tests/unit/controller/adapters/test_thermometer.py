"""Thermometers: what a sensor says, and what it cannot mean."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rackgrid.adapters.thermometer import OLD_NS, Reader, Thermometer, degrees_mc, file_mc

W1_SLAVE = b"50 05 4b 46 7f ff 0c 10 1c : crc=1c %b\n50 05 4b 46 7f ff 0c 10 1c t=%d\n"


class Clock:
    def __init__(self) -> None:
        self.ns = 10**12

    def __call__(self) -> int:
        return self.ns


@pytest.mark.parametrize(
    ("text", "mc"),
    [(b"4187\n", 4187), (b"-18250\n", -18250), (W1_SLAVE % (b"YES", 4187), 4187)],
)
def test_file_is_read_as_the_kernel_writes_it(text: bytes, mc: int) -> None:
    assert file_mc(text) == mc


@pytest.mark.parametrize(
    "text",
    [b"", b"warm", b"85000\n", W1_SLAVE % (b"NO", 4187), W1_SLAVE % (b"YES", 85000), b"9999999\n"],
)
def test_file_that_no_sensor_means_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int() has its own words for some of them
        file_mc(text)


@pytest.mark.parametrize(
    ("payload", "mc"),
    [(b"4.25", 4250), (b"-3", -3000), (b'{"temperature": 4.25, "battery": 80}', 4250)],
)
def test_payload_is_read_in_degrees(payload: bytes, mc: int) -> None:
    assert degrees_mc(payload) == mc


@pytest.mark.parametrize(
    "payload", [b"", b"true", b'"4"', b"NaN", b"1e9", b"{}", b"[4]", b'{"temperature": null}']
)
def test_payload_that_is_no_temperature_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json has its own words for some of them
        degrees_mc(payload)


def test_temperature_is_forgotten_when_it_is_old() -> None:
    clock = Clock()
    place = Thermometer("fridge", clock)
    assert place.mc is None
    place.hear("kitchen", b"4.5")
    clock.ns += OLD_NS - 1
    assert place.mc == 4500
    clock.ns += 1
    assert place.mc is None


def test_sensor_that_fails_is_said_once_and_so_is_its_return(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    place, file = Thermometer("fridge"), tmp_path / "temperature"
    place.read(file)
    place.read(file)
    file.write_bytes(b"4000\n")
    place.read(file)
    assert place.mc == 4000
    assert len(caplog.records) == 2
    assert str(file) in caplog.text
    assert "known again" in caplog.text


def test_reader_reads_its_files_until_it_is_stopped(tmp_path: Path) -> None:
    file, read = tmp_path / "temperature", []
    file.write_bytes(b"4000\n")
    reader = Reader([])

    class Place(Thermometer):
        def read(self, path: Path) -> None:
            read.append(path)
            reader.stop()

    reader.places.append((file, Place("fridge")))
    reader.run()
    assert read == [file]
