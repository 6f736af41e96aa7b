"""What gates and segments must be like, each rule a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headgate.evidence import SPLIT, TRAFFIC, WATCH
from headgate.plan.applies import (
    LOSSES,
    gate_applies,
    is_paired_loss,
    is_unpaired,
)
from headgate.plan.finding import Finding
from headgate.plan.model import Applies, Gate, Metric, Plan
from headgate.plan.ramp_rules import ramps
from headgate.verdicts import Role

_OF_LOSS = frozenset({"margin", "expect", "harm", "variance", "unpaired"})
_OF_CAPPED = _OF_LOSS | {"cap"}
_OF_DIFFERENCE = frozenset({"margin", "expect", "harm", "variance"})
_OF_RATE = frozenset({"ceiling", "expect", "harm"})
_OF_LATENCY = frozenset({"quantile", "ratio", "tolerate", "variance"})
#: Keys that say something for some metrics only.
_SPECIFIC = _OF_CAPPED | _OF_RATE | _OF_LATENCY | {"floor", "loss", "payoff"}


@dataclass(frozen=True, slots=True)
class _Keys:
    """Which of the specific keys a metric needs, and which it may have."""

    needs: frozenset[str]
    allows: frozenset[str]


def _keys(needs: str, allows: frozenset[str]) -> _Keys:
    asked = frozenset(needs.split())
    return _Keys(asked, asked | allows)


_KEYS = {
    Metric.BRIER: _keys("margin", _OF_LOSS),
    Metric.ZERO_ONE: _keys("margin", _OF_LOSS | {"ratio"}),
    Metric.ACCURACY: _keys("margin", _OF_LOSS),
    Metric.ABSOLUTE_ERROR: _keys("margin", _OF_CAPPED),
    Metric.SQUARED_ERROR: _keys("margin", _OF_CAPPED),
    Metric.LOSS: _keys("margin loss", _OF_CAPPED),
    Metric.COST: _keys("margin", _OF_CAPPED),
    Metric.VALUE: _keys("margin", _OF_CAPPED | {"payoff"}),
    Metric.CALIBRATION: _keys("", frozenset()),
    Metric.DISAGREEMENT: _keys("ceiling", _OF_RATE),
    Metric.ERROR_RATE: _keys("ceiling", _OF_RATE),
    Metric.FALLBACK_RATE: _keys("ceiling", _OF_RATE),
    Metric.REJECT_RATE: _keys("ceiling", _OF_RATE),
    Metric.OVERRIDE_RATE: _keys("ceiling", _OF_RATE),
    Metric.COVERAGE: _keys("floor", frozenset({"expect", "harm"})),
    Metric.LATENCY: _keys("quantile ratio applies", _OF_LATENCY),
}
_EXAMPLE = {
    "margin": "0.005", "ceiling": "0.01", "floor": "0.97", "quantile": "0.95", "ratio": "1.25",
    "applies": "shadow", "loss": "mymodule:myloss",
}  # fmt: skip


def gate_names_are_unique(plan: Plan) -> Iterator[Finding]:
    """Refuse a name given twice: evidence is kept by the gate's name."""
    implied = {gate.name for gate in plan.all_gates} - {gate.name for gate in plan.gates}
    for i, gate in enumerate(plan.gates):
        if gate.name.startswith(WATCH):
            todo = "rename it: what the detector says after 100 % is shown under such names"
            asked = f"a name that does not begin with {WATCH}"
            yield Finding(("gates", i, "name"), asked, f'"{gate.name}"', todo)
    first: dict[str, int] = dict.fromkeys((SPLIT, TRAFFIC, *implied), -1)
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
        if gate.metric not in _KEYS:
            todo = f"remove the gate: Headgate adds a {gate.metric} gate to every capped one"
            yield Finding(("gates", i, "metric"), f"one of {', '.join(_KEYS)}", f"{gate.metric}", todo)
            continue
        needs = _KEYS[gate.metric].needs - ({"margin"} if _rare(gate, plan) else frozenset())
        for key in sorted(needs):
            if getattr(gate, key) is None:
                asked = f"the key `{key}`, which metric {gate.metric} needs"
                yield Finding(("gates", i, key), asked, "nothing", f"add `{key}: {_EXAMPLE[key]}`")


