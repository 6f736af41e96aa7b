"""Whether probabilities mean what they say: bins, bets, and the sentence about the worst of them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from headgate.compare.calibration import calibration_rows
from headgate.errors import EvidenceError
from headgate.evidence import CalibrationSum, Entry, EvidenceRow, Source, Standing, from_json, to_json
from headgate.gates import judge
from headgate.stats.calibration import BINS, bin_evidence, evidence
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan
from tests.unit.exchange_rows import BLOCK
from tests.unit.small_batches import batch

DAY = timedelta(days=1)
TOLD = [
    {"name": "quality", "metric": "brier", "margin": 0.005},
    {"name": "told", "metric": "calibration", "role": "report"},
]
PLAN = plan(gates=TOLD)
STAY = Entry(0, 0, 0, APRIL)
NAN = float("nan")


def only(rows):
    (row,) = rows
    return row.sums


def test_bins_are_tenths_and_the_last_one_is_closed():
    one = batch([0.5] * 5, [0.0, 0.09, 0.1, 0.95, 1.0], [0, 1, 0, 1, 1])
    sums = only(calibration_rows(PLAN, one, BLOCK, STAY))
    assert [(number, n) for number, n, _ in sums.bins] == [(0, 2), (1, 1), (9, 2)]
    assert [mean for _, _, mean in sums.bins] == pytest.approx([0.455, -0.1, 0.025])
    assert from_json(to_json(sums)) == sums


def test_missing_labels_are_counted_and_unanswered_or_undrawn_requests_are_not_asked():
    one = batch(
        [0.5] * 4,
        [0.2] * 4,
        [0, NAN, 1, 1],
        paired=[True, True, False, True],
        drawn=[True, True, True, False],
    )
    sums = only(calibration_rows(PLAN, one, BLOCK, STAY))
    assert sums == CalibrationSum(((2, 1, -0.2),), missing=1)
    assert calibration_rows(PLAN, batch([], [], []), BLOCK, STAY) == []
    assert calibration_rows(plan(), one, BLOCK, STAY) == []


def test_where_outcomes_depend_on_the_decision_only_the_candidates_own_count():
    own = {"path": "o", "label": "late", "known_at": "k", "maturity": "2d", "depends_on_decision": True}
    one = batch([0.5] * 2, [0.2, 0.3], [0, 1], candidate_side=[True, False])
    sums = only(calibration_rows(plan(gates=TOLD, outcomes=own), one, BLOCK, STAY))
    assert [number for number, _, _ in sums.bins] == [2]


def test_the_order_of_requests_changes_no_bit():
    rng = np.random.default_rng(1)
    told, label, order = rng.random(500), rng.integers(0, 2, 500), rng.permutation(500)
    straight = calibration_rows(PLAN, batch(told, told, label), BLOCK, STAY)
    mixed = calibration_rows(PLAN, batch(told[order], told[order], label[order]), BLOCK, STAY)
    assert straight == mixed


# ---------------------------------------------------------------- bets


def simulated(runs, blocks, per_block, gap, seed, shock=0.0):
    """Return per run each bin's mean residual and count, shape (runs, BINS, blocks)."""
    rng = np.random.default_rng(seed)
    told = (np.arange(BINS)[:, np.newaxis] + rng.random((runs, BINS, blocks))) / BINS
    true = np.clip(told + gap, 0, 1)
    if shock:
        # A mean-preserving common shock of a day: all of a bin's requests happen more or less often.
        room = np.minimum(true, 1 - true) * shock
        true = true + room * rng.choice([-1.0, 1.0], size=(runs, 1, blocks))
    happened = rng.binomial(per_block, true)
    return happened / per_block - told, np.full((runs, BINS, blocks), float(per_block))


