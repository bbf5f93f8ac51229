"""When a start may happen: every rule that makes an output wait, or that refuses it for now.

Pure, and without memory: what was is in `guard_rules.OutputGuard`, now is an argument.

A budget is a bucket of `switches_per_day` starts that fills evenly over a day: a start takes one
out, and opening costs nothing, since what a data sheet counts is an operation, a closing and the
opening that follows it. So an output whose budget is spent stays off until the next start has
dripped in, and nothing that makes it safe ever waits for it. Over many days the mean holds; a full
bucket lets a first day have up to twice as many.

One number keeps the bucket: the moment at which it will be full. Source: ITU-T I.371, the generic
cell rate algorithm ("virtual scheduling").
"""

from __future__ import annotations

from collections.abc import Sequence

from rackgrid_firmware.guard_rules import DAY_NS, NEVER_NS, OutputGuard, Rule, Rules

BUDGET = "switch budget spent"


def start_allowed_ns(
    rules: Rules, outputs: Sequence[OutputGuard], last_start_ns: int, at: int
) -> int:
    """Say when a start that waits may happen at the earliest, ns; `NEVER_NS` if not by time alone.

    Args:
        rules: of the board.
        outputs: how they stand.
        last_start_ns: when any output was last switched on, ns.
        at: the place of the one that waits.
    """
    rule, output = rules.outputs[at], outputs[at]
    return max(
        may_start_ns(rules, outputs, at),
        last_start_ns + rules.stagger_ns,
        output.asked_ns + rule.hold_ns,
    )


def may_start_ns(rules: Rules, outputs: Sequence[OutputGuard], at: int) -> int:
    """Say when an output that is off may start, as far as it depends on no question of its own.

    It is what bids are shaped by: the delay that only asking for a start begins is left out.
    """
    rule, output = rules.outputs[at], outputs[at]
    if output.barred:
        return NEVER_NS
    allowed_ns = output.since_ns + rule.min_off_ns
    if not rule.required:
        allowed_ns = max(allowed_ns, rules.calm_until_ns, rule.calm_until_ns)
    if rule.switches_per_day:
        allowed_ns = max(allowed_ns, budget_ns(rule, output))
    for name in rule.not_with:
        allowed_ns = max(allowed_ns, _clear_of_ns(rules, outputs, name))
    return allowed_ns


def objection(
    rules: Rules, outputs: Sequence[OutputGuard], at: int, now_ns: int
) -> tuple[str, int]:
    """Say why a start cannot even wait, and when to ask again (0: no time is known); or ("", 0).

    A start that a dwell or the stagger delays waits, because the controller knows those times; one
    that another output forbids, or a spent budget, would hold watts for nothing.
    """
    rule, output = rules.outputs[at], outputs[at]
    if output.barred:
        return output.barred, 0
    if rule.switches_per_day and (retry_ns := budget_ns(rule, output)) > now_ns:
        return BUDGET, retry_ns
    for name in rule.not_with:
        clear_ns = _clear_of_ns(rules, outputs, name)
        if clear_ns >= NEVER_NS:
            return f"not together with {name}", 0
        if clear_ns > now_ns and outputs[_place(rules, name)].on:
            return f"not together with {name}", clear_ns
    return "", 0


def budget_ns(rule: Rule, output: OutputGuard) -> int:
    """Say when the budget allows the next start, ns."""
    return output.full_ns - DAY_NS + DAY_NS // rule.switches_per_day


def spent(rule: Rule, output: OutputGuard, now_ns: int) -> int:
    """Take one start out of the budget: say when it will be full then, ns."""
    if not rule.switches_per_day:
        return output.full_ns
    return max(output.full_ns, now_ns) + DAY_NS // rule.switches_per_day


def _clear_of_ns(rules: Rules, outputs: Sequence[OutputGuard], name: str) -> int:
    """Say when another output will have been off for its dead time, ns.

    One that is on is off at its deadline, if it is not held again. A welded one is off by its pin
    alone, and goes on giving power.
    """
    at = _place(rules, name)
    other = outputs[at]
    if other.is_welded:
        return NEVER_NS
    off_ns = other.deadline_ns if other.on else other.since_ns
    return off_ns + rules.outputs[at].dead_ns


def _place(rules: Rules, name: str) -> int:
    at = rules.index(name)
    assert at is not None, f"no output {name!r}"
    return at
