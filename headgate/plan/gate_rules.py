"""What gates and segments must be like, each rule a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headgate.evidence import SPLIT, TRAFFIC
from headgate.plan.applies import PAIRED, gate_applies
from headgate.plan.finding import Finding
from headgate.plan.model import Applies, Gate, Metric, Plan

_OF_PAIRED = frozenset({"margin", "expect", "harm", "variance"})
_OF_LATENCY = frozenset({"quantile", "ratio", "tolerate", "variance"})
#: Keys that say something for some metrics only.
_SPECIFIC = _OF_PAIRED | _OF_LATENCY | {"ceiling", "floor"}


@dataclass(frozen=True, slots=True)
class _Keys:
    """Which of the specific keys a metric needs, and which it may have."""

    needs: frozenset[str]
    allows: frozenset[str]


_KEYS = {
    Metric.BRIER: _Keys(frozenset({"margin"}), _OF_PAIRED),
    Metric.ZERO_ONE: _Keys(frozenset({"margin"}), _OF_PAIRED),
    Metric.ERROR_RATE: _Keys(frozenset({"ceiling"}), frozenset({"ceiling"})),
    Metric.COVERAGE: _Keys(frozenset({"floor"}), frozenset({"floor"})),
    Metric.LATENCY: _Keys(frozenset({"quantile", "ratio", "applies"}), _OF_LATENCY),
}
_EXAMPLE = {
    "margin": "0.005", "ceiling": "0.01", "floor": "0.97", "quantile": "0.95", "ratio": "1.25",
    "applies": "shadow",
}  # fmt: skip


def gate_names_are_unique(plan: Plan) -> Iterator[Finding]:
    """Refuse a name given twice: evidence is kept by the gate's name."""
    first: dict[str, int] = {SPLIT: -1, TRAFFIC: -1}
    for i, gate in enumerate(plan.gates):
        seen = first.setdefault(gate.name, i)
        if seen != i:
            whose = (
                "Headgate keeps evidence of its own under it" if seen < 0 else f"gates[{seen}] has this name"
            )
            yield Finding(("gates", i, "name"), "a name of its own", f'"{gate.name}"', f"rename it: {whose}")


def gates_have_the_keys_their_metric_needs(plan: Plan) -> Iterator[Finding]:
    """Ask for what a metric needs: nothing is guessed for a gate."""
    for i, gate in enumerate(plan.gates):
        for key in sorted(_KEYS[gate.metric].needs):
            if getattr(gate, key) is None:
                asked = f"the key `{key}`, which metric {gate.metric} needs"
                yield Finding(("gates", i, key), asked, "nothing", f"add `{key}: {_EXAMPLE[key]}`")


def gates_have_no_keys_of_other_metrics(plan: Plan) -> Iterator[Finding]:
    """Refuse a key that means nothing here: it was meant to mean something."""
    for i, gate in enumerate(plan.gates):
        keys = _KEYS[gate.metric]
        for key in sorted((gate.model_fields_set & _SPECIFIC) - keys.allows):
            asked = f"only keys of metric {gate.metric} ({', '.join(sorted(keys.allows))})"
            yield Finding(("gates", i, key), asked, f"`{key}`", "remove it, or change the metric")


def only_paired_gates_carry_evidence(plan: Plan) -> Iterator[Finding]:
    """Keep operation fresh: what it proved at one share says nothing about a larger one."""
    for i, gate in enumerate(plan.gates):
        if gate.evidence == "carry" and gate.metric not in PAIRED:
            todo = f"remove it: the evidence of a {gate.metric} gate starts anew with every step"
            yield Finding(("gates", i, "evidence"), "fresh", "carry", todo)


def brier_needs_probabilities(plan: Plan) -> Iterator[Finding]:
    """Refuse Brier for labels, which have no such score."""
    for i, gate in enumerate(plan.gates):
        if gate.metric is Metric.BRIER and plan.prediction.kind == "label":
            todo = "use zero_one, or serve probabilities"
            yield Finding(("gates", i, "metric"), "zero_one, as prediction.kind is label", "brier", todo)


