"""Each gate alone: independent units, no segments, no start times, at its design distance.

The score is mean samples over max(N*, batch). N* = log(1/alpha) / information is what somebody needs
who knows the truth. Paired gates are given their true second moment, as `power` would suggest it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from benchmarks.gates import operation
from benchmarks.gates.draws import (
    FASTER,
    QUANTILE,
    SLOWER,
    TAIL,
    WORSE,
    brier,
    errors,
    mirror,
    split,
    zero_one,
)
from headgate.stats import latency, paired, rates
from headgate.stats.betting import FloatArray

ALPHA = 0.05
SURE = -np.log(ALPHA)
TARGET = 1.3


@dataclass(frozen=True, slots=True)
class Alone:
    """One gate alone: how it is drawn, judged, and what a clairvoyant would need."""

    name: str
    batch: int
    information: float
    draw: Callable[[np.random.Generator, int, int], FloatArray]


@dataclass(frozen=True, slots=True)
class Speed:
    """Mean samples of one gate alone."""

    gate: str
    batch: int
    oracle: float
    mean: float
    score: float
    undecided: float


def growth(values: FloatArray, chances: FloatArray) -> float:
    """Return KL_inf: the best constant bet's mean log-growth per unit."""
    most = 1 / -values.min()
    best = minimize_scalar(
        lambda stake: -float(np.sum(chances * np.log1p(stake * values))),
        bounds=(0, most * (1 - 1e-9)),
        method="bounded",
    )
    return -float(best.fun)


def relative_entropy(p: float, q: float) -> float:
    """Return KL(p || q) of two coins."""
    return float(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))


def two_arms(share: float, ours: float, theirs: float) -> float:
    """Return the information per request of a split with these exceedances against equal sides."""

    def cost(p: float) -> float:
        return share * relative_entropy(ours, p) + (1 - share) * relative_entropy(theirs, p)

    return float(minimize_scalar(cost, bounds=(1e-6, 0.5), method="bounded").fun)


def brier_chances(worse: bool) -> tuple[FloatArray, FloatArray]:
    """Return the values of `brier` and their chances, on a fine grid of forecasts."""
    theirs = np.linspace(0.2, 0.8, 2001)
    values, chances = [], []
    for step in (0.1, -0.1):
        ours = theirs + step
        late = theirs if worse else (ours + theirs) / 2
        for outcome, chance in ((1, late), (0, 1 - late)):
            values.append((ours - outcome) ** 2 - (theirs - outcome) ** 2)
            chances.append(chance / 2 / theirs.size)
    return np.concatenate(values), np.concatenate(chances)


