from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rackgrid.config_check import AUTHORITY_HEARTBEATS, ELECTION_S, RHO, absent_s, grant_s_min
from rackgrid.config_file import read_config
from rackgrid.config_units import loads

PROFILE = """\
[board]
name = "b"
driver = "{driver}"
base_w = 4
hold_max_s = {hold_max_s}
[[meter]]
name = "panel"
address = 0x40
[[output]]
name = "server"
gpio = 17
required = true
nominal_w = 8
[[output]]
name = "fan"
gpio = 22
nominal_w = 6
"""
RACK = '[rack]\nname = "demo"\ninterface = "lo"\nexpect = 3\n'
REST = '[feed]\ncapacity_w = {feed}\n[node]\nname = "pi-1"\nboard = "board.toml"\n'
FAN = '[[load]]\nname = "fan"\nworth = 0.4\n'


def check(
    folder: Path,
    rack: str = "",
    loads: str = FAN,
    *,
    driver: str = "mock",
    hold_max_s: float = 6,
    feed: str = "30",
) -> tuple[list[str], list[str]]:
    """The findings and the notes, without the path."""
    (folder / "board.toml").write_text(PROFILE.format(driver=driver, hold_max_s=hold_max_s))
    path = folder / "r.toml"
    path.write_text(RACK + rack + REST.format(feed=feed) + loads)
    outcome = read_config(path)
    assert (outcome.config is None) == bool(outcome.findings)
    findings, notes = (
        [str(each).removeprefix(str(path)) for each in group]
        for group in (outcome.findings, outcome.notes)
    )
    return findings, notes


def test_defaults_leave_room_for_a_failover() -> None:
    assert grant_s_min(0.1, 0.5, 3, 0.5) == pytest.approx(0.1 + 0.5 + 0.5 + 0.5101 + 0.1, abs=1e-4)
    assert grant_s_min(0.1, 0.5, 3, 0.5) < 2.5


def test_grant_that_a_failover_would_drop_is_refused_with_the_sum(tmp_path: Path) -> None:
    findings, _ = check(tmp_path, "grant_s = 1.2\n")
    assert findings == [
        ":5: [rack] grant_s: too short: a failover would drop grants (got 1.2); allowed: 1.71 s or "
        "more = heartbeat_s 0.1 + round_s 0.5 + failover 0.5 (suspect 3 * heartbeat_s + 0.2) "
        "+ authority_s * 1.01/0.99 0.5101 + heartbeat_s 0.1"
    ]


def test_grant_by_default_too_short_blames_the_key_that_made_it_so(tmp_path: Path) -> None:
    findings, _ = check(tmp_path, "round_s = 4\n")
    assert findings[0].startswith(":5: [rack] round_s: too short: a failover would drop grants")