def margins_are_within_reach_of_a_loss(plan: Plan) -> Iterator[Finding]:
    """Refuse margins that the clipped losses can never show."""
    bound, name = _bound(plan)
    for path, _, margin in _margins(plan):
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
    bound, name = _bound(plan)
    for i, gate in enumerate(plan.gates):
        if gate.harm is not None and not 0 < gate.harm < bound:
            asked = f"a number above 0 and below {name} ({bound:g})"
            todo = "write the worsening worth finding fast, in the metric's unit"
            yield Finding(("gates", i, "harm"), asked, f"{gate.harm:g}", todo)


def expect_is_within_reach_of_a_loss(plan: Plan) -> Iterator[Finding]:
    """Refuse to expect an improvement that the clipped losses can never show."""
    bound, name = _bound(plan)
    for i, gate in enumerate(plan.gates):
        if gate.metric in PAIRED and gate.expect <= -bound:
            asked = f"a number above -{name} (-{bound:g})"
            yield Finding(("gates", i, "expect"), asked, f"{gate.expect:g}", "expect less or raise the bound")


def latency_quantiles_can_be_measured(plan: Plan) -> Iterator[Finding]:
    """Refuse quantiles so far out that no history of the incumbent is long enough to hold them."""
    for i, gate in enumerate(plan.gates):
        if gate.quantile is not None and not 0.5 <= gate.quantile <= 0.999:
            todo = "use 0.95 (needs 2,000 requests of history) or 0.99 (needs 20,000)"
            yield Finding(
                ("gates", i, "quantile"), "a quantile from 0.5 to 0.999", f"{gate.quantile:g}", todo
            )


def what_latency_tolerates_is_below_its_ratio(plan: Plan) -> Iterator[Finding]:
    """Refuse a slowdown that is both fine and bad."""
    for i, gate in enumerate(plan.gates):
        if gate.ratio is not None and gate.tolerate >= gate.ratio:
            asked = f"a number below ratio ({gate.ratio:g})"
            yield Finding(("gates", i, "tolerate"), asked, f"{gate.tolerate:g}", "lower it or raise ratio")


def latency_is_measured_where_it_can_be(plan: Plan) -> Iterator[Finding]:
    """Ask for shadow (the mirror) or split (two arms): at 100 % there is nobody to compare with."""
    for i, gate in enumerate(plan.gates):
        if gate.metric is Metric.LATENCY and gate.applies is Applies.ALL:
            todo = "write two gates, one with shadow (the mirror's log) and one with split (the plane's log)"
            yield Finding(("gates", i, "applies"), "shadow or split", "all", todo)


def every_gate_counts_on_some_step(plan: Plan) -> Iterator[Finding]:
    """Refuse a gate that never counts: it was meant to guard something."""
    for i, gate in enumerate(plan.gates):
        says_where = gate.metric is not Metric.LATENCY or gate.applies is not None
        if says_where and not any(gate_applies(gate, step.share_bp) for step in plan.steps):
            found = f"applies {gate.applies or 'all'} from {gate.from_:g} %"
            todo = "widen `applies` or lower `from`, or remove the gate"
            yield Finding(("gates", i), "a gate that counts on a step of this plan", found, todo)


def segments_name_paired_gates(plan: Plan) -> Iterator[Finding]:
    """Ask for paired gates: a segment must prove a margin of its own, which others do not have."""
    paired = [gate.name for gate in plan.gates if gate.metric in PAIRED]
    for name in plan.segments.gates if plan.segments else ():
        if name not in paired:
            exists = any(gate.name == name for gate in plan.gates)
            found = f"`{name}`, which is no paired gate" if exists else f"`{name}`, which is no gate"
            asked = f"the name of a brier or zero_one gate ({', '.join(paired) or 'there is none'})"
            yield Finding(("segments", "gates", name), asked, found, "correct the name or remove it")


def _bound(plan: Plan) -> tuple[float, str]:
    """Return what a paired difference can reach at most, and what to call it."""
    if plan.unit.block == "none":
        return 1.0, "the largest loss"
    return plan.unit.block_bound, "unit.block_bound"


def _margins(plan: Plan) -> Iterator[tuple[tuple[str | int, ...], Gate, float]]:
    """Yield every margin of a paired gate, overall and for segments, with where it stands."""
    for i, gate in enumerate(plan.gates):
        if gate.metric not in PAIRED:
            continue
        if gate.margin is not None:
            yield ("gates", i, "margin"), gate, gate.margin
        if plan.segments and gate.name in plan.segments.gates:
            yield ("segments", "gates", gate.name), gate, plan.segments.gates[gate.name]
