from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.config import (
    Config,
    FeedConfig,
    LoadConfig,
    MockConfig,
    NodeConfig,
    RackConfig,
    SourceConfig,
    WebConfig,
)
from rackgrid.config_check import grant_s_min
from rackgrid.config_units import (
    loads,
    microcurrency,
    milliwatts,
    nanoseconds,
    node_settings,
    offers,
    timing,
)
from rackgrid.core.settings import LoadSettings, Timing
from rackgrid.market.offer import Offer
from rackgrid.wire.vocabulary import LoadKind

RACK = RackConfig(
    name="demo",
    group="224.0.0.224",
    port=8437,
    interface="lo",
    ttl=1,
    key_file=Path("/k"),
    expect=3,
    heartbeat_s=0.1,
    suspect=3,
    beacon_s=1.0,
    round_s=0.5,
    authority_s=0.5,
    grant_s=2.5,
    preempt=True,
    preempt_after_s=60.0,
    demote_after_s=300.0,
    restart_s=15.0,
    voters_max=5,
)
CONFIG = Config(
    path=Path("/c"),
    rack=RACK,
    feed=FeedConfig(capacity_w=30.0005, reserve_w=0.3, currency="EUR", price_cap=10.0, meter=""),
    sources=(
        SourceConfig("grid", 0.3, 0.0, "", None),
        SourceConfig("battery", 0.123456, 12.5, "", None),
        SourceConfig("sun", -0.05, 18.0, "panel", None),
    ),
    node=NodeConfig("pi-1", 7, Path("/b"), Path("/s"), Path("/r")),
    loads=(
        LoadConfig("server", "out-1", "required", None),
        LoadConfig("fan", "fan", "flexible", 0.4),
    ),
    mqtt=None,
    web=WebConfig("127.0.0.1", 8470, True),
    mock=MockConfig(None, 1, None),
)


def test_timing_of_the_defaults_is_the_default_timing() -> None:
    assert timing(RACK) == Timing()


def test_timing_of_a_faster_rack_elects_faster_too() -> None:
    fast = timing(replace(RACK, heartbeat_s=0.02, authority_s=0.1, round_s=0.1))
    assert fast.heartbeat_ns == 20_000_000
    assert (fast.skew_ns, fast.skew_max_ns) == (3_000_000, 12_000_000)
    assert fast.authority_ns == 100_000_000
    assert fast.absent_ns == 1_000_000_000


def test_timing_of_a_patient_rack_keeps_votes_longer() -> None:
    assert timing(replace(RACK, demote_after_s=2.5)).demote_after_ns == 2_500_000_000
    assert timing(replace(RACK, restart_s=0.0)).restart_ns == 0


@given(st.floats(0.01, 10), st.floats(0.05, 60), st.integers(2, 20))
@settings(max_examples=60)
def test_timing_of_any_rack_keeps_its_order(heartbeat_s: float, round_s: float, n: int) -> None:
    """A skew stays inside a heartbeat, absence outlasts suspicion, a price outlasts a failover."""
    rack = replace(RACK, heartbeat_s=heartbeat_s, round_s=round_s, suspect=n)
    it = timing(rack)
    assert it.skew_ns <= it.skew_max_ns <= it.heartbeat_ns
    assert it.absent_ns > it.suspect * it.heartbeat_ns
    assert it.price_valid_ns >= 4 * it.round_ns
    assert it.price_valid_ns > it.suspect * it.heartbeat_ns
    least_s = grant_s_min(heartbeat_s, round_s, n, rack.authority_s)
    assert least_s > heartbeat_s + round_s


@pytest.mark.parametrize(
    ("power_w", "power_mw"), [(0.3, 300), (0.1 + 0.2, 300), (1.9999, 1999), (0, 0), (7, 7000)]
)
def test_milliwatts_never_creates_power(power_w: float, power_mw: int) -> None:
    assert milliwatts(power_w) == power_mw


@given(st.integers(0, 10**9))
@settings(max_examples=60)
def test_milliwatts_of_what_is_whole_is_exact(power_mw: int) -> None:
    assert milliwatts(power_mw / 1000) == power_mw


def test_prices_and_spans_are_rounded_to_the_nearest() -> None:
    assert microcurrency(0.29) == 290_000
    assert microcurrency(-0.0000015) == -2
    assert nanoseconds(0.1) == 100_000_000


def test_loads_have_integer_worth_or_none() -> None:
    assert loads(CONFIG) == (
        LoadSettings("server", "out-1", None, kind=LoadKind.REQUIRED),
        LoadSettings("fan", "fan", 400_000),
    )


def test_offers_without_a_limit_give_the_capacity_and_metered_ones_nothing_yet() -> None:
    assert offers(CONFIG) == (
        Offer("grid", 300_000, 30_000),
        Offer("battery", 123_456, 12_500),
        Offer("sun", -50_000, 0),
    )


def test_node_settings_round_against_the_node() -> None:
    it = node_settings(CONFIG, api_port=8470, terms_from=4, terms_until=260, seed=99)
    assert (it.capacity_mw, it.reserve_mw, it.price_cap_uc) == (30_000, 300, 10_000_000)
    assert (it.name, it.priority, it.expect, it.api_port) == ("pi-1", 7, 3, 8470)
    assert (it.terms_from, it.terms_until, it.seed) == (4, 260, 99)
    assert (it.loads, it.timing) == (loads(CONFIG), Timing())
    assert (it.voters_max, it.meters_feed) == (5, False)
    uneven = replace(CONFIG, feed=replace(CONFIG.feed, reserve_w=0.3001))
    assert node_settings(uneven, api_port=0, terms_from=1, terms_until=2, seed=1).reserve_mw == 301


def test_node_settings_of_a_metered_feed_say_so() -> None:
    metered = replace(CONFIG, feed=replace(CONFIG.feed, meter="panel"))
    voting = replace(metered, rack=replace(RACK, voters_max=7))
    it = node_settings(voting, api_port=0, terms_from=1, terms_until=2, seed=1)
    assert (it.meters_feed, it.voters_max) == (True, 7)


def test_newcomers_floor_is_half_of_the_feed_if_nothing_is_said() -> None:
    def told(floor_w: float | None) -> tuple[int, int]:
        rack = replace(RACK, newcomer_floor_w=floor_w, newcomer_priority=7)
        config = replace(CONFIG, rack=rack)
        it = node_settings(config, api_port=0, terms_from=1, terms_until=2, seed=1)
        return it.newcomer_floor_mw, it.newcomer_priority

    assert told(None) == (15_000, 7)
    assert told(0.0) == (0, 7)
    assert told(4.5) == (4500, 7)
