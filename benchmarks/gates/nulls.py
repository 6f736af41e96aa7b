"""How often the whole engine is wrong at the edge of its null: all gates, segments and start times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.gates import operation
from benchmarks.gates.alone import ALPHA, BATCHES, SURE, Wrong, ever
from benchmarks.gates.draws import FASTER, TAIL, as_split, errors
from benchmarks.gates.operation import CEILING
from headgate.gates.questions import log_threshold
from headgate.stats import latency, paired
from headgate.stats.betting import Batches, FloatArray
from headgate.stats.segments import log_mean, weights


def without_promise(rng: np.random.Generator, runs: int) -> Iterator[tuple[str, float]]:
    """Yield what no error level covers: power of the whole engine, and rates under shared shocks."""
    threshold = log_threshold(ALPHA, attempt=1)
    for shared in (0.0, 0.05, 0.2):
        good = log_proof(world(rng, runs, -0.01, shared)) >= threshold
        yield f"good candidate promotable, intra-block correlation {shared:g}", float(good.any(axis=1).mean())
        bad = log_harm(world(rng, runs, 0.03, shared)) >= threshold
        yield f"bad candidate rolled back, intra-block correlation {shared:g}", float(bad.any(axis=1).mean())
    shape = (runs, BATCHES)
    for name, log_e in operation.clustered_told(rng, shape):
        yield name, float((log_e >= SURE).any(axis=1).mean())
    yield from operation.false_alarms(rng, shape)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What a whole rollout's gates saw, per run and day: shape (runs, T)."""

    quality: FloatArray
    segments: list[FloatArray]
    errors: tuple[FloatArray, FloatArray]
    mirror: latency.Pairs
    split: latency.Split


QUALITY = paired.Design(margin=0.005, limit=0.2, expect=-0.007, variance=0.001)
SEGMENT = paired.Design(margin=0.03, limit=0.2, expect=-0.007, variance=0.001)


def world(rng: np.random.Generator, runs: int, theta: float, shared: float, bad: str = "") -> World:
    """Draw 300 days: 60 requests a day in three segments, with an intra-block correlation.

    The shared shock moves all requests of a day: the losses of every segment, and how slow both
    sides are. ``bad`` names the gate (or all) that stands exactly at its margin; the others are fine.
    """
    shape, each, noise = (runs, BATCHES), 20, 0.15
    shock = noise * np.sqrt(shared) * rng.standard_normal(shape)
    own = noise * np.sqrt((1 - shared) / each)
    segments = [theta + shock + own * rng.standard_normal(shape) for _ in range(3)]
    slow = np.clip(
        TAIL * (1 + np.where(rng.random(shape) < 0.5, 1, -1) * np.sqrt(shared * (1 - TAIL) / TAIL)), 0, 1
    )
    fast = slow if bad in {"latency", "all"} else slow * FASTER / TAIL
    drawn = rng.multinomial(
        60, np.stack([fast * (1 - slow), slow * (1 - fast), 1 - fast - slow + 2 * fast * slow], -1)
    )
    ours, theirs, rest = (drawn[..., i].astype(np.float64) for i in range(3))
    n1 = rng.binomial(200, 0.25, shape)
    ours_slow, theirs_slow = rng.binomial(n1, fast), rng.binomial(200 - n1, slow)
    rate = CEILING if bad in {"errors", "all"} else CEILING / 10
    return World(
        np.mean(segments, axis=0),
        segments,
        errors(rng, shape, rate, n=200),
        latency.Pairs(ours + theirs + rest, ours, theirs),
        as_split(n1, ours_slow, 200 - n1, theirs_slow, 0.25),
    )


def log_harm(seen: World) -> FloatArray:
    """Return log M after each day, shape (runs, T): the mean of all guardrails' e-values."""
    shares = weights({"quality": ["a", "b", "c"], "errors": [], "mirror": [], "split": []})
    clipped = [np.clip(x, -0.2, 0.2)[np.newaxis] for x in (seen.quality, *seen.segments)]
    ones = np.ones_like(clipped[0])
    designs = (QUALITY, SEGMENT, SEGMENT, SEGMENT)
    found = [paired.rollback_evidence(Batches(x, ones), d) for x, d in zip(clipped, designs, strict=True)]
    found.append(operation.rate(*seen.errors, harm=True))
    found.append(operation.mirror(seen.mirror, harm=True))
    found.append(operation.split(seen.split, harm=True))
    return log_mean(np.stack(found), list(shares.values()))


def log_proof(seen: World) -> FloatArray:
    """Return the least log E of all gates and segments after each day: promotion needs every one."""
    clipped = [np.clip(x, -0.2, 0.2)[np.newaxis] for x in (seen.quality, *seen.segments)]
    ones = np.ones_like(clipped[0])
    designs = (QUALITY, SEGMENT, SEGMENT, SEGMENT)
    found = [paired.advance_evidence(Batches(x, ones), d) for x, d in zip(clipped, designs, strict=True)]
    found.append(operation.rate(*seen.errors, harm=False))
    found.append(operation.mirror(seen.mirror, harm=False))
    found.append(operation.split(seen.split, harm=False))
    return np.asarray(np.min(np.stack(found), axis=0), dtype=np.float64)


def nulls_whole(rng: np.random.Generator, runs: int) -> Iterator[Wrong]:
    """Yield the whole engine's wrong verdicts, at the level of a first attempt."""
    threshold = log_threshold(ALPHA, attempt=1)
    level = float(np.exp(-threshold))
    for shared in (0.0, 0.05, 0.2):
        tag = f"intra-block correlation {shared:g}"
        equal = world(rng, runs, 0.0, shared, bad="all")
        yield ever(log_harm(equal), threshold, f"whole engine, equal candidate rolled back, {tag}", level)
        margin = world(rng, runs, QUALITY.margin, shared)
        yield ever(
            log_proof(margin), threshold, f"whole engine, quality at its margin promoted, {tag}", level
        )
        for bad in ("errors", "latency"):
            seen = world(rng, runs, -0.01, shared, bad=bad)
            yield ever(
                log_proof(seen), threshold, f"whole engine, {bad} at the margin promoted, {tag}", level
            )
