"""What comes in datagrams, mangled: never an exception, and no growth; `bench_fuzz` plays more."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datagrams import PAYLOADS, Fuzzer

from rackgrid.wire.codec import KINDS, decode
from rackgrid.wire.vocabulary import Rejection


def test_corpus_has_every_kind_of_message() -> None:
    kinds = {type(decode(payload)) for payload in PAYLOADS} - {Rejection}
    assert kinds == set(KINDS.values())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_open_whatever_is_said_never_raises(seed: int) -> None:
    fuzzer = Fuzzer(seed)
    for _ in range(300):
        fuzzer.play()


def test_open_fuzzing_reaches_every_judge() -> None:
    """Fails if the inputs stop short: a fuzzer that nobody believes tests the MAC alone."""
    fuzzer, outcomes = Fuzzer(8437), Counter[str]()
    for _ in range(20_000):
        outcomes[fuzzer.play()] += 1
    reached = {"bad_mac", "unproven", "replayed", "cloned", "too_short", "too_long"}
    reached |= {"opened, decoded", "opened, malformed", "foreign_magic"}
    assert reached <= set(outcomes), outcomes