def alone(look: int) -> Iterator[Alone]:
    """Yield every gate alone at its design distance, looked at every ``look`` requests."""
    coin = np.array([1.0, -1.0, 0.0])
    proof = paired.Design(WORSE, 1.0, variance=0.1 + WORSE**2, trust=20)
    yield Alone(
        "paired 0/1, advance", look, growth(WORSE - coin, np.array([0.05, 0.05, 0.9])),
        lambda rng, r, t: paired.advance_evidence(zero_one(rng, (r, t), 0.0, look), proof),
    )  # fmt: skip
    alarm = paired.Design(WORSE, 1.0, variance=0.1, trust=20)
    yield Alone(
        "paired 0/1, roll back", look, growth(coin, np.array([0.06, 0.04, 0.9])),
        lambda rng, r, t: paired.rollback_evidence(
            zero_one(rng, (r, t), WORSE, look), alarm, any_start=False
        ),
    )  # fmt: skip
    for worse, word in ((False, "advance"), (True, "roll back")):
        differences, chances = brier_chances(worse)
        xi = differences if worse else 0.01 - differences
        # Forecasts 0.1 apart between 0.1 and 0.9 differ by at most 0.17.
        design = paired.Design(0.01, 0.17, variance=float(np.sum(chances * xi**2)))
        judge = (
            (lambda b, d: paired.rollback_evidence(b, d, any_start=False))
            if worse
            else paired.advance_evidence
        )
        yield Alone(
            f"paired Brier, {word}", look, growth(xi, chances),
            lambda rng, r, t, w=worse, d=design, j=judge: j(brier(rng, (r, t), w, look), d),
        )  # fmt: skip
    yield Alone(
        "rate, advance", look, relative_entropy(0.0025, 0.01),
        lambda rng, r, t: rates.advance_evidence(*errors(rng, (r, t), 0.0025, look), 0.01, 0.0025),
    )  # fmt: skip
    yield Alone(
        "rate, roll back", look, relative_entropy(0.02, 0.01),
        lambda rng, r, t: rates.rollback_evidence(*errors(rng, (r, t), 0.02, look), 0.01, any_start=False),
    )  # fmt: skip
    for harm, chance, word in ((False, FASTER, "advance"), (True, SLOWER, "roll back")):
        won, lost = TAIL * (1 - chance), chance * (1 - TAIL)
        rest, good = 1 - won - lost, (lost, won) if harm else (won, lost)
        yield Alone(
            f"latency mirror, {word}", look, growth(coin, np.array([*good, rest])),
            lambda rng, r, t, h=harm, c=chance: latency.pair_evidence(
                mirror(rng, (r, t), c, look), QUANTILE, harm=h, any_start=False
            ),
        )  # fmt: skip
        for share in (0.25, 0.5):
            yield Alone(
                f"latency split at {share:.0%}, {word}", look, two_arms(share, chance, TAIL),
                lambda rng, r, t, h=harm, c=chance, s=share: latency.split_evidence(
                    split(rng, (r, t), c, s, look), QUANTILE, harm=h, any_start=False
                ),
            )  # fmt: skip


def as_judged(look: int) -> Iterator[Alone]:
    """Yield the operational gates with what their hours cost: looked at every hour of ``look`` requests."""
    for harm, chance, word in ((False, 0.0025, "advance"), (True, 0.02, "roll back")):
        yield Alone(
            f"rate, {word}, as judged", look, relative_entropy(chance, 0.01),
            lambda rng, r, t, h=harm, c=chance: operation.rate(
                *errors(rng, (r, t), c, look), harm=h, expect=0.0025, starts=False
            ),
        )  # fmt: skip
    coin = np.array([1.0, -1.0, 0.0])
    for harm, chance, word in ((False, FASTER, "advance"), (True, SLOWER, "roll back")):
        won, lost = TAIL * (1 - chance), chance * (1 - TAIL)
        good = (lost, won) if harm else (won, lost)
        yield Alone(
            f"latency mirror, {word}, as judged", look, growth(coin, np.array([*good, 1 - won - lost])),
            lambda rng, r, t, h=harm, c=chance: operation.mirror(
                mirror(rng, (r, t), c, look), harm=h, starts=False
            ),
        )  # fmt: skip
        yield Alone(
            f"latency split at 25%, {word}, as judged", look, two_arms(0.25, chance, TAIL),
            lambda rng, r, t, h=harm, c=chance: operation.split(
                split(rng, (r, t), c, 0.25, look), harm=h, starts=False
            ),
        )  # fmt: skip


def speed(gate: Alone, rng: np.random.Generator, runs: int) -> Speed:
    """Measure mean samples to a verdict over max(N*, batch)."""
    oracle = SURE / gate.information
    horizon = int(5 * oracle / gate.batch) + 20
    reached = gate.draw(rng, runs, horizon) >= SURE
    decided = reached.any(axis=1)
    mean = float(np.mean(np.where(decided, reached.argmax(axis=1) + 1, horizon))) * gate.batch
    return Speed(
        gate.name, gate.batch, oracle, mean, mean / max(oracle, gate.batch), 1 - float(decided.mean())
    )
