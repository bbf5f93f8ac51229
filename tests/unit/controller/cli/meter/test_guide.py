"""Fails if an answer that is none passes for a current."""

from __future__ import annotations

import io

import pytest

from rackgrid.cli.meter.guide import Person, Rig
from rackgrid.errors import RackgridError


def test_person_answers_with_a_number_or_with_enter_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    person = Person(io.StringIO("\n0,5012\n\n"))
    person.zero()
    assert person.point(0.5) == 0.5012
    assert person.point(1.0) == 1.0
    out, err = capsys.readouterr()
    assert out == "", "talk goes to stderr"
    assert "press Enter" in err
    assert "Set about 0.5 A" in err


def test_person_who_types_something_else_is_asked_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert Person(io.StringIO("half\n0\nnan\n0.49\n")).point(0.5) == 0.49
    assert capsys.readouterr().err.count("is no current") == 3


def test_person_who_is_gone_ends_it() -> None:
    with pytest.raises(RackgridError, match="the input ended: nothing written"):
        Person(io.StringIO("")).zero()


def test_rig_is_told_in_json_lines_and_answers_in_them() -> None:
    orders = io.StringIO()
    rig = Rig(io.StringIO('{"reference_a": 0}\n{"reference_a": 0.5012, "v": 12}\n'), orders)
    rig.zero()
    assert rig.point(0.5) == 0.5012
    assert orders.getvalue() == '{"step": "zero"}\n{"step": "point", "amps": 0.5}\n'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "gave no answer"),
        ("hello\n", "it answers with"),
        ("[1]\n", "it answers with"),
        ('{"reference": 1}\n', "it answers with"),
        ('{"reference_a": true}\n', "it answers with"),
        ('{"reference_a": 0}\n', "0.0 is no current"),
        ('{"reference_a": NaN}\n', "nan is no current"),
    ],
)
def test_rig_that_answers_something_else_ends_it(answer: str, said: str) -> None:
    with pytest.raises(RackgridError, match=said):
        Rig(io.StringIO(answer), io.StringIO()).point(0.5)


def test_rig_whose_zero_is_none_ends_it() -> None:
    with pytest.raises(RackgridError, match="answers a zero with"):
        Rig(io.StringIO('{"reference_a": 0.1}\n'), io.StringIO()).zero()
