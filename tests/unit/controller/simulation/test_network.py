"""A hostile network, as hostile as it is told to be."""

from __future__ import annotations

import random

from rackgrid.identity import NodeId
from rackgrid.simulation.network import Network

A, B, C = NodeId(1), NodeId(2), NodeId(3)


def many(network: Network, sender: NodeId = A, to: NodeId = B) -> list[list[int]]:
    chance = random.Random(1)
    return [network.arrivals(chance, sender, to) for _ in range(2000)]


def test_arrivals_kind_network_delivers_each_once_after_its_least_delay() -> None:
    delivered = many(Network())
    assert all(len(one) == 1 for one in delivered)
    assert min(delay for (delay,) in delivered) >= 300_000


def test_arrivals_mean_delay_is_the_least_and_the_jitter() -> None:
    delays = [delay for (delay,) in many(Network(delay_ns=1000, jitter_ns=1_000_000))]
    assert 900_000 < sum(delays) / len(delays) < 1_100_000


def test_arrivals_loss_and_duplicates_come_as_often_as_told() -> None:
    delivered = many(Network(loss=0.3, duplicates=0.2))
    assert 0.25 < sum(not one for one in delivered) / 2000 < 0.35
    assert 0.1 < sum(len(one) == 2 for one in delivered) / 2000 < 0.18


def test_arrivals_cut_one_way_passes_the_other_way() -> None:
    network = Network(cut={(A, B)})
    assert not any(many(network))
    assert all(many(network, B, A))


def test_arrivals_deaf_node_hears_unicast_only_and_is_heard() -> None:
    network = Network(deaf={B})
    assert not any(many(network))
    assert all(many(network, B, A))
    assert network.arrivals(random.Random(1), A, B, unicast=True)


def test_isolate_cuts_both_ways_and_nothing_inside_and_heal_mends_it() -> None:
    network = Network()
    network.isolate({A}, {B, C})
    assert network.cut == {(A, B), (B, A), (A, C), (C, A)}
    network.heal()
    assert network.cut == set()


def test_calm_ends_every_fault_of_the_network() -> None:
    network = Network(loss=0.5, duplicates=0.5, jitter_ns=9, deaf={B}, slow={NodeId(1): 5})
    network.isolate({NodeId(1)}, {NodeId(2)})
    network.calm()
    assert network == Network()


def test_slow_sender_is_late_and_others_are_not() -> None:
    network = Network(jitter_ns=0, slow={NodeId(1): 5_000_000})
    chance = random.Random(1)
    late = network.arrivals(chance, NodeId(1), NodeId(2))
    soon = network.arrivals(chance, NodeId(2), NodeId(1))
    assert late == [soon[0] + 5_000_000]
