"""What stands beside single gates: the split's check, segments, harm that begins late."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.gates.alone import Drawn, Side
from benchmarks.gates.oracles import coin, growth, relative_entropy
from headgate.stats import paired, srm
from headgate.stats.betting import Batches, FloatArray
from headgate.stats.segments import log_mean, weights

#: Relative skew of a split that is to be found, and entities per look by share.
SKEW, ENTITIES = 0.1, {0.05: 500, 0.25: 50, 0.5: 50}
SEGMENTS = 20
#: Blocks before the harm begins.
ONSET = 100
_MARGIN, _REQUESTS = 0.04, 20

_bayes_factor = np.vectorize(srm.log_bayes_factor, otypes=[np.float64])


def sides() -> Iterator[Side]:
    """Yield all of them."""
    for share, look in ENTITIES.items():
        yield _split(share, look)
    yield from _segments()
    yield _onset()


def _split(share: float, look: int) -> Side:
    def log_e(rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn) -> FloatArray:
        ours = np.cumsum(rng.binomial(look, share * (1 + SKEW * drawn.far), shape), axis=-1)
        both = np.broadcast_to(look * np.arange(1, shape[1] + 1), shape)
        return np.asarray(_bayes_factor(ours, both - ours, share), dtype=np.float64)

    return Side(
        f"sample ratio at {share:.0%}, skewed by 10 %", "pause", look,
        lambda far: relative_entropy(share * (1 + SKEW * far), share), log_e, "entities", alpha=srm.ALPHA,
    )  # fmt: skip


def _segments() -> Iterator[Side]:
    """Yield twenty segments of which one is bad, against the one who knows which."""
    shares = list(weights({"quality": [f"part={n}" for n in range(SEGMENTS)]}).values())
    design = paired.Design(_MARGIN, 1.0, variance=0.1 / _REQUESTS + _MARGIN**2)
    for harm in (False, True):

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm
        ) -> FloatArray:
            fine, sick = coin(), coin().tilted(_MARGIN * (drawn.far if harm else 1 - drawn.far))
            parts = [
                np.tensordot(one.values, one.counts(rng, shape, _REQUESTS, drawn.shared), axes=1) / _REQUESTS
                for one in (sick, *[fine] * (SEGMENTS - 1))
            ]
            blocks = [Batches.single(part) for part in (np.mean(parts, axis=0), *parts)]
            if harm:
                found = [paired.rollback_evidence(b, design, any_start=drawn.starts) for b in blocks]
                return log_mean(np.stack(found), shares)
            proofs = [paired.advance_evidence(b, design) for b in blocks]
            return np.asarray(np.min(proofs, axis=0), dtype=np.float64)

        def information(far: float, *, harm: bool = harm) -> float:
            sick = coin().tilted(_MARGIN * (far if harm else 1 - far))
            values = sick.counts(np.random.default_rng(3), (100, 2000), _REQUESTS)
            means = (np.tensordot(sick.values, values, axes=1) / _REQUESTS).ravel()
            even = np.full(means.size, 1 / means.size)
            return growth(means if harm else _MARGIN - means, even, 1.0 if harm else 1 - _MARGIN)

        yield Side(
            f"one bad segment of {SEGMENTS}", "roll back" if harm else "advance", 1, information, log_e,
            "blocks", shared=(0.0, 0.05, 0.2), judged=True,
        )  # fmt: skip


def _onset() -> Side:
    """Return harm that begins after a hundred fine blocks, against the one who knows when."""
    design = paired.Design(_MARGIN, 1.0, variance=0.1 / _REQUESTS + _MARGIN**2)

    def log_e(rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn) -> FloatArray:
        fine, sick = coin(), coin().tilted(_MARGIN * drawn.far)
        before = fine.counts(rng, (shape[0], ONSET), _REQUESTS, drawn.shared)
        after = sick.counts(rng, shape, _REQUESTS, drawn.shared)
        means = np.tensordot(fine.values, np.concatenate([before, after], axis=-1), axes=1) / _REQUESTS
        found = paired.rollback_evidence(Batches.single(means), design)
        return found if not drawn.far else found[:, ONSET:]

    def information(far: float) -> float:
        sick = coin().tilted(_MARGIN * far)
        values = sick.counts(np.random.default_rng(3), (100, 2000), _REQUESTS)
        means = (np.tensordot(sick.values, values, axes=1) / _REQUESTS).ravel()
        return growth(means, np.full(means.size, 1 / means.size), 1.0)

    return Side(
        f"harm that begins after {ONSET} blocks", "roll back", 1, information, log_e,
        "blocks", shared=(0.0, 0.05, 0.2), judged=True,
    )  # fmt: skip