@pytest.mark.parametrize(("per_block", "shock"), [(1, 0.0), (40, 0.0), (40, 0.9)])
def test_a_calibrated_candidate_is_refuted_as_rarely_as_promised_also_under_common_shocks(per_block, shock):
    runs, alpha = 300, 0.05
    residuals, seen = simulated(runs, 100, per_block, 0.0, 7, shock)
    most = [float(evidence(*bin_evidence(r, s)).max()) for r, s in zip(residuals, seen, strict=True)]
    wrong = np.array(most) >= -np.log(alpha)
    assert np.mean(wrong) <= alpha + 2 * np.sqrt(alpha * (1 - alpha) / runs)


def test_a_candidate_that_is_off_by_a_tenth_is_found_out():
    residuals, seen = simulated(20, 60, 40, 0.1, 8)
    found = [float(evidence(*bin_evidence(r, s))[-1]) for r, s in zip(residuals, seen, strict=True)]
    assert min(found) > np.log(100)


def test_an_empty_bin_bets_nothing():
    more, less = bin_evidence(np.full((BINS, 3), np.nan), np.zeros((BINS, 3)))
    # Later starts have not been given their capital yet: that is all that is missing from 1.
    assert np.all(more < 0)
    assert np.all(more == less)
    assert np.all(more > -0.7)


@pytest.mark.parametrize(
    ("residuals", "message"), [(np.full((10, 2), -0.9), "below the bound"), (np.zeros(3), "not B x T")]
)
def test_residuals_that_cannot_be_are_refused(residuals, message):
    with pytest.raises(EvidenceError, match=message):
        bin_evidence(residuals, np.ones_like(residuals))


# ---------------------------------------------------------------- the sentence


def rows(*blocks):
    return [
        EvidenceRow("told", None, APRIL + n * DAY, 0, 0, Source.SHADOW, "batch", one)
        for n, one in enumerate(blocks)
    ]


def told(evidence_rows):
    where = Standing(step=0, entry=0, share_bp=0, confirmed_at=APRIL, now=APRIL + 900 * DAY)
    card = judge(PLAN, evidence_rows, where)
    return next(v for v in card.verdicts if v.gate == "told"), card


def test_the_worst_bin_is_named_in_words_and_changes_no_decision():
    usual = CalibrationSum(((1, 900, 0.0), (3, 100, 0.12)), missing=1)
    found, card = told(rows(*[usual] * 60, CalibrationSum(((8, 2, -0.3),))))
    assert found.verdict is Verdict.FAIL
    assert (found.estimate, found.samples, found.unit) == (pytest.approx(0.12), 61, "blocks")
    assert found.lower < 0.12 < found.upper
    assert "where the candidate says 0.3 to 0.4, it happens 12.0 points more often (95 % " in found.reason
    assert "expected calibration error 0.0120 over 60002 requests" in found.reason
    assert "60 labels missing, left out" in found.reason
    assert card.failed is None


def test_a_bin_that_is_told_too_high_happens_less_often():
    found, _ = told(rows(*[CalibrationSum(((9, 50, -0.2),))] * 60))
    assert "says 0.9 to 1, it happens 20.0 points less often" in found.reason


def test_without_proof_nothing_is_claimed():
    found, _ = told(rows(*[CalibrationSum(((3, 100, 0.01),)), CalibrationSum(((3, 100, -0.01),))] * 4))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "no bin is proven to be off" in found.reason
    nothing, _ = told(rows(CalibrationSum((), missing=4)))
    assert nothing.verdict is Verdict.NO_DATA


def test_an_empty_bin_is_never_the_worst_however_well_the_others_fit():
    rows = [
        EvidenceRow(
            "told", None, APRIL + k * DAY, 0, 0, Source.SHADOW, "batch",
            CalibrationSum(((4, 30, 0.04 if k % 2 else -0.04), (5, 30, -0.03 if k % 2 else 0.03))),
        )
        for k in range(40)
    ]  # fmt: skip
    card = judge(PLAN, rows, Standing(0, 0, 0, APRIL, APRIL + 60 * DAY))
    told = next(v for v in card.verdicts if v.gate == "told")
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "says 0.4 to 0.5" in told.reason or "says 0.5 to 0.6" in told.reason
