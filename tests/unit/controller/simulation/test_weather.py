from rackgrid.simulation import recipe
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.weather import Delay, Duplication, Loss


def test_bad_weather_ends_by_itself() -> None:
    world = recipe.rack(1, nodes=2, capacity_w=24)
    network = world.network
    mean_ns = network.jitter_ns
    for one in (Loss(10, 100), Duplication(10, 100), Delay(20, 100)):
        one.apply(world)
    assert (network.loss, network.duplicates, network.jitter_ns) == (0.1, 0.1, 20_000_000)
    world.run(seconds(0.2))
    assert (network.loss, network.duplicates, network.jitter_ns) == (0, 0, mean_ns)


def test_weather_says_how_bad_and_for_how_long() -> None:
    assert str(Loss(10, 100)) == "10 % are lost for 100 ms"
    assert str(Duplication(10, 100)) == "10 % arrive twice for 100 ms"
    assert str(Delay(20, 100)) == "all is late by 20 ms in the mean for 100 ms"
