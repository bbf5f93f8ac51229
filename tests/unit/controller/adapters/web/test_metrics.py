"""What Prometheus reads: parsed by its own client."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.controller.adapters.story import SECOND, cleared
from tests.unit.controller.cli.daemon import VIEW

from rackgrid.adapters.chronicle import Chronicle
from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.metrics import exposition
from rackgrid.core.view import FeedView, MeterView, SupplyFlags, SupplyView, View
from rackgrid.market.curve import Step

METER = MeterView("feed", 12.1, 1.5, 18.15, 7200.5, "fresh", uncertainty_w=0.2)

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def doors(view: View = VIEW, chronicle: Chronicle | None = None) -> Doors:
    return Doors(
        lambda: view,
        lambda: (True, ""),
        lambda: None,
        lambda _: None,
        lambda: 0,
        chronicle=chronicle,
    )


def read(view: View = VIEW, chronicle: Chronicle | None = None) -> Samples:
    """Parse the answer: name -> labels -> value."""
    found: Samples = {}
    for family in text_string_to_metric_families(exposition(doors(view, chronicle))):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {}), "a sample is said once"
            found[sample.name][labels] = sample.value
    return found


def test_exposition_tells_of_the_node_the_rack_and_the_price() -> None:
    found = read()
    (about,) = found["rackgrid_info"]
    assert ("node", "pi-1") in about
    assert found["rackgrid_term"] == {(): 7}
    roles = found["rackgrid_role"]
    assert {labels[0][1] for labels, value in roles.items() if value} == {"member"}
    assert len(roles) == 5
    assert found["rackgrid_price_per_kwh"] == {(("currency", "EUR"),): 0.42}
    assert found["rackgrid_feed_capacity_watts"] == {(): 60.0}
    assert found["rackgrid_member_draw_watts"][(("member", "pi-2"),)] == 9.0


def test_exposition_tells_of_its_own_loads_alone() -> None:
    """Fails if a sum over all nodes counts a load twice."""
    found = read()
    assert found["rackgrid_load_on"] == {(("load", "server"),): 1, (("load", "fan"),): 0}
    assert found["rackgrid_load_worth_per_kwh"] == {(("load", "fan"),): 0.4}
    assert found["rackgrid_battery_charge_ratio"] == {(("source", "pack"),): 0.756}


def test_exposition_tells_of_contacts_and_verdicts() -> None:
    """Fails if wear or a load that is missing reaches nobody."""
    server, fan, pump = VIEW.loads
    worn = replace(
        fan, verdict="no_load", notice="draws nothing", switches=93_000, life_percent=93.0
    )
    found = read(replace(VIEW, loads=(server, worn, pump)))
    of_fan, of_server = ("load", "fan"), ("load", "server")
    assert found["rackgrid_load_contact_closings"] == {(of_fan,): 93_000}
    assert found["rackgrid_load_contact_life_ratio"] == {(of_fan,): 0.93}
    assert found["rackgrid_load_notice"] == {(of_fan,): 1, (of_server,): 0}
    assert found["rackgrid_load_verdict"] == {(of_fan, ("verdict", "no_load")): 1}


def test_exposition_leaves_out_what_is_unknown() -> None:
    """Fails if an unknown price is said to be 0, or the feed of a broker that is gone."""
    unknown = replace(VIEW, price=replace(VIEW.price, value=None))
    found = read(replace(unknown, meters=(replace(METER, watts=float("nan")),)))
    for name in ("price_per_kwh", "price_scarce", "feed_capacity_watts", "meter_watts"):
        assert f"rackgrid_{name}" not in found
    assert found["rackgrid_meter_volts"] == {(("meter", "feed"),): 12.1}


def test_exposition_of_a_feed_that_the_followed_broker_has_not_told_of_has_no_sums() -> None:
    found = read(replace(VIEW, feed=FeedView(60.0, None, None, 24.0)))
    assert found["rackgrid_feed_floors_watts"] == {(): 24.0}
    assert not found.keys() & {"rackgrid_feed_drawn_watts", "rackgrid_feed_granted_watts"}


def test_exposition_of_a_meter_counts_energy_and_says_whether_it_is_fresh() -> None:
    found = read(replace(VIEW, meters=(METER, replace(METER, name="fan", quality="stale"))))
    assert found["rackgrid_meter_energy_joules_total"][(("meter", "feed"),)] == 7200.5
    assert list(found["rackgrid_meter_fresh"].values()) == [1, 0]


def test_exposition_counts_rejected_datagrams_by_reason() -> None:
    found = read(replace(VIEW, rejected={"bad_mac": 3, "replayed": 1}))
    rejected = found["rackgrid_datagrams_rejected_total"]
    assert rejected == {(("reason", "bad_mac"),): 3, (("reason", "replayed"),): 1}


def test_exposition_of_any_name_can_be_read_back() -> None:
    """Fails if a name can break out of its quotes."""
    odd = 'a"b\\c\nd} 1'
    found = read(replace(VIEW, loads=(replace(VIEW.loads[0], name=odd),)))
    assert found["rackgrid_load_on"] == {(("load", odd),): 1}


def test_exposition_of_a_broker_tells_how_good_its_rounds_were() -> None:
    chronicle = Chronicle("pi-1", "0a", lambda: None, lambda: 0)
    assert "rackgrid_rounds_total" not in read(VIEW, chronicle)
    for second in (1, 2):
        chronicle.publish(cleared(Step(400_000, 6000, 9000, running=False)), second * SECOND)
    found = read(VIEW, chronicle)
    assert found["rackgrid_rounds_total"] == {(("exact", "yes"),): 2}
    assert found["rackgrid_welfare_ratio"] == {(): 1}
    unproven = cleared(Step(400_000, 6000, 9000, running=False))
    chronicle.publish(replace(unproven, clearing=replace(unproven.clearing, exact=False)), SECOND)
    assert "rackgrid_welfare_ratio" not in read(VIEW, chronicle)


@pytest.mark.parametrize("is_low", [True, False])
def test_exposition_tells_of_the_supply_of_a_pi_that_says(is_low: bool) -> None:
    supply = SupplyView(SupplyFlags(is_low, None, None, None), None)
    assert read(replace(VIEW, supply=supply))["rackgrid_under_voltage"] == {(): is_low}
    assert "rackgrid_under_voltage" not in read()
