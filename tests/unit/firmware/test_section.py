import pytest

from rackgrid_firmware.section import Finding, Section


def section(**values: str | float | bool | tuple[str, ...] | None) -> Section:
    return Section(
        label="[any]",
        place=("any",),
        present=True,
        values=dict(values),
        given=frozenset(values),
        broken=frozenset({"broken"}),
        guessed=frozenset(),
        inside={},
    )


def test_section_gives_each_value_by_its_type() -> None:
    it = section(name="fan", count=3, span=0.5, whole=2, on=True, others=("a", "b"))
    assert it.names("others") == ("a", "b")
    assert it.text("name") == "fan"
    assert it.integer("count") == 3
    assert it.number("span") == 0.5
    assert it.flag("on") is True
    whole = it.number("whole")
    assert (whole, type(whole)) == (2.0, float)


def test_section_gives_what_is_left_out_as_nothing() -> None:
    it = section(meter=None, inrush_w=None, others=None)
    assert it.names("others") == ()
    assert it.text("meter") == ""
    assert it.number("inrush_w") == 0.0
    assert it.number("inrush_w", 7.0) == 7.0


def test_section_asked_for_another_type_is_our_bug() -> None:
    it = section(name="fan")
    with pytest.raises(AssertionError):
        it.number("name")
    with pytest.raises(AssertionError):
        it.flag("name")


def test_section_with_a_broken_key_is_sound_in_the_others() -> None:
    it = section(broken=1.0, whole=2.0)
    assert it.sound("whole")
    assert not it.sound("whole", "broken")


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (
            Finding("rack.toml", 4, "[rack] port", "too large"),
            "rack.toml:4: [rack] port: too large",
        ),
        (Finding("rack.toml", 4, "", "not TOML"), "rack.toml:4: not TOML"),
        (Finding("rack.toml", 0, "", "cannot be read"), "rack.toml: cannot be read"),
        (Finding("a\nb", 0, "", "see \x1b[2J\0"), r"a\u000ab: see \u001b[2J\u0000"),
    ],
)
def test_finding_reads_as_a_compiler_writes(finding: Finding, text: str) -> None:
    assert str(finding) == text
