r"""Is the traffic split as configured? A Bayes factor that may be looked at after every entity.

References
----------
.. [1] M. Lindon, A. Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022.
"""

from __future__ import annotations

from math import lgamma, log

from headgate.errors import EvidenceError

#: Chance of ever calling a faithful split unfaithful.
ALPHA = 0.001


def log_bayes_factor(candidate: int, incumbent: int, share: float) -> float:
    r"""Return the log Bayes factor of "another split" against "the configured split".

    Parameters
    ----------
    candidate, incumbent
        Distinct entities first seen on each side, >= 0.
    share
        The candidate's configured share, in (0, 1).

    Returns
    -------
    float
        0 without entities. Under the configured split its exponential is a martingale.

    Raises
    ------
    EvidenceError
        If a count is negative or the share leaves nothing to split.

    Notes
    -----
    Dirichlet-multinomial with prior :math:`\mathrm{Dir}(\kappa \pi)`,
    :math:`\kappa = 100 / (\pi (1 - \pi))`: departures of a few percent of the share are expected.

    Examples
    --------
    >>> log_bayes_factor(500, 500, share=0.5) < 0 < log_bayes_factor(600, 400, share=0.5)
    True
    """
    if candidate < 0 or incumbent < 0:
        raise EvidenceError(f"counts of entities cannot be negative: {candidate}, {incumbent}")
    if not 0 < share < 1:
        raise EvidenceError(f"a split needs a share above 0 and below 1, got {share}")
    ours, theirs = 100 / (1 - share), 100 / share  # kappa * share, kappa * (1 - share)
    found = _log_beta(ours + candidate, theirs + incumbent) - _log_beta(ours, theirs)
    return found - candidate * log(share) - incumbent * log(1 - share)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
