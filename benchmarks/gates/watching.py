"""The watch after 100 %: how long a fine candidate goes without a false alarm, and how late harm is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.gates.alone import seeded
from benchmarks.gates.oracles import coin, growth
from headgate.stats.betting import Batches, Bet, FloatArray, log_wealth
from headgate.stats.watch import RUN_LENGTH, e_cusum, log_alarm

#: Harm that is to be found, requests in a block, blocks before the harm begins.
HARM, BLOCK, ONSET = 0.04, 20, 100
#: Blocks after which a run without an alarm is given up, in promised run lengths.
_GIVEN_UP = 5
_CHUNK = 50


@dataclass(frozen=True, slots=True)
class Watched:
    """What the detector did, all in blocks.

    ``run_length`` counts runs without an alarm as if it had come when they were given up.
    """

    shared: float
    runs: int
    run_length: float
    promised: float
    error: float
    oracle: float
    delay: float

    @property
    def kept(self) -> bool:
        """Whether a fine candidate goes at least as long as promised, but for two standard errors."""
        return self.run_length + 2 * self.error >= self.promised


def watched(shared: float, runs: int) -> Watched:
    """Measure both."""
    rng = seeded(f"watch, {shared}")
    longest = _GIVEN_UP * RUN_LENGTH
    lengths, delays = [], []
    for done in range(0, runs, _CHUNK):
        some = min(_CHUNK, runs - done)
        quiet = _means(rng, (some, longest), shared, 0.0)
        lengths.append(np.minimum(_alarm(quiet), longest))
        late = np.concatenate(
            [_means(rng, (some, ONSET), shared, 0.0), _means(rng, (some, RUN_LENGTH), shared, HARM)], axis=-1
        )
        at = _alarm(late)
        delays.append(np.minimum(at[at > ONSET], ONSET + RUN_LENGTH) - ONSET)
    length, delay = np.concatenate(lengths), np.concatenate(delays)
    drawn = _means(np.random.default_rng(3), (100, 2000), shared, HARM).ravel()
    information = growth(drawn, np.full(drawn.size, 1 / drawn.size), 1.0)
    return Watched(
        shared, runs, float(length.mean()), RUN_LENGTH, float(length.std() / np.sqrt(runs)),
        log_alarm() / information, float(delay.mean()),
    )  # fmt: skip


def _means(rng: np.random.Generator, shape: tuple[int, int], shared: float, mean: float) -> FloatArray:
    units = coin().tilted(mean)
    return np.asarray(
        np.tensordot(units.values, units.counts(rng, shape, BLOCK, shared), axes=1) / BLOCK, dtype=np.float64
    )


def _alarm(means: FloatArray) -> FloatArray:
    bet = Bet(HARM, 1.0, 0.1 / BLOCK + HARM**2)
    reached = e_cusum(log_wealth(Batches.single(means), bet)) >= log_alarm()
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
