"""Everything a forecast takes for granted, and where each figure comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from headgate.plan.applies import RATES, is_paired_loss, is_unpaired
from headgate.plan.model import Gate, Metric, Plan
from headgate.power.assumptions import Assumptions
from headgate.power.derived import (
    GUESSED_BASE_RATE,
    GUESSED_DISAGREEMENT,
    GUESSED_WITHIN,
    entities_per_day,
    event_rate,
    known_rate,
    segment_shares,
)

#: (name, value, ``given`` | ``measured`` | ``guessed``).
Row = tuple[str, str, str]


def told(known: Assumptions, plan: Plan) -> tuple[Row, ...]:
    """Return every figure that matters to this plan."""
    return (*_known(known, plan), *((name, value, "guessed") for name, value in _guessed(known, plan)))


def _known(known: Assumptions, plan: Plan) -> Iterator[Row]:
    def source(name: str) -> str:
        return "measured" if name in known.measured else "given"

    yield "rate", f"{known.rate:,.0f} requests a day", source("rate")
    for one in fields(known):
        value = getattr(known, one.name)
        if isinstance(value, float | int) and one.name != "rate":
            yield one.name, f"{value:.4g}", source(one.name)
    for kind in ("segments", "slices"):
        for name, share in getattr(known, kind).items():
            yield f"share of {name}", f"{100 * share:.1f} %", source(kind)
    for gate, seen in known.gates.items():
        if blocks := seen.blocks.get(None):
            yield f"blocks of {gate}", f"{len(blocks)} of history", "measured"
        if seen.rate is not None:
            yield _rate_of(gate, plan), f"{seen.rate:.4g}", "measured"
        if seen.slow is not None:
            yield f"{gate} too slow", f"{100 * seen.slow[0]:.2f} % of answers", "measured"
        if seen.cap is not None:
            yield f"cap of {gate}", f"{seen.cap:.4g}", "measured"


def _rate_of(name: str, plan: Plan) -> str:
    """Return what is counted; of coverage it is the requests that were not covered."""
    coverage = any(gate.name == name and gate.metric is Metric.COVERAGE for gate in plan.all_gates)
    return f"misses of {name}" if coverage else f"rate of {name}"


def _guessed(known: Assumptions, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what is guessed for want of anything better, as far as this plan's gates need it."""
    paired = [g for g in plan.gates if is_paired_loss(g, plan)]
    blind = [g for g in paired if not _blocks_known(g, known)]
    if blind and known.loss_sd is None and known.disagreement is None:
        yield "disagreement", f"{GUESSED_DISAGREEMENT:g}"
    if blind and known.within is None and plan.unit.block != "none":
        yield "within", f"{GUESSED_WITHIN:g}"
    if any(is_unpaired(g, plan) for g in plan.gates):
        if known.base_rate is None:
            yield "base_rate", f"{GUESSED_BASE_RATE:g}"
        if known.entities is None:
            yield "entities", f"{entities_per_day(known):.4g} a day"
    for gate in plan.all_gates:
        if gate.metric in RATES and known_rate(gate, known) is None:
            yield _rate_of(gate.name, plan), f"{event_rate(gate, known):.4g}"
    slow = [g for g in plan.gates if g.metric is Metric.LATENCY]
    if known.latency_shape is None and any(_slow_unknown(g, known) for g in slow):
        yield "latency_shape", "1 (an exponential tail)"
    if plan.segments and not known.segments:
        yield (
            "segments",
            ", ".join(f"{name} {100 * share:.1f} %" for name, share in segment_shares(plan, known).items()),
        )
    for part in plan.slices:
        if part.name not in known.slices:
            yield f"share of {part.name}", f"{100 / len(plan.slices):.1f} %"


def _blocks_known(gate: Gate, known: Assumptions) -> bool:
    seen = known.gates.get(gate.name)
    return gate.variance is not None or known.block_sd is not None or bool(seen and seen.blocks)


def _slow_unknown(gate: Gate, known: Assumptions) -> bool:
    seen = known.gates.get(gate.name)
    return seen is None or seen.slow is None
