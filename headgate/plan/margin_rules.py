"""What margins, expectations and harm must be like, each rule a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator

from headgate.plan.applies import LOSSES, MONEY, RATES, is_unpaired, loss_range
from headgate.plan.finding import Finding
from headgate.plan.model import Gate, Plan, is_capped


def margins_are_within_reach_of_a_loss(plan: Plan) -> Iterator[Finding]:
    """Refuse margins that the clipped losses can never show."""
    for path, gate, margin in _margins(plan):
        bound, name = _bound(plan, gate)
        if abs(margin) >= bound:
            todo = "lower the margin or raise the bound" if margin > 0 else "raise the margin or the bound"
            asked = f"a number below {name}" if margin > 0 else f"a number above -{name}"
            yield Finding(path, f"{asked} ({bound:g})", f"{margin:g}", todo)


def what_is_expected_is_better_than_the_margin(plan: Plan) -> Iterator[Finding]:
    """Put what is expected on the good side of the margin: the proof bets on it."""
    for path, gate, margin in _margins(plan):
        if gate.expect >= margin:
            expected = (
                f"its expect ({gate.expect:g})"
                if "expect" in gate.model_fields_set
                else "0, the default of expect"
            )
            todo = "raise the margin, or write the improvement you expect as `expect: -…`"
            yield Finding(path, f"a number above {expected}", f"{margin:g}", todo)


def a_margin_of_zero_or_less_says_what_harm_is(plan: Plan) -> Iterator[Finding]:
    """Ask for harm where its default, the margin, is not above zero."""
    for path, gate, margin in _margins(plan):
        if margin <= 0 and gate.harm is None:
            todo = "add `harm:` to the gate, the worsening worth finding fast, e.g. 0.01"
            yield Finding(path, "a `harm` beside a margin of zero or less", f"{margin:g}", todo)


def harm_is_a_worsening(plan: Plan) -> Iterator[Finding]:
    """Keep harm above zero and within what the losses can show."""
    for i, gate in enumerate(plan.gates):
        bound, name = _bound(plan, gate)
        if gate.harm is not None and not 0 < gate.harm < bound:
            asked = f"a number above 0 and below {name} ({bound:g})"
            todo = "write the worsening worth finding fast, in the metric's unit"
            yield Finding(("gates", i, "harm"), asked, f"{gate.harm:g}", todo)


def expect_is_within_reach_of_a_loss(plan: Plan) -> Iterator[Finding]:
    """Refuse to expect an improvement that the clipped losses can never show."""
    for i, gate in enumerate(plan.gates):
        bound, name = _bound(plan, gate)
        if gate.metric in LOSSES | MONEY and gate.expect <= -bound:
            asked = f"a number above -{name} (-{bound:g})"
            yield Finding(("gates", i, "expect"), asked, f"{gate.expect:g}", "expect less or raise the bound")


def what_a_rate_expects_is_below_its_ceiling(plan: Plan) -> Iterator[Finding]:
    """Put what is expected of a rate between 0 and its ceiling: the proof bets on it."""
    for i, gate in enumerate(plan.gates):
        ceiling = 1 - gate.floor if gate.floor is not None else gate.ceiling
        if gate.metric in RATES and ceiling is not None and not 0 <= gate.expect < ceiling:
            asked = f"a rate of events of at least 0 and below {ceiling:g}"
            yield Finding(("gates", i, "expect"), asked, f"{gate.expect:g}", "correct it or leave it out")


def _bound(plan: Plan, gate: Gate) -> tuple[float, str]:
    """Return what a difference can reach at most, and what to call it; infinite while no cap is known."""
    largest = gate.cap
    if largest is None:
        largest = math.inf if is_capped(gate, plan) else loss_range(gate, plan)
    if plan.unit.block == "none" or gate.metric in MONEY or is_unpaired(gate, plan):
        return largest, "the largest loss"
    if plan.unit.block_bound is not None:
        return min(plan.unit.block_bound, largest), "unit.block_bound"
    return 0.2 * largest, "unit.block_bound, by default 0.2 x the largest loss"


def _margins(plan: Plan) -> Iterator[tuple[tuple[str | int, ...], Gate, float]]:
    """Yield every margin of a loss, cost or value, overall and for segments, with where it stands."""
    for i, gate in enumerate(plan.gates):
        if gate.metric not in LOSSES | MONEY:
            continue
        if gate.margin is not None:
            yield ("gates", i, "margin"), gate, gate.margin
        if plan.segments and gate.name in plan.segments.gates:
            yield ("segments", "gates", gate.name), gate, plan.segments.gates[gate.name]