def gates_have_no_keys_of_other_metrics(plan: Plan) -> Iterator[Finding]:
    """Refuse a key that means nothing here: it was meant to mean something."""
    for i, gate in enumerate(plan.gates):
        allows = _KEYS[gate.metric].allows if gate.metric in _KEYS else _SPECIFIC
        given = {key for key in gate.model_fields_set & _SPECIFIC if getattr(gate, key) is not None}
        for key in sorted(given - allows):
            asked = f"only keys of metric {gate.metric} ({', '.join(sorted(allows)) or 'none'})"
            yield Finding(("gates", i, key), asked, f"`{key}`", "remove it, or change the metric")


def only_paired_gates_carry_evidence(plan: Plan) -> Iterator[Finding]:
    """Keep operation fresh: what it proved at one share says nothing about a larger one."""
    for i, gate in enumerate(plan.gates):
        if gate.evidence == "carry" and not is_paired_loss(gate, plan):
            kind = f"{'unpaired ' if is_unpaired(gate, plan) else ''}{gate.metric}"
            todo = f"remove it: the evidence of a {kind} gate starts anew with every step"
            yield Finding(("gates", i, "evidence"), "fresh", "carry", todo)


#: Metrics that mean something for some kinds of prediction only.
_OF_KIND = {
    Metric.BRIER: ("probability",),
    Metric.CALIBRATION: ("probability",),
    Metric.ZERO_ONE: ("probability", "label"),
    Metric.ACCURACY: ("probability", "label"),
    Metric.DISAGREEMENT: ("probability", "label"),
}


def metrics_suit_the_kind_of_prediction(plan: Plan) -> Iterator[Finding]:
    """Refuse Brier for labels, which have no such score, and right or wrong for numbers."""
    kind = plan.prediction.kind
    suited = [m for m in Metric if m in LOSSES and kind in _OF_KIND.get(m, (kind,))]
    for i, gate in enumerate(plan.gates):
        if kind not in _OF_KIND.get(gate.metric, (kind,)) or (gate.payoff and kind == "number"):
            asked = f"a metric of prediction.kind {kind} ({', '.join(suited)})"
            todo = f"use one of these, or serve what {gate.metric} is about"
            yield Finding(("gates", i, "metric"), asked, f"{gate.metric}", todo)


def calibration_only_tells(plan: Plan) -> Iterator[Finding]:
    """Keep calibration a diagnosis: a paired Brier difference is what gates it."""
    for i, gate in enumerate(plan.gates):
        if gate.metric is Metric.CALIBRATION and gate.role is not Role.REPORT:
            todo = "write `role: report`, and gate on brier, which falls when calibration does"
            yield Finding(("gates", i, "role"), "report for metric calibration", f"{gate.role}", todo)


def a_rare_event_has_a_ratio_or_a_margin(plan: Plan) -> Iterator[Finding]:
    """Refuse what means nothing beside a ratio, which replaces the margin of an unpaired 0/1 loss."""
    for i, gate in enumerate(plan.gates):
        if gate.metric is not Metric.ZERO_ONE or gate.ratio is None:
            continue
        if not is_unpaired(gate, plan):
            todo = "add `unpaired: true`, or write a margin: pairs are compared by their difference"
            yield Finding(("gates", i, "ratio"), "`ratio` only where the arms are compared", "`ratio`", todo)
            continue
        for key in sorted(
            _OF_DIFFERENCE & {k for k in gate.model_fields_set if getattr(gate, k) is not None}
        ):
            todo = "remove one: a ratio suits rare events, a margin common ones"
            asked = "a margin or a ratio" if key == "margin" else f"no {key} beside a ratio"
            yield Finding(("gates", i, key), asked, f"{getattr(gate, key):g}", todo)
        if plan.segments and gate.name in plan.segments.gates:
            todo = "remove it: a segment proves a margin, and this gate has a ratio"
            asked = "the name of a gate with a margin"
            yield Finding(("segments", "gates", gate.name), asked, f"`{gate.name}`", todo)


