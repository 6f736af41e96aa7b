r"""How good the answers probably are, while their labels are not known.

A score says how likely the outcome is, as far as earlier outcomes bore it out. From cohorts whose labels
are known, the share of outcomes per bin of scores is learnt; of newer answers, that share is expected in
each bin, and with it the loss (confidence-based performance estimation, CBPE [1]_, on binned scores).

The assumption: *among requests with the same score, outcomes are as frequent as they were*. It holds where
only the mix of requests changes. It breaks where the world itself does (concept drift): the estimate then
stays calm while the model is wrong. So the assumption is put to the test with every cohort whose labels
arrive (`headgate.performance.risk`), and where it does not hold the estimate says so.

References
----------
.. [1] J. Białek, W. Kuberski, N. Perrakis, A. Bifet, "Estimating Model Performance Under Covariate Shift
   Without Labels", arXiv:2401.08348, 2024.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from headgate.performance.bins import Binned, Floats, merged
from headgate.performance.question import Question
from headgate.plan.model import Metric

#: Labels without which nothing is learnt.
FEWEST_LABELS = 200
#: Cohorts whose estimates were checked before a band is drawn around new ones.
FEWEST_CHECKS = 10
#: Labels that a bin's own mean score counts for: a bin with few labels is believed to mean what it says.
_TRUST = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What a score means.

    Attributes
    ----------
    share
        Outcomes that are 1, expected of the answers in each bin, in [0, 1]; shape (B,).
    labels
        From how many labels it was learnt; ``seen`` of them in each bin, shape (B,).
    """

    share: Floats
    labels: int
    seen: Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """The expected performance of answers without labels.

    Attributes
    ----------
    loss
        Mean loss in the unit of the watched gate; None where its metric cannot be told from scores.
    low, high
        Where nine of ten earlier estimates would have had to be to be right; None before ten were checked.
    zero_one, positives, auc
        Share of wrong decisions, share of outcomes that are 1, and the area under the curve; None where there
        is none (an area needs outcomes of both kinds).
    labels
        How many labels the meaning of the scores was learnt from.
    uncovered
        Share of the answers in bins of which no label is known: there a score is believed as it stands.
    """

    loss: float | None
    zero_one: float
    positives: float
    auc: float | None
    labels: int
    uncovered: float
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)


def learnt(cohorts: Iterable[Binned]) -> Calibration | None:
    """Return what scores mean by these labelled cohorts; None with fewer than 200 labels.

    Examples
    --------
    >>> from headgate.performance.bins import binned
    >>> rng = np.random.default_rng(1)
    >>> scores = rng.random(4_000)
    >>> known = learnt([binned(scores, 0.5, (rng.random(4_000) < scores / 2).astype(float))])
    >>> bool(abs(known.share[19] - 0.49) < 0.05)  # told 97 %, happens half as often
    True
    """
    together = merged(cohorts)
    if together is None or sum(together.labelled) < FEWEST_LABELS:
        return None
    n, total, labelled, positive = (together.array(name) for name in ("n", "total", "labelled", "positive"))
    middle = (np.arange(len(n)) + 0.5) / len(n)
    said = np.divide(total, n, out=middle, where=n > 0)
    share = (positive + _TRUST * said) / (labelled + _TRUST)
    return Calibration(share, int(labelled.sum()), labelled)


def estimated(
    answers: Binned, known: Calibration, question: Question | None, errors: Sequence[float] = ()
) -> Estimate | None:
    """Return the expected performance of answers; None where there are none.

    Parameters
    ----------
    errors
        Of the estimates before: realised minus estimated mean loss per cohort.
    """
    if not answers.rows:
        return None
    n, above = answers.array("n"), answers.array("above")
    p = known.share
    wrong = float(np.sum(above * (1 - p) + (n - above) * p)) / answers.rows
    loss = _loss(answers, p, question) if question else None
    low = high = None
    if loss is not None and len(errors) >= FEWEST_CHECKS:
        low, high = (loss + float(np.quantile(errors, q)) for q in (0.05, 0.95))
    return Estimate(
        loss=loss,
        zero_one=wrong,
        positives=float(np.sum(n * p)) / answers.rows,
        auc=area(n * p, n * (1 - p)),
        labels=known.labels,
        uncovered=float(np.sum(n[known.seen == 0])) / answers.rows,
        low=low,
        high=high,
    )


def area(positives: Floats, negatives: Floats) -> float | None:
    """Return the area under the curve of binned scores, ties within a bin counted half; None if undefined.

    Parameters
    ----------
    positives, negatives
        Number of outcomes 1 and 0 per bin, rising scores, shape (B,).

    Examples
    --------
    >>> area(np.array([0.0, 0.0, 2.0]), np.array([3.0, 1.0, 0.0])), area(np.zeros(2), np.ones(2))
    (1.0, None)
    """
    every = float(positives.sum() * negatives.sum())
    if every <= 0:
        return None
    below = np.cumsum(negatives) - negatives
    return float(np.sum(positives * (below + negatives / 2))) / every


def _loss(answers: Binned, p: Floats, question: Question) -> float | None:
    """Return the expected mean loss, where the metric follows from score, decision and outcome alone."""
    n, total, squares, above = (answers.array(name) for name in ("n", "total", "squares", "above"))
    gate = question.gate
    match gate.metric:
        case Metric.BRIER | Metric.SQUARED_ERROR:
            sums = squares - 2 * p * total + p * n
        case Metric.ABSOLUTE_ERROR:
            sums = p * (n - total) + (1 - p) * total
        case Metric.ZERO_ONE | Metric.ACCURACY:
            sums = above * (1 - p) + (n - above) * p
        case Metric.VALUE if gate.payoff is not None:
            worth = gate.payoff
            sums = -above * (p * worth.true_positive + (1 - p) * worth.false_positive)
            sums = sums - (n - above) * (p * worth.false_negative + (1 - p) * worth.true_negative)
        case _:
            return None
    return float(np.sum(sums)) / answers.rows
