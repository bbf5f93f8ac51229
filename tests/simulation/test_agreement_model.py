"""P7 on its bare rules: many brokers, lost words, slow disks and lost ones (agreement_model)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.agreement_model import BrokenError, Model

Step = tuple[str, int, int, int]
STEPS_EACH = 200
RUNS = 1200
"""As many random stories show that all rules together hold; each rule left out breaks in fewer."""


def play(model: Model, steps: list[Step]) -> None:
    """Let it all happen, and look after each step."""
    for what, a, b, c in steps:
        match what:
            case "beat":
                model.beat(a, b, c)
            case "stand":
                model.stand(a, b)
            case "amend":
                model.amend(a, b)
            case "tell":
                model.tell(a, b)
            case "write":
                model.write(b)
            case "arrive":
                model.arrive(a)
            case "crash":
                model.crash(a)
            case _:
                model.lose(a)
        model.check()


ODDS = {
    "beat": 10,
    "stand": 2,
    "amend": 10,
    "tell": 10,
    "write": 10,
    "arrive": 3,
    "crash": 1,
    "lose": 1,
}
BITS = st.integers(0, 255)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([what for what, odds in ODDS.items() for _ in range(odds)]),
        st.integers(0, 9),
        BITS,
        BITS,
    ),
    min_size=20,
    max_size=STEPS_EACH,
)


@settings(max_examples=200)
@given(STEPS, st.booleans())
def test_agreement_whatever_happens_one_leads_at_most_and_nothing_agreed_is_lost(
    steps: list[Step], founded: bool
) -> None:
    play(Model(founded=founded), steps)


def story(seed: int) -> list[Step]:
    """A random story; most words arrive, or hardly anything would ever be agreed."""
    chance = random.Random(seed)
    kinds, odds = list(ODDS), list(ODDS.values())
    reach = chance.choice((0.5, 0.8, 0.95))

    def some() -> int:
        return sum(1 << n for n in range(1, 8) if chance.random() < reach)

    def which() -> int:
        return 0 if chance.random() < 0.7 else chance.randrange(10)

    def step() -> Step:
        what = chance.choices(kinds, odds)[0]
        near = what in ("beat", "amend", "tell")
        number = which() if near else chance.randrange(100)
        bits = chance.randrange(16) if what == "amend" else some()
        return what, number, bits, some()

    return [step() for _ in range(STEPS_EACH)]


def broken(*without: str, founded: bool = True, runs: int = RUNS) -> int | None:
    """The first random story that breaks the model, if there is one."""
    for seed in range(runs):
        try:
            play(Model(*without, founded=founded), story(seed))
        except BrokenError:
            return seed
    return None


@pytest.mark.parametrize("founded", [True, False], ids=["of a rack", "of nodes without one"])
def test_agreement_in_random_stories_holds_and_is_reached(founded: bool) -> None:
    """Fails also if the stories have become so tame that they prove nothing."""
    agreed = reigns = racks = 0
    for seed in range(RUNS):
        model = Model(founded=founded)
        play(model, story(seed))
        agreed += len(model.agreed)
        racks += bool(model.agreed)
        reigns += sum(reign.agreement.agreed_version > 1 for reign in model.reigns)
    assert racks > RUNS // 2
    assert agreed > 3 * racks // 2
    assert reigns > RUNS // 2


@pytest.mark.parametrize(
    "rule",
    [
        "a new broker recommits",
        "who knows more ends the office",
        "an ack tells what is on the disk",
        "the lost have no vote",
    ],
)
def test_agreement_without_one_of_its_rules_breaks(rule: str) -> None:
    assert broken(rule) is not None


@pytest.mark.parametrize(
    "rule",
    ["older rosters are not supported", "stored only after an ack", "a founding needs all"],
)
def test_agreement_is_doubly_held_where_one_rule_alone_can_be_spared(rule: str) -> None:
    """Each of these saves an office in vain, and stands behind another: both may not fail."""
    assert broken(rule, runs=RUNS // 4) is None
    assert broken(rule, founded=False, runs=RUNS // 4) is None


def test_agreement_without_both_of_two_rules_that_double_each_other_breaks() -> None:
    assert broken("stored only after an ack", "a founding needs all") is not None