def a_payoff_has_no_cap(plan: Plan) -> Iterator[Finding]:
    """Refuse a cap that means nothing: what a decision is worth lies between the payoff's own numbers."""
    for i, gate in enumerate(plan.gates):
        if gate.payoff is not None and gate.cap is not None:
            yield Finding(("gates", i, "cap"), "no cap beside a payoff", f"{gate.cap:g}", "remove it")


def overrides_have_a_column(plan: Plan) -> Iterator[Finding]:
    """Ask where it stands that a person overruled an answer."""
    reviewed = plan.review is not None and plan.review.sample > 0
    for i, gate in enumerate(plan.gates):
        if gate.metric is Metric.OVERRIDE_RATE and plan.outcomes.overridden is None and not reviewed:
            asked = "the key `outcomes.overridden`, the column that is 1 where a person overruled the answer"
            todo = "add `overridden: …` to outcomes, or `review: {capacity: …, sample: …}`"
            yield Finding(("gates", i, "metric"), asked, "nothing", todo)


def gates_on_two_arms_count_on_a_split(plan: Plan) -> Iterator[Finding]:
    """Refuse an unpaired gate elsewhere: in shadow and at 100 % there is one arm."""
    for i, gate in enumerate(plan.gates):
        if gate.applies not in (None, Applies.SPLIT) and is_unpaired(gate, plan):
            todo = "remove it: two arms exist between 0 and 100 % alone"
            yield Finding(("gates", i, "applies"), "split for an unpaired gate", f"{gate.applies}", todo)


def outcomes_that_depend_on_the_decision_keep_a_holdout(plan: Plan) -> Iterator[Finding]:
    """Ask for traffic that stays on the incumbent until the end: without it nothing could be compared."""
    if not plan.outcomes.depends_on_decision:
        return
    for path, steps in ramps(plan):
        if steps[-1].percent >= 100:
            todo = "end the ramp below 100, e.g. at 95: the rest is the holdout until the end of the watch"
            found = f"{steps[-1].percent:g} on the last step"
            yield Finding((*path, len(steps) - 1, "percent"), "below 100, a holdout", found, todo)


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
        shares = [step.share_bp for _, steps in ramps(plan) for step in steps]
        if says_where and not any(gate_applies(gate, share, plan) for share in shares):
            found = f"applies {gate.applies or 'all'} from {gate.from_:g} %"
            todo = "widen `applies` or lower `from`, or remove the gate"
            yield Finding(("gates", i), "a gate that counts on a step of this plan", found, todo)


def segments_name_paired_gates(plan: Plan) -> Iterator[Finding]:
    """Ask for paired gates: a segment must prove a margin of its own, which others do not have."""
    paired = [gate.name for gate in plan.gates if is_paired_loss(gate, plan) or is_unpaired(gate, plan)]
    for name in plan.segments.gates if plan.segments else ():
        if name not in paired:
            exists = any(gate.name == name for gate in plan.gates)
            found = f"`{name}`, which has no margin" if exists else f"`{name}`, which is no gate"
            asked = f"the name of a gate on a loss ({', '.join(paired) or 'there is none'})"
            yield Finding(("segments", "gates", name), asked, found, "correct the name or remove it")


def _rare(gate: Gate, plan: Plan) -> bool:
    """Say whether a ratio stands in place of the margin."""
    return gate.metric is Metric.ZERO_ONE and gate.ratio is not None and is_unpaired(gate, plan)
