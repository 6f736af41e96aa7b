"""Operational gates as they are judged: by requests, or by the hour where requests fail together.

A batch is an hour here. Clustered hours have a rate of their own, beta-distributed with an
intra-correlation; the mean rate is what the null says.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.gates.draws import QUANTILE, TAIL, as_split
from headgate.stats import latency, rates
from headgate.stats.betting import FloatArray
from headgate.stats.hours import Hours, held, shocks

#: Ceiling of the rate gate, requests an hour, and intra-correlations within an hour.
CEILING = 0.01
REQUESTS = 50
SHARED = (0.001, 0.01, 0.05, 0.2)


def rate(
    x: FloatArray,
    n: FloatArray,
    *,
    harm: bool,
    expect: float = 0.0,
    starts: bool = True,
    ceiling: float = CEILING,
) -> FloatArray:
    """Return log E of a rate at every look, as `headgate.gates` judges it at that look."""
    seen = rates.hours(x, n)
    by_hour = rates.hourly(seen, ceiling, harm=harm, any_start=starts)
    by_request = (
        rates.rollback_evidence(x, n, ceiling, any_start=starts)
        if harm
        else rates.advance_evidence(x, n, ceiling, expect)
    )
    return held(by_request, by_hour, shocks(seen), harm=harm)


def mirror(pairs: latency.Pairs, *, harm: bool, starts: bool = True) -> FloatArray:
    """Return log E of mirrored latency at every look."""
    by_request = latency.pair_evidence(pairs, QUANTILE, harm=harm, any_start=starts)
    return _latency(by_request, latency.pair_hours(pairs), harm=harm, starts=starts)


def split(arms: latency.Split, *, harm: bool, starts: bool = True) -> FloatArray:
    """Return log E of a live split's latency at every look."""
    by_request = latency.split_evidence(arms, QUANTILE, harm=harm, any_start=starts)
    return _latency(by_request, latency.split_hours(arms), harm=harm, starts=starts)


def _latency(by_request: FloatArray, seen: Hours, *, harm: bool, starts: bool) -> FloatArray:
    by_hour = latency.hourly(seen, harm=harm, any_start=starts)
    return held(by_request, by_hour, shocks(seen), harm=harm)


def shocked(rng: np.random.Generator, shape: tuple[int, int], mean: float, shared: float) -> FloatArray:
    """Draw each hour's own rate; without intra-correlation it is the mean."""
    if not shared:
        return np.full(shape, mean)
    return rng.beta(mean * (1 / shared - 1), (1 - mean) * (1 / shared - 1), shape)


def clustered_rate(
    rng: np.random.Generator, shape: tuple[int, int], shared: float, n: int = REQUESTS, mean: float = CEILING
) -> tuple[FloatArray, FloatArray]:
    """Draw events and requests per hour: beta-binomial."""
    x = rng.binomial(n, shocked(rng, shape, mean, shared)).astype(np.float64)
    return x, np.full(shape, float(n))


def clustered_mirror(
    rng: np.random.Generator, shape: tuple[int, int], shared: float, n: int = REQUESTS
) -> latency.Pairs:
    """Draw mirrored requests whose sides are slow in bursts of their own, equally often."""
    ours, theirs = shocked(rng, shape, TAIL, shared), shocked(rng, shape, TAIL, shared)
    won, lost = ours * (1 - theirs), theirs * (1 - ours)
    drawn = rng.multinomial(n, np.stack([won, lost, 1 - won - lost], -1)).astype(np.float64)
    return latency.Pairs(np.full(shape, float(n)), drawn[..., 0], drawn[..., 1])


def clustered_split(
    rng: np.random.Generator, shape: tuple[int, int], shared: float, share: float, n: int = 4 * REQUESTS
) -> latency.Split:
    """Draw live requests whose sides are slow in bursts of their own, equally often."""
    n1 = rng.binomial(n, share, shape)
    slow1 = rng.binomial(n1, shocked(rng, shape, TAIL, shared))
    slow0 = rng.binomial(n - n1, shocked(rng, shape, TAIL, shared))
    return as_split(n1, slow1, n - n1, slow0, share)


def clustered_told(rng: np.random.Generator, shape: tuple[int, int]) -> Iterator[tuple[str, FloatArray]]:
    """Yield log E without a promise: by requests alone, and advancing, which clean hours may do early."""
    for shared in SHARED:
        tag = f"hourly correlation {shared:g}"
        x, n = clustered_rate(rng, shape, shared)
        alone = rates.rollback_evidence(x, n, CEILING)
        yield f"rate at its ceiling rolls back, by requests alone, {tag}", alone
        alone = rates.advance_evidence(x, n, CEILING)
        yield f"rate at its ceiling advances, by requests alone, {tag}", alone
        yield f"rate at its ceiling advances, as judged, {tag}", rate(x, n, harm=False)
        arms = clustered_split(rng, shape, shared, 0.25)
        alone = latency.split_evidence(arms, QUANTILE, harm=True)
        yield f"equal 25 % split rolls back, by requests alone, {tag}", alone
        pairs = clustered_mirror(rng, shape, shared)
        alone = latency.pair_evidence(pairs, QUANTILE, harm=True)
        yield f"equal mirror rolls back, by requests alone, {tag}", alone


def false_alarms(rng: np.random.Generator, shape: tuple[int, int]) -> Iterator[tuple[str, float]]:
    """Yield how often independent requests look clustered: at any look, and at one look."""
    alarm = shocks(rates.hours(*clustered_rate(rng, shape, 0.0))).shared
    yield "independent requests of a rate ever counted by the hour", float(alarm.any(axis=1).mean())
    yield "independent requests of a rate counted by the hour, per look", float(alarm.mean())


def outages(rng: np.random.Generator, runs: int, threshold: float) -> Iterator[tuple[str, float]]:
    """Yield the hours until an outage is rolled back, 95 % of runs: 200 requests an hour, 0.2 % before."""
    for before in (0, 5, 50):
        for failing in (0.6, 0.1):
            x, n = clustered_rate(rng, (runs, before + 40), 0.0, 200, 0.002)
            x[:, before:] = rng.binomial(200, failing, (runs, 40))
            late = (rate(x, n, harm=True) >= threshold)[:, before:]
            hours = np.where(late.any(axis=1), late.argmax(axis=1) + 1, np.inf)
            name = f"{failing:.0%} fail after {before} quiet hours"
            yield name, float(np.quantile(hours, 0.95, method="higher"))
