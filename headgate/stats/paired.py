"""Evidence about a paired loss: both sides answered the same request and the outcome is known.

``D`` is the candidate's loss minus the incumbent's, so larger is worse. *Bad* is a mean of D at the
margin or above, *fine* a mean at 0 or below; between them either verdict is legal.
"""

from __future__ import annotations

from dataclasses import dataclass

from headgate.errors import EvidenceError
from headgate.stats.betting import Batches, Bet, FloatArray, log_wealth
from headgate.stats.mixture import mixture, mixture_from_any_start


@dataclass(frozen=True, slots=True)
class Design:
    """What is asked of a paired loss, and what is expected of it.

    Attributes
    ----------
    margin
        The largest mean of D tolerated; below 0 it asks for superiority.
    limit
        Largest possible absolute D: a block's clipping bound, or the range of the loss.
    expect
        The mean of D that is expected, below the margin; None: 0.
    harm
        The mean of D that is to be found fast, > 0; None: the margin.
    variance
        Second moment of D expected before any data; None: the bound of each bet squared.
    trust
        Units that ``variance`` counts for.
    """

    margin: float
    limit: float
    expect: float = 0.0
    harm: float | None = None
    variance: float | None = None
    trust: float = 2.0

    def __post_init__(self) -> None:
        if not -self.limit < self.margin < self.limit:
            raise EvidenceError(
                f"a margin of {self.margin} cannot be told from the largest possible difference of "
                f"{self.limit}: choose one closer to 0 or widen block_bound"
            )
        if self.expect >= self.margin:
            raise EvidenceError(
                f"the expected difference {self.expect} must lie below the margin {self.margin}: "
                "say expect, or raise the margin"
            )
        if self.harm is None and self.margin <= 0:
            raise EvidenceError(f"a margin of {self.margin} does not say what harm is: give harm > 0")


def advance_evidence(differences: Batches, design: Design) -> FloatArray:
    """Return log E against "the candidate is worse by the margin" after each batch, shape (..., T).

    Parameters
    ----------
    differences
        D with every missing label at its worst, shape (m, ..., T).
    design
        Margin, bounds and expectations.

    Examples
    --------
    >>> design = Design(margin=0.005, limit=0.2, expect=-0.007, variance=0.0004)
    >>> float(advance_evidence(Batches.single([-0.007] * 70), design)[-1])
    3.77
    """
    bets = Batches(design.margin - differences.values, differences.counts)
    bet = Bet(design.margin - design.expect, design.limit - design.margin, design.variance, design.trust)
    return mixture(log_wealth(bets, bet))


def rollback_evidence(differences: Batches, design: Design, *, any_start: bool = True) -> FloatArray:
    """Return log E against "the candidate is no worse" after each batch, shape (..., T).

    Parameters
    ----------
    differences
        D with every missing label at its best, shape (m, ..., T).
    design
        Harm, bounds and expectations.
    any_start
        Whether harm may begin at any batch.

    Examples
    --------
    >>> design = Design(margin=0.005, limit=0.2, variance=0.0004)
    >>> float(rollback_evidence(Batches.single([0.02] * 60), design)[-1])
    4.97
    """
    wealth = harm_wealth(differences, design)
    return mixture_from_any_start(wealth) if any_start else mixture(wealth)


def harm_wealth(differences: Batches, design: Design) -> FloatArray:
    """Return the log-capital of each bet on harm after each batch, shape (K, ..., T)."""
    harm = design.margin if design.harm is None else design.harm
    return log_wealth(differences, Bet(harm, design.limit, design.variance, design.trust))
