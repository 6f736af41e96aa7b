"""Paired losses alone: by the request where requests are independent, by the block where they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks.gates.alone import Drawn, Side
from benchmarks.gates.oracles import Population, brier, coin, errors, growth
from headgate.stats import paired
from headgate.stats.betting import Batches, FloatArray
from headgate.stats.blocks import FEWEST_BLOCKS, LARGEST_DESIGN_EFFECT

Values = Callable[[np.random.Generator, tuple[int, int], Drawn], FloatArray]

#: Requests in a block, and intra-block correlations of its losses.
BLOCK = 20
SHARED = (0.0, 0.05, 0.2)


def sides(look: int) -> Iterator[Side]:
    """Yield every paired loss, looked at every ``look`` requests."""
    yield from _units("paired 0/1 loss (zero_one, accuracy)", coin(), 0.02, 1.0, look)
    yield from _units("brier", brier(), 0.01, 1.0, look)
    for power, name in ((1, "absolute_error"), (2, "squared_error")):
        population, cap = errors(power)
        yield from _units(f"{name}, capped", population, 0.1 * population.square**0.5, cap, look)


def block_sides() -> Iterator[Side]:
    """Yield paired losses in blocks that may share their shocks; every block is a look."""
    yield from _blocks("paired 0/1 loss in blocks", coin(), 0.04, 1.0)
    yield from _blocks("brier in blocks", brier(), 0.01, 1.0)
    for power, name in ((1, "absolute_error"), (2, "squared_error")):
        population, cap = errors(power)
        yield from _blocks(f"{name} in blocks, capped", population, 0.15 * population.square**0.5, cap)


def _units(name: str, population: Population, margin: float, largest: float, look: int) -> Iterator[Side]:
    for harm in (False, True):
        verdict = "roll back" if harm else "advance"
        design = _designed(population, margin, largest, harm=harm)

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm,
            design: paired.Design = design,
        ) -> FloatArray:  # fmt: skip
            units = _at(population, margin, drawn.far, harm=harm)
            return _judged(units.batches(rng, shape, look, drawn.shared), design, drawn, harm=harm)

        def information(far: float, *, harm: bool = harm) -> float:
            return _information(_at(population, margin, far, harm=harm), margin, largest, harm=harm)

        yield Side(name, verdict, look, information, log_e)


def _blocks(name: str, population: Population, margin: float, largest: float) -> Iterator[Side]:
    limit = 0.2 * largest
    for harm in (False, True):
        verdict = "roll back" if harm else "advance"
        spread = population.square / BLOCK
        design = paired.Design(margin, limit, variance=spread if harm else spread + margin**2)

        def values(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm
        ) -> FloatArray:
            mean = _mean(margin, drawn.far, harm=harm)
            return _around(mean, limit, population.counts(rng, shape, BLOCK, drawn.shared), population)

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm,
            design: paired.Design = design, values: Values = values,
        ) -> FloatArray:  # fmt: skip
            return _judged(Batches.single(values(rng, shape, drawn)), design, drawn, harm=harm)

        def information(far: float, *, harm: bool = harm, values: Values = values) -> float:
            found = values(np.random.default_rng(3), (100, 2000), Drawn(far)).ravel()
            even = np.full(found.size, 1 / found.size)
            return growth(found if harm else margin - found, even, limit if harm else limit - margin)

        yield Side(name, verdict, 1, information, log_e, unit="blocks", shared=SHARED)


def _around(mean: float, limit: float, counts: FloatArray, population: Population) -> FloatArray:
    """Return block means around ``mean``, clipped alike on both sides: the clipped mean is what is asked."""
    away = np.tensordot(population.values, counts, axes=1) / BLOCK
    widest = limit - abs(mean)
    return np.asarray(mean + np.clip(away, -widest, widest), dtype=np.float64)


def _mean(margin: float, far: float, *, harm: bool) -> float:
    """Return the mean this far from the null: fine is 0, bad the margin, and the design is the other."""
    return margin * far if harm else margin * (1 - far)


def _at(population: Population, margin: float, far: float, *, harm: bool) -> Population:
    return population.tilted(_mean(margin, far, harm=harm))


def _information(units: Population, margin: float, largest: float, *, harm: bool) -> float:
    if harm:
        return growth(units.values, units.chances, largest)
    return growth(margin - units.values, units.chances, largest - margin)


def _designed(population: Population, margin: float, largest: float, *, harm: bool) -> paired.Design:
    """Return the design of single requests; `headgate.gates.quality` trusts a plan's variance as much."""
    square = population.square + (0.0 if harm else margin**2)
    return paired.Design(margin, largest, variance=square, trust=2 * largest**2 / square)


def _judged(batches: Batches, design: paired.Design, drawn: Drawn, *, harm: bool) -> FloatArray:
    if harm:
        return paired.rollback_evidence(batches, design, any_start=drawn.starts)
    return paired.advance_evidence(batches, design)


def refused(counts: FloatArray, values: FloatArray) -> FloatArray:
    """Return the design effect of days of single requests after each day, NaN before it is known.

    Parameters
    ----------
    counts
        How often each value came per day, shape (m, runs, T).
    values
        Shape (m,).
    """
    n = counts.sum(axis=0)
    mean = np.tensordot(values, counts, axes=1) / n
    square = np.tensordot(values**2, counts, axes=1) - n * mean**2
    days = np.arange(1.0, mean.shape[-1] + 1)
    total, squares = np.cumsum(mean, axis=-1), np.cumsum(mean**2, axis=-1)
    found = (squares - total**2 / days) / np.maximum(days - 1, 1)
    expected = np.cumsum(square / (n - 1) / n, axis=-1) / days
    known = (days >= FEWEST_BLOCKS) & (expected > 0)
    return np.where(known, found / np.where(known, expected, 1.0), np.nan)


def refusing(look: int) -> Iterator[Side]:
    """Yield single requests as they are judged: refused while a day's requests share their shocks."""
    population, margin = coin(), 0.02
    for harm in (False, True):
        side = next(s for s in _units("paired 0/1 loss, refused as judged", population, margin, 1.0, look)
                    if (s.verdict == "roll back") == harm)  # fmt: skip
        design = _designed(population, margin, 1.0, harm=harm)

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm,
            design: paired.Design = design,
        ) -> FloatArray:  # fmt: skip
            units = _at(population, margin, drawn.far, harm=harm)
            days = units.batches(rng, shape, look, drawn.shared)
            single = refused(days.counts, units.values) <= LARGEST_DESIGN_EFFECT
            return np.where(single, _judged(days, design, drawn, harm=harm), 0.0)

        yield replace(side, log_e=log_e, shared=SHARED, judged=True)
