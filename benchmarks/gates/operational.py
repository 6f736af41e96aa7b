"""Rates and latency alone, and as they are judged: with what it costs to notice bad hours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.gates import operation
from benchmarks.gates.alone import Drawn, Side
from benchmarks.gates.draws import FASTER, QUANTILE, SLOWER, TAIL, errors, mirror, split
from benchmarks.gates.oracles import growth, relative_entropy, two_arms
from headgate.stats import latency, rates
from headgate.stats.betting import FloatArray

#: One method holds them all; what differs is the ceiling.
CEILINGS = {
    0.001: "rate against 0.1 %",
    0.01: "rate against 1 % (error_rate, fallback_rate, capped_rate)",
    0.05: "rate against 5 % (reject_rate, 1 - coverage, override_rate)",
    0.2: "rate against 20 % (disagreement: also the certificate without labels)",
}
#: What a candidate is expected to show, as a part of the ceiling.
_EXPECTED = 0.25
SHARES = (0.05, 0.25, 0.5)
_COIN = np.array([1.0, -1.0, 0.0])


def sides(look: int) -> Iterator[Side]:
    """Yield rates and latency alone, looked at every ``look`` requests."""
    for ceiling, name in CEILINGS.items():
        yield from _rates(name, ceiling, look, judged=False)
    yield from _mirrors("latency p95 x 1.25, mirror", look, judged=False)
    for share in SHARES:
        yield from _splits(f"latency p95 x 1.25, split at {share:.0%}", share, look, judged=False)


def judged_sides(look: int) -> Iterator[Side]:
    """Yield the same with what their hours cost: a batch is an hour, whose requests may fail together."""
    for ceiling in (0.01, 0.05):
        yield from _rates(f"{CEILINGS[ceiling]}, as judged", ceiling, look, judged=True)
    yield from _mirrors("latency p95 x 1.25, mirror, as judged", look, judged=True)
    yield from _splits("latency p95 x 1.25, split at 25%, as judged", 0.25, look, judged=True)


def _shared(*, judged: bool) -> tuple[float, ...]:
    return (0.0, *operation.SHARED) if judged else (0.0,)


def _rate_at(ceiling: float, far: float, *, harm: bool) -> float:
    """Return the true rate this far from the ceiling; twice as far below it as expected is no rate at all."""
    if harm:
        return ceiling * (1 + far)
    return max(ceiling * (1 - far * (1 - _EXPECTED)), 0.0)


def _rates(name: str, ceiling: float, look: int, *, judged: bool) -> Iterator[Side]:
    for harm in (False, True):

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm
        ) -> FloatArray:
            true, expect = _rate_at(ceiling, drawn.far, harm=harm), ceiling * _EXPECTED
            if judged:
                x, n = operation.clustered_rate(rng, shape, drawn.shared, look, true)
                return operation.rate(x, n, harm=harm, expect=expect, starts=drawn.starts, ceiling=ceiling)
            x, n = errors(rng, shape, true, look)
            if harm:
                return rates.rollback_evidence(x, n, ceiling, any_start=drawn.starts)
            return rates.advance_evidence(x, n, ceiling, expect)

        def information(far: float, *, harm: bool = harm) -> float:
            return relative_entropy(_rate_at(ceiling, far, harm=harm), ceiling)

        yield Side(
            name, "roll back" if harm else "advance", look, information, log_e,
            shared=_shared(judged=judged and harm), judged=judged,
        )  # fmt: skip


def _chance(far: float, *, harm: bool) -> float:
    """Return the candidate's chance to pass the threshold: tau for harm, ratio x tau for advancing."""
    if harm:
        return float(TAIL + far * (SLOWER - TAIL))
    return float(max(TAIL - far * (TAIL - FASTER), 1e-4))


def _mirrors(name: str, look: int, *, judged: bool) -> Iterator[Side]:
    for harm in (False, True):

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm
        ) -> FloatArray:
            if drawn.shared:
                pairs = operation.clustered_mirror(rng, shape, drawn.shared, look)
            else:
                pairs = mirror(rng, shape, _chance(drawn.far, harm=harm), look)
            if judged:
                return operation.mirror(pairs, harm=harm, starts=drawn.starts)
            return latency.pair_evidence(pairs, QUANTILE, harm=harm, any_start=drawn.starts)

        def information(far: float, *, harm: bool = harm) -> float:
            chance = _chance(far, harm=harm)
            won, lost = TAIL * (1 - chance), chance * (1 - TAIL)
            good = (lost, won) if harm else (won, lost)
            return growth(_COIN, np.array([*good, 1 - won - lost]))

        yield Side(
            name, "roll back" if harm else "advance", look, information, log_e,
            shared=_shared(judged=judged and harm), judged=judged,
        )  # fmt: skip


def _splits(name: str, share: float, look: int, *, judged: bool) -> Iterator[Side]:
    for harm in (False, True):

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm
        ) -> FloatArray:
            if drawn.shared:
                arms = operation.clustered_split(rng, shape, drawn.shared, share, look)
            else:
                arms = split(rng, shape, _chance(drawn.far, harm=harm), share, look)
            if judged:
                return operation.split(arms, harm=harm, starts=drawn.starts)
            return latency.split_evidence(arms, QUANTILE, harm=harm, any_start=drawn.starts)

        def information(far: float, *, harm: bool = harm) -> float:
            return two_arms(share, _chance(far, harm=harm), TAIL)

        yield Side(
            name, "roll back" if harm else "advance", look, information, log_e,
            shared=_shared(judged=judged and harm), judged=judged,
        )  # fmt: skip