@given(
    heartbeat_s=st.floats(0.01, 0.5),
    round_s=st.floats(0.05, 3),
    suspect=st.integers(2, 8),
    spare=st.floats(-0.2, 0.2),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_grant_is_refused_exactly_below_the_bound(
    tmp_path: Path, heartbeat_s: float, round_s: float, suspect: int, spare: float
) -> None:
    authority_s = AUTHORITY_HEARTBEATS * heartbeat_s
    bound_s = (
        2 * heartbeat_s
        + round_s
        + suspect * heartbeat_s
        + ELECTION_S
        + authority_s * (1 + RHO) / (1 - RHO)
    )
    grant_s = bound_s + spare
    rack = (
        f"heartbeat_s = {heartbeat_s!r}\nround_s = {round_s!r}\nsuspect = {suspect}\n"
        f"authority_s = {authority_s!r}\ngrant_s = {grant_s!r}\n"
    )
    findings, _ = check(tmp_path, rack, hold_max_s=60)
    if abs(spare) > 1e-6:
        assert bool(findings) == (spare < 0), findings


def test_authority_of_less_than_three_heartbeats_is_refused(tmp_path: Path) -> None:
    findings, _ = check(tmp_path, "heartbeat_s = 0.2\n")
    assert findings == [
        ":1: [rack] authority_s: too short: two lost acks would end the broker's office "
        "(got 0.5); allowed: 3 * heartbeat_s, 0.6 s, or more"
    ]
    assert check(tmp_path, "heartbeat_s = 0.2\nauthority_s = 0.6\n")[0] == []


def test_grant_longer_than_the_firmware_holds_is_refused(tmp_path: Path) -> None:
    findings, _ = check(tmp_path, "grant_s = 4\n", hold_max_s=3)
    assert findings == [
        ":5: [rack] grant_s: longer than the firmware holds an output (got 4); "
        "allowed: at most hold_max_s of board.toml, 3 s"
    ]


def test_restart_longer_than_the_firmware_holds_is_refused_if_it_was_asked_for(
    tmp_path: Path,
) -> None:
    findings, _ = check(tmp_path, "restart_s = 7\n", hold_max_s=6)
    assert findings == [
        ":5: [rack] restart_s: longer than the firmware holds an output (got 7); "
        "allowed: at most hold_max_s of board.toml, 6 s"
    ]
    assert check(tmp_path, "", hold_max_s=6)[0] == [], "the default is as long as it can be"


def test_reserve_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    findings, _ = check(tmp_path, feed="30\nreserve_w = 30")
    assert findings == [
        ":7: [feed] reserve_w: the reserve leaves nothing of the feed (got 30); "
        "allowed: less than capacity_w, 30 W"
    ]


@pytest.mark.parametrize(
    ("loads", "findings"),
    [
        ('[[load]]\nname = "fan"\n', [
            ':10: [[load]] "fan" worth: missing: a flexible load bids; '
            "give the highest price per kWh at which it is wanted"
        ]),
        ('[[load]]\nname = "fan"\nworht = 1\n', [
            ":12: [[load]] \"fan\" worht: unknown key; did you mean 'worth'?"
        ]),
        ('[[load]]\nname = "fan"\nworth = 11\n', [
            ':12: [[load]] "fan" worth: above the highest bid that the rack allows (got 11); '
            "allowed: at most price_cap, 10"
        ]),
        ('[[load]]\nname = "server"\nkind = "required"\nworth = 1\n', [
            ':13: [[load]] "server" worth: a required load always gets its power and does not '
            "bid; take this line out"
        ]),
        ('[[load]]\nname = "server"\nworth = 1\n', [
            ':10: [[load]] "server" kind: the output "server" of board.toml is required = true; '
            'so is this load (got "flexible"); allowed: "required"'
        ]),
        ('[[load]]\nname = "fan"\nkind = "required"\n', [
            ':12: [[load]] "fan" kind: the output "fan" of board.toml is not required: the '
            'firmware would not keep it on by itself (got "required"); '
            'allowed: another kind, or required = true in the board profile'
        ]),
        ('[[load]]\nname = "fen"\nworth = 1\n', [
            ':11: [[load]] "fen" name: no such output in board.toml (got "fen"); '
            "allowed: \"fan\", \"server\"; did you mean 'fan'?"
        ]),
        ('[[load]]\nname = "x"\noutput = "fna"\nworth = 1\n', [
            ':12: [[load]] "x" output: no such output in board.toml (got "fna"); '
            "allowed: \"fan\", \"server\"; did you mean 'fan'?"
        ]),
        (FAN + FAN, [
            ':14: [[load]] "fan" name: used already in line 11, by [[load]] "fan"; '
            'each needs its own (got "fan")'
        ]),
        (FAN + '[[load]]\nname = "fan-2"\noutput = "fan"\nworth = 1\n', [
            ':15: [[load]] "fan-2" output: [[load]] "fan" has this output already (got "fan")'
        ]),
        (FAN + '[[source]]\nname = "sun"\nprice = 0\nmeter = "pannel"\n', [
            ':16: [[source]] "sun" meter: no such meter in board.toml (got "pannel"); '
            "allowed: \"panel\"; did you mean 'panel'?"
        ]),
        (
            FAN + '[[source]]\nname = "grid"\nprice = 0\ntariff_file = "t"\n'
            'http = { url = "ftp://x/" }\n',
            [
                ':16: [[source]] "grid" tariff_file: there is `http` too; keep one of the two',
                ':17: [[source]] "grid" http url: not understood (got "ftp://x/"); '
                "allowed: an address that begins with http:// or https://",
            ],
        ),
        (FAN + '[[source]]\nname = "sun"\nprice = 10.5\n', [
            ':15: [[source]] "sun" price: above the highest bid that the rack allows (got 10.5); '
            "allowed: at most price_cap, 10"
        ]),
    ],
)  # fmt: skip
def test_load_or_source_that_cannot_be_is_refused(
    tmp_path: Path, loads: str, findings: list[str]
) -> None:
    assert check(tmp_path, loads=loads)[0] == findings


def test_good_config_has_neither_findings_nor_notes(tmp_path: Path) -> None:
    assert check(tmp_path) == ([], [])


def test_flexible_output_that_no_load_uses_is_noted(tmp_path: Path) -> None:
    assert check(tmp_path, loads="") == (
        [],
        [':7: [node]: no [[load]] uses the output "fan", so it is never switched on'],
    )


def test_floor_that_the_feed_cannot_carry_is_noted(tmp_path: Path) -> None:
    _, notes = check(tmp_path, feed="11")
    assert notes == [
        ":6: [feed] capacity_w: this node alone needs 12 W (electronics and required outputs), "
        "and the feed has 11 W beside its reserve: the rack will not admit it"
    ]


@pytest.mark.parametrize(
    ("gpio", "active_high", "closes"),
    [(4, True, True), (8, True, True), (9, True, False), (9, False, True), (8, False, False)],
)
def test_relay_that_closes_while_the_pi_boots_is_noted(
    tmp_path: Path, gpio: int, active_high: bool, closes: bool
) -> None:
    path = tmp_path / "r.toml"
    path.write_text(RACK + REST.format(feed=30) + FAN)
    board = PROFILE.format(driver="pi", hold_max_s=6).replace("gpio = 22", f"gpio = {gpio}")
    (tmp_path / "board.toml").write_text(f"{board}active_high = {str(active_high).lower()}\n")
    outcome = read_config(path)
    assert outcome.findings == ()
    notes = [note for note in outcome.notes if note.file == str(path)]
    assert [("closes at every boot" in note.problem, note.line) for note in notes] == (
        [(True, 9)] if closes else []
    )


def test_mock_table_beside_a_real_board_is_noted(tmp_path: Path) -> None:
    _, notes = check(tmp_path, loads=f"{FAN}[mock]\nseed = 3\n", driver="pi")
    assert notes[-1] == ":13: [mock]: has no effect: the board b is a real one"
    assert ["not calibrated" in note for note in notes] == [True, False]


def test_even_number_of_voters_is_refused(tmp_path: Path) -> None:
    findings, _ = check(tmp_path, "voters_max = 4\n")
    assert findings == [
        ":5: [rack] voters_max: even: votes are given in odd numbers, so that no half of a rack "
        "equals the other (got 4); allowed: an odd number, 1 to 15; did you mean '3'?"
    ]
    for odd in (1, 3, 15):
        assert check(tmp_path, f"voters_max = {odd}\n")[0] == []


def test_vote_that_is_lost_before_its_node_is_absent_is_refused(tmp_path: Path) -> None:
    slow = "heartbeat_s = 0.4\nauthority_s = 1.2\ngrant_s = 5\n"
    findings, _ = check(tmp_path, f"{slow}demote_after_s = 3\n")
    assert findings == [
        ":8: [rack] demote_after_s: too short: a node would lose its vote before it counts as "
        "absent (got 3); allowed: 4 s or more"
    ]
    assert check(tmp_path, f"{slow}demote_after_s = 4\n")[0] == []


@pytest.mark.parametrize(
    ("heartbeat_s", "suspect", "expected"), [(0.1, 3, 1.0), (0.5, 3, 5.0), (0.2, 20, 4.2)]
)
def test_absence_outlasts_suspicion_and_a_second(
    heartbeat_s: float, suspect: int, expected: float
) -> None:
    assert absent_s(heartbeat_s, suspect) == pytest.approx(expected)


def test_meter_of_the_feed_is_one_of_the_boards(tmp_path: Path) -> None:
    assert check(tmp_path, feed='30\nmeter = "panel"') == ([], [])
    findings, _ = check(tmp_path, feed='30\nmeter = "pannel"')
    assert findings == [
        ':7: [feed] meter: no such meter in board.toml (got "pannel"); '
        "allowed: \"panel\"; did you mean 'panel'?"
    ]


@pytest.mark.parametrize(("expect", "line"), [("", 1), ("expect = 1\n", 4)])
def test_rack_of_one_is_noted(tmp_path: Path, expect: str, line: int) -> None:
    (tmp_path / "board.toml").write_text(PROFILE.format(driver="mock", hold_max_s=6))
    path = tmp_path / "r.toml"
    path.write_text(RACK.replace("expect = 3\n", expect) + REST.format(feed=30) + FAN)
    outcome = read_config(path)
    assert outcome.findings == ()
    (note,) = outcome.notes
    assert (note.line, note.place) == (line, "[rack] expect")
    assert "two racks" in note.problem


DIMMED = '[[load]]\nname = "fan"\nkind = "modulating"\nworth = 0.4\nworth_full = 0.1\n'


def with_pwm(folder: Path, loads: str) -> list[str]:
    (folder / "board.toml").write_text(
        PROFILE.format(driver="mock", hold_max_s=6).replace("gpio = 22", "pwm = 22")
    )
    path = folder / "r.toml"
    path.write_text(RACK + REST.format(feed="30") + loads)
    return [str(each).removeprefix(str(path)) for each in read_config(path).findings]


def test_load_that_modulates_has_levels_whose_worth_falls(tmp_path: Path) -> None:
    assert with_pwm(tmp_path, DIMMED + "stages = 3\n") == []
    config = read_config(tmp_path / "r.toml").config
    assert config is not None
    (load,) = loads(config)
    assert (load.worth_uc, load.stages_uc) == (400_000, (400_000, 250_000, 100_000))
    assert with_pwm(tmp_path, FAN) == [], "and without levels it is on or off"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            DIMMED.replace("0.1", "0.5"),
            ':14: [[load]] "fan" worth_full: its last bit of power is not worth more than its '
            "first (got 0.5); allowed: at most its worth, 0.4",
        ),
        (
            DIMMED.replace("worth_full = 0.1\n", ""),
            ':10: [[load]] "fan" worth_full: missing: the highest price per kWh at which its last '
            "bit of power is wanted",
        ),
        (
            FAN + "stages = 3\n",
            ':13: [[load]] "fan" stages: means nothing to a flexible load; allowed: kind = '
            '"modulating"',
        ),
    ],
)
def test_levels_that_cannot_be_are_told(tmp_path: Path, text: str, said: str) -> None:
    assert with_pwm(tmp_path, text) == [said]


def test_load_that_modulates_behind_a_relay_is_told(tmp_path: Path) -> None:
    findings, _ = check(tmp_path, loads=DIMMED)
    assert findings == [
        ':12: [[load]] "fan" kind: the output "fan" of board.toml is a relay: it has no `pwm` '
        '(got "modulating"); allowed: "flexible"'
    ]


def test_levels_beyond_what_a_bid_holds_are_told(tmp_path: Path) -> None:
    many = "".join(
        DIMMED.replace('"fan"', f'"fan{n}"') + 'stages = 8\noutput = "fan"\n' for n in range(4)
    )
    found = with_pwm(tmp_path, many)
    assert any("too many levels" in each and "(got 32 steps)" in each for each in found)
