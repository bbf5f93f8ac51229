from collections import Counter

from rackgrid.simulation import recipe
from rackgrid.simulation.fault import Kill, Partition, PowerCycle
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import scripted
from rackgrid.simulation.target import BROKER
from rackgrid.simulation.witness import (
    CLOSED,
    DEADLINE,
    INHERITED,
    LAPSED,
    SOMETIMES,
    SUPERSEDED,
    Witness,
)


def test_witness_idle_rack_reaches_no_hard_state_but_forming() -> None:
    world = recipe.rack(1)
    witness = Witness(world)
    world.run(seconds(8))
    assert LAPSED not in witness.sometimes
    assert DEADLINE not in witness.sometimes


def test_witness_sees_an_heir_renew_what_was_held_while_its_book_is_closed() -> None:
    world = recipe.rack(1)
    world.run(seconds(8))
    witness = Witness(world)
    Kill(BROKER).apply(world)
    world.run(seconds(13))
    assert witness.sometimes[INHERITED]
    assert witness.sometimes[CLOSED]


def test_witness_sees_the_firmware_end_grants_where_nobody_leads() -> None:
    world = recipe.rack(1)
    world.run(seconds(8))
    witness = Witness(world)
    Partition((1,)).apply(world)
    world.run(seconds(13))
    assert witness.sometimes[DEADLINE]


def test_witness_sees_a_broker_that_is_cut_off_lose_its_authority_and_be_told() -> None:
    world = recipe.rack(1)
    world.run(seconds(8))
    witness = Witness(world)
    Partition((5,)).apply(world)
    world.run(seconds(9))
    assert witness.sometimes[LAPSED] == 1
    PowerCycle(5, 0).apply(world)
    world.run(seconds(10))
    assert witness.sometimes[LAPSED] == 1


def test_swarm_of_a_few_seeds_reaches_every_hard_state() -> None:
    """Fails if the scripts have become so tame that they prove nothing."""
    reached: Counter[str] = Counter()
    for seed in range(40):
        reached.update(run(scripted(seed, 5, 22)).sometimes)
        if set(reached) == set(SOMETIMES):
            break
    assert set(reached) == set(SOMETIMES)
    assert reached[SUPERSEDED]
