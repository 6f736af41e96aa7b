"""Unpaired gates alone: the two arms of a live split, each entity by the side it met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.gates.alone import Drawn, Side
from benchmarks.gates.oracles import (
    Population,
    bounded_arms,
    costs,
    entities,
    growth,
    losses,
    rare,
    two_arms,
    two_arms_ratio,
)
from headgate.stats import ratio, unpaired
from headgate.stats.betting import FloatArray

#: Entities per look, by the candidate's share: an arm of a few entities says little.
LOOKS = {0.05: 200, 0.25: 100, 0.5: 50}
SHARED = (0.0, 0.05, 0.2)
#: Requests of a sticky entity, which counts once.
REQUESTS = 10
#: Rate of the rare event, and entities per look.
RARE, RARE_LOOK, RATIO = 0.005, 500, 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """What is compared: the incumbent's losses, the margin and the largest loss."""

    name: str
    incumbent: Population
    margin: float
    high: float
    looks: int = 1

    @property
    def design(self) -> unpaired.Design:
        """The design, given the variance of one entity's loss as `power` would suggest it."""
        variance = self.incumbent.square - self.incumbent.mean**2
        return unpaired.Design(self.margin, variance=variance, high=self.high)

    def candidate(self, far: float, *, harm: bool) -> Population:
        """Return the candidate's losses this far from the null."""
        excess = self.margin * far if harm else self.margin * (1 - far)
        return self.incumbent.tilted(self.incumbent.mean + excess)

    def draw(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        share: float,
        look: int,
        drawn: Drawn,
        *,
        harm: bool,
    ) -> unpaired.Arms:
        """Draw both arms of every batch."""
        n1 = rng.binomial(look, share, shape)
        sides = (
            side.batches(rng, shape, n, drawn.shared)
            for side, n in ((self.candidate(drawn.far, harm=harm), n1), (self.incumbent, look - n1))
        )
        return unpaired.Arms(*sides)


def arms() -> tuple[Arm, ...]:
    """Return the losses that are compared."""
    cost, cap = costs()
    return (
        Arm("unpaired 0/1 loss", rare(0.1), 0.03, 1.0),
        Arm("unpaired bounded loss (brier)", losses(), 0.03, 1.0),
        Arm("unpaired cost, heavy tails, capped", cost, 0.15 * cost.mean, cap, looks=10),
    )


def sides() -> Iterator[Side]:
    """Yield unpaired losses by entity, and the ratio of rare events, at three shares."""
    for arm in arms():
        for share, look in LOOKS.items():
            yield from _units(arm, share, look * arm.looks)
    for shared in SHARED[1:]:
        name = f"unpaired 0/1 loss, entities of {REQUESTS} requests that correlate by {shared:g}"
        yield from _units(Arm(name, entities(0.1, REQUESTS, shared), 0.03, 1.0), 0.25, 50)
    for share in LOOKS:
        yield from _ratios(share)


def block_sides() -> Iterator[Side]:
    """Yield unpaired losses in blocks that may share their shocks; every block is a look."""
    zero_one, bounded, _ = arms()
    for share in LOOKS:
        yield from _blocks(zero_one, share, 400)
    yield from _blocks(bounded, 0.25, 400)


def _units(arm: Arm, share: float, look: int) -> Iterator[Side]:
    for harm in (False, True):

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm
        ) -> FloatArray:
            drawn_arms = arm.draw(rng, shape, share, look, drawn, harm=harm)
            return unpaired.unit_evidence(drawn_arms, arm.design, harm=harm, any_start=drawn.starts)

        def information(far: float, *, harm: bool = harm) -> float:
            ours, against = arm.candidate(far, harm=harm), 0.0 if harm else arm.margin
            if len(ours.values) == 2:
                return two_arms(share, ours.mean, arm.incumbent.mean, against)
            return bounded_arms(share, ours, arm.incumbent, against, arm.high, harm=harm)

        yield Side(
            f"{arm.name}, split at {share:.0%}", "roll back" if harm else "advance", look, information,
            log_e, "entities",
        )  # fmt: skip


def _blocks(arm: Arm, share: float, look: int) -> Iterator[Side]:
    for harm in (False, True):

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm
        ) -> FloatArray:
            drawn_arms = arm.draw(rng, shape, share, look, drawn, harm=harm)
            return unpaired.block_evidence(drawn_arms, arm.design, harm=harm, any_start=drawn.starts)

        def information(far: float, *, harm: bool = harm) -> float:
            seen = arm.draw(np.random.default_rng(3), (100, 1000), share, look, Drawn(far), harm=harm)
            values = unpaired.differences(seen).ravel()
            even = np.full(values.size, 1 / values.size)
            bound = arm.high - (0.0 if harm else arm.margin)
            return growth(values if harm else arm.margin - values, even, bound)

        yield Side(
            f"{arm.name} in blocks of {look}, split at {share:.0%}", "roll back" if harm else "advance", 1,
            information, log_e, "blocks", shared=SHARED,
        )  # fmt: skip


def _ratios(share: float) -> Iterator[Side]:
    for harm in (False, True):

        def information(far: float, *, harm: bool = harm) -> float:
            ours = float(RARE * RATIO ** (far if harm else 1 - far))
            return two_arms_ratio(share, ours, RARE, 1.0 if harm else RATIO)

        def log_e(
            rng: np.random.Generator, shape: tuple[int, int], drawn: Drawn, *, harm: bool = harm
        ) -> FloatArray:
            n1 = rng.binomial(RARE_LOOK, share, shape)
            ours = rng.binomial(n1, RARE * RATIO ** (drawn.far if harm else 1 - drawn.far))
            theirs = rng.binomial(RARE_LOOK - n1, RARE)
            n0 = RARE_LOOK - n1
            events = ratio.Events(*np.array([n1, ours, n0, theirs], dtype=np.float64))
            if harm:
                return ratio.rollback_evidence(events, RATIO, any_start=drawn.starts)
            return ratio.advance_evidence(events, RATIO)

        yield Side(
            f"rare events x {RATIO:g}, split at {share:.0%}", "roll back" if harm else "advance", RARE_LOOK,
            information, log_e, "entities",
        )  # fmt: skip
