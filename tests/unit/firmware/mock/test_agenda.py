"""What happens by itself happens once, in the order of time, and as it was planned last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.agenda import Agenda


def test_agenda_hands_out_what_is_due_in_order_and_once() -> None:
    agenda = Agenda[str]()
    for name, at_ns in (("b", 20), ("a", 10), ("c", 30)):
        agenda.plan(name, at_ns)
    assert agenda.next_ns == 10
    assert agenda.take(20) == ["a", "b"]
    assert agenda.take(20) == []
    assert agenda.next_ns == 30


def test_agenda_thing_that_is_planned_anew_or_no_more() -> None:
    agenda = Agenda[str]()
    agenda.plan("a", 10)
    agenda.plan("b", 12)
    agenda.plan("a", 15)
    agenda.plan("b", None)
    assert (agenda.next_ns, agenda.take(14), agenda.take(15)) == (15, [], ["a"])
    assert agenda.next_ns is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 50)), max_size=40),
    st.integers(0, 50),
)
def test_agenda_any_plans_come_true_as_they_were_last(
    plans: list[tuple[int, int | None]], now_ns: int
) -> None:
    agenda, last = Agenda[int](), dict[int, int | None]()
    for thing, at_ns in plans:
        agenda.plan(thing, at_ns)
        last[thing] = at_ns
    due = [thing for thing, at in last.items() if at is not None and at <= now_ns]
    taken = agenda.take(now_ns)
    assert sorted(taken) == sorted(due)
    moments = [last[thing] or 0 for thing in taken]
    assert moments == sorted(moments)
