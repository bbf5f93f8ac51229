"""Choice: of a group at most one bids, a follower only beside its leader, waste is limited."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.choice import after, beside, burned, one_of, stay_uc, switching_uc

NAMES = ("a", "b", "c", "d")
worths = st.fixed_dictionaries(dict.fromkeys(NAMES, st.none() | st.integers(-5, 5)))
some = st.sets(st.sampled_from(NAMES))


@given(worths, some, some)
def test_one_of_a_group_bids_and_it_is_the_best(
    said: dict[str, int | None], group: set[str], running: set[str]
) -> None:
    chosen = one_of(said, group, running)
    bidding = [name for name in group if chosen[name] is not None]
    assert len(bidding) <= 1
    assert all(chosen[name] == said[name] for name in NAMES if name not in group)
    known = [worth for name in group if (worth := said[name]) is not None]
    for name in bidding:
        assert said[name] == max(known)
        assert not (running & group) - {name}, "another of the group is still on"
    if known and not running & group:
        assert bidding, "somebody of a group that is off may start"


@given(worths, some)
def test_one_of_served_again_and_again_settles_on_the_best(
    said: dict[str, int | None], running: set[str]
) -> None:
    for _ in range(3):
        running = {
            name for name, worth in one_of(said, NAMES, running).items() if worth is not None
        }
    known = [worth for worth in said.values() if worth is not None]
    assert [said[name] for name in running] == ([max(known)] if known else [])


def test_one_of_equals_the_running_one_stays() -> None:
    assert one_of({"a": 3, "b": 3}, ("a", "b"), ("b",)) == {"a": None, "b": 3}


def test_beside_bids_only_while_its_leader_is_on() -> None:
    assert beside({"pump": 7, "valve": 1}, "pump", "valve", ()) == {"pump": None, "valve": 1}
    assert beside({"pump": 7, "valve": 1}, "pump", "valve", ("valve",))["pump"] == 7


def test_after_bids_only_when_its_leader_has_finished() -> None:
    assert after({"dryer": 7, "washer": 1}, "dryer", "washer", ()) == {"dryer": None, "washer": 1}
    assert after({"dryer": 7, "washer": 1}, "dryer", "washer", ("washer",))["dryer"] == 7


CAP = 1000


@given(st.integers(-500, 1200), st.integers(0, 300))
def test_switching_costs_stand_between_a_start_and_a_stop(worth: int, start: int) -> None:
    """Fails if a price that trembles by less than they are could switch a load on and off."""
    goes_on = switching_uc(worth, start, CAP, running=False)
    stays_on = switching_uc(worth, start, CAP, running=True)
    assert goes_on <= min(worth, CAP) <= stays_on <= CAP
    if worth >= CAP:
        assert goes_on == CAP, "what has to run at any price does"
    elif stays_on < CAP:
        assert stays_on - goes_on == 2 * start
    assert switching_uc(worth, start, CAP, running=False, owed=True) == min(worth, CAP)
    assert switching_uc(worth, start, CAP, running=True, owed=True) == stays_on


@given(
    worths,
    st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 9))),
    st.integers(0, 20),
)
def test_burned_is_within_the_limit_and_touches_no_real_use(
    said: dict[str, int | None], powers: dict[str, int], limit: int
) -> None:
    chosen = burned(said, powers, limit)
    burning = {n: worth for n in NAMES if (worth := chosen[n]) is not None and worth < 0}
    assert sum(powers[name] for name in burning) <= limit
    assert all(chosen[n] == w for n, w in said.items() if w is None or w >= 0)
    for name, worth in said.items():
        if worth is not None and worth < 0 and name not in burning:
            dearer = sum(powers[n] for n, w in burning.items() if w >= worth)
            assert dearer + powers[name] > limit, "there was room for it"


@given(st.integers(0, 10**9), st.integers(1, 10**5), st.integers(10**9, 10**14))
def test_stay_pays_for_a_start_over_a_usual_run(cost: int, power: int, span: int) -> None:
    energy_mj = max(1, power * span // 10**9)
    extra = stay_uc(cost, power, span)
    assert extra * energy_mj >= cost * 3_600_000
    assert (extra - 1) * energy_mj < cost * 3_600_000 or extra == 0
