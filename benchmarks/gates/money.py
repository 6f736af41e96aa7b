"""Cost and value by column: both sides' amounts for the same request, heavy-tailed and capped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.gates.alone import Drawn, Side
from benchmarks.gates.oracles import growth, paired_costs
from headgate.stats import amounts, paired
from headgate.stats.betting import Batches, FloatArray
from headgate.stats.hours import held, shocks

#: Correlations of what requests of one hour cost.
SHARED = (0.0, 0.05, 0.2)


def sides(look: int) -> Iterator[Side]:
    """Yield the gate alone, looked at every ``look`` requests."""
    yield from _sides("cost by column, heavy tails, capped (value: its mirror image)", look, judged=False)


def judged_sides(look: int) -> Iterator[Side]:
    """Yield the same with what hours cost that are expensive together."""
    yield from _sides("cost by column, heavy tails, capped, as judged", look, judged=True)


def _sides(name: str, look: int, *, judged: bool) -> Iterator[Side]:
    population, cap = paired_costs()
    margin = 0.1 * population.square**0.5
    for harm in (False, True):
        square = population.square + (0.0 if harm else margin**2)
        design = paired.Design(margin, cap, variance=square, trust=2 * cap**2 / square)

        def log_e(
            rng: np.random.Generator,
            shape: tuple[int, int],
            drawn: Drawn,
            *,
            harm: bool = harm,
            design: paired.Design = design,
        ) -> FloatArray:
            units = population.tilted(margin * (drawn.far if harm else 1 - drawn.far))
            batches = units.batches(rng, shape, look, drawn.shared)
            return _evidence(batches, design, drawn, harm=harm, judged=judged)

        def information(far: float, *, harm: bool = harm) -> float:
            units = population.tilted(margin * (far if harm else 1 - far))
            if harm:
                return growth(units.values, units.chances, cap)
            return growth(margin - units.values, units.chances, cap - margin)

        verdict = "roll back" if harm else "advance"
        yield Side(
            name, verdict, look, information, log_e, shared=SHARED if judged else (0.0,), judged=judged
        )


def _evidence(
    batches: Batches, design: paired.Design, drawn: Drawn, *, harm: bool, judged: bool
) -> FloatArray:
    """Return log E at every look; as judged, a batch is an hour, as `headgate.gates.money` has it."""
    by_request = (
        paired.rollback_evidence(batches, design, any_start=drawn.starts)
        if harm
        else paired.advance_evidence(batches, design)
    )
    if not judged:
        return by_request
    seen = amounts.hours(batches)
    by_hour = amounts.hourly(seen, design.margin, design.limit, harm=harm, any_start=drawn.starts)
    return held(by_request, by_hour, shocks(seen), harm=harm)
