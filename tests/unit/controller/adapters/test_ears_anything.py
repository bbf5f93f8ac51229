"""Whatever is published under a topic that we hear: nothing escapes, nothing absurd counts.

Fails if a payload raises, or becomes a temperature or a price that no sensor and no market means.
"""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inputs import HEARD, mutated

from rackgrid.adapters.plug.talk import read_object
from rackgrid.adapters.tariff_mqtt import MqttTariff
from rackgrid.adapters.thermometer import HIGH_MC, LOW_MC, Thermometer
from rackgrid.errors import TransportError

NOW_NS = 1_770_000_000_000_000_000


def heard(payload: bytes) -> None:
    """Hear it as a temperature, a tariff and a plug's answer."""
    thermometer = Thermometer("fridge", lambda: 1)
    understood = thermometer.hear("kitchen", payload)
    assert understood is (thermometer.mc is not None)
    if thermometer.mc is not None:
        assert LOW_MC <= thermometer.mc <= HIGH_MC
    tariff = MqttTariff("grid", None, lambda: NOW_NS, lambda: 1)
    before = tariff.prices
    if not tariff.hear("prices", payload):
        assert tariff.prices == before
    _ = tariff.prices
    with suppress(TransportError):
        read_object(payload, "plug")


@pytest.mark.parametrize("payload", HEARD, ids=range(len(HEARD)))
def test_payload_of_the_corpus_never_raises(payload: bytes) -> None:
    heard(payload)


@given(st.binary(max_size=200))
def test_payload_of_any_bytes_never_raises(payload: bytes) -> None:
    heard(payload)


@given(st.sampled_from(HEARD), st.integers(0, 2**32))
def test_payload_that_was_mutated_never_raises(payload: bytes, seed: int) -> None:
    heard(mutated(random.Random(seed), payload))
