"""Every rate against its ceiling, and the certificate of agreement."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from headgate.evidence import EvidenceRow, RateSum, Source, Standing
from headgate.gates.finding import Finding, Trail
from headgate.gates.judging import judge
from headgate.stats import rates
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = Standing(step=0, entry=0, share_bp=0, confirmed_at=APRIL, now=APRIL + 90 * DAY)
LIVE = Standing(step=1, entry=1, share_bp=500, confirmed_at=APRIL, now=APRIL + 90 * DAY)
QUALITY = {"name": "quality", "metric": "brier", "margin": 0.005}


def gate(metric, **more):
    return {"name": "rate", "metric": metric, **({} if metric == "coverage" else {"ceiling": 0.02}), **more}


def hours(sums, *, every=HOUR, entry=0, share=0, name="rate", start=APRIL):
    return [
        EvidenceRow(name, None, start + n * every, entry, share, Source.PLANE, "", s)
        for n, s in enumerate(sums)
    ]


def judged(metric, sums, at=AT, *, every=HOUR, **more):
    entry, share = at.entry, at.share_bp
    card = judge(plan(gates=[gate(metric, **more)]), hours(sums, every=every, entry=entry, share=share), at)
    return card.verdicts[0]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("error_rate", "error rate 1.00 % (95 % 0.51 %..1.73 %; 40 of 4000 requests failed), ceiling 2.00 %"),
        (
            "fallback_rate",
            "fallback rate 1.00 % (95 % 0.51 %..1.73 %; 40 of 4000 requests fell back to the incumbent), "
            "ceiling 2.00 %",
        ),
        (
            "reject_rate",
            "reject rate 1.00 % (95 % 0.51 %..1.73 %; 40 of 4000 requests were refused), ceiling 2.00 %",
        ),
        (
            "override_rate",
            "override rate 1.00 % (95 % 0.51 %..1.73 %; 40 of 4000 answers were overruled by a person), "
            "ceiling 2.00 %",
        ),
        (
            "disagreement",
            "disagreement 1.00 % (95 % 0.51 %..1.73 %; 40 of 4000 requests that both sides answered got "
            "two different answers), ceiling 2.00 %",
        ),
    ],
)
def test_every_rate_is_told_in_words_of_its_own(metric, words):
    at = LIVE if metric == "override_rate" else AT
    found = judged(metric, [RateSum(400, 4)] * 10, at)
    assert found.reason.startswith(f"rate: {words}"), found.reason
    assert found.verdict is Verdict.PASS


def test_the_share_of_losses_above_their_cap_is_a_gate_like_any_other():
    minutes = plan(
        gates=[{"name": "minutes", "metric": "absolute_error", "margin": 1.0}],
        prediction={"kind": "number"},
    )
    rows = hours([RateSum(500, 30)] * 10, name="minutes-capped")
    found = next(v for v in judge(minutes, rows, AT).verdicts if v.gate == "minutes-capped")
    assert found.verdict is Verdict.FAIL
    assert "rate above the cap 6.00 %" in found.reason
    assert "300 of 5000 losses were above it), ceiling 1.00 %" in found.reason


@pytest.mark.parametrize("metric", ["error_rate", "fallback_rate", "reject_rate", "disagreement"])
def test_a_rate_above_its_ceiling_rolls_back_whatever_it_is_a_rate_of(metric):
    found = judged(metric, [RateSum(100, 12)] * 10)
    assert found.verdict is Verdict.FAIL
    assert "harm is proven" in found.reason


def test_a_rate_at_its_ceiling_is_neither():
    assert judged("reject_rate", [RateSum(400, 8)] * 10).verdict is Verdict.INCONCLUSIVE


def test_what_is_expected_makes_its_proof_faster_and_changes_no_verdict_about_harm():
    sums = [RateSum(100, 1)] * 12
    plain, expecting = (judged("error_rate", sums, expect=expect) for expect in (0.0, 0.01))
    assert expecting.log_e_advance > plain.log_e_advance
    assert expecting.log_e_rollback == plain.log_e_rollback


def test_harm_is_the_excess_over_the_ceiling_that_is_found_fast():
    sums = [RateSum(100, 3), RateSum(100, 3)] * 4  # one percent above a ceiling of two
    small, large = (judged("error_rate", sums, harm=harm) for harm in (0.01, 0.18))
    assert small.log_e_rollback > large.log_e_rollback
    assert small.log_e_advance == large.log_e_advance


def test_expecting_as_much_as_the_ceiling_leaves_nothing_to_prove():
    found = judged("error_rate", [RateSum(100, 1)], expect=0.02)
    assert found.verdict is Verdict.ERROR
    assert "below 0.02" in found.reason


def test_coverage_is_held_to_its_floor_and_expects_misses():
    sums = [RateSum(100, 1)] * 30
    found = judged("coverage", sums, floor=0.97, expect=0.01)
    assert found.verdict is Verdict.PASS
    assert "coverage 99.00 %" in found.reason
    assert "30 of 3000 requests not covered), floor 97.00 %" in found.reason


def test_disagreement_below_its_ceiling_certifies_without_any_label():
    proved = judged("disagreement", [RateSum(400, 2)] * 10)
    assert proved.verdict is Verdict.PASS
    assert (
        "certifies without any label that the candidate is not worse by a margin of 2.00 %" in proved.reason
    )
    open_yet = judged("disagreement", [RateSum(50, 0)])
    assert open_yet.verdict is Verdict.INCONCLUSIVE
    assert "proved below its ceiling this certifies a margin of 2.00 %" in open_yet.reason


def test_sides_that_agree_on_everything_are_a_certificate_and_no_fault():
    found = judged("disagreement", [RateSum(400, 0)] * 5)
    assert found.verdict is Verdict.PASS
    assert found.estimate == 0.0
    assert "the sides agree on everything, which is a certificate and no fault" in found.reason


def test_the_certificate_holds_whatever_the_labels_are():
    """A 0/1 loss differs at most where the answers differ: checked on random answers and labels."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        ours, theirs, label = rng.integers(0, 2, (3, 50))
        worse = np.mean((theirs != label).astype(float) - (ours != label))
        assert worse <= np.mean(ours != theirs)


def test_disagreement_counts_afresh_on_every_step():
    rows = hours([RateSum(400, 0)] * 5) + hours([RateSum(50, 0)], entry=1, share=500, start=APRIL + DAY)
    card = judge(plan(gates=[gate("disagreement")]), rows, LIVE)
    assert card.verdicts[0].samples == 50
    assert card.verdicts[0].verdict is Verdict.INCONCLUSIVE


def test_overrides_that_come_in_bursts_count_blocks_and_say_so():
    rng = np.random.default_rng(1)
    sums = [RateSum(200, int(x)) for x in rng.binomial(200, rng.beta(0.2, 19.8, 40))]
    found = judged("override_rate", sums, LIVE, every=DAY, ceiling=0.3)
    assert found.unit == "batches"
    assert "counts batches: requests of one batch fail together" in found.reason
    assert found.samples == 40


def test_the_least_samples_are_requests_also_where_batches_are_counted():
    finding = Finding(Trail(np.zeros(2), np.array([1.0, 2.0])), unit="batches", requests=100)
    assert finding.fewest(400) == 8
    assert Finding(Trail(np.zeros(2), np.array([1.0, 2.0])), unit="blocks").fewest(28) == 28


def test_harm_that_begins_late_is_found_by_the_start_times_and_not_hidden_by_a_good_start():
    """M3, M27: two hundred clean hours, then five times what is allowed."""
    x, n = np.array([0.0] * 200 + [5.0] * 40), np.full(240, 50.0)
    started, first_only = (
        rates.rollback_evidence(x, n, 0.02, any_start=any_start) for any_start in (True, False)
    )
    found = np.argmax(started >= np.log(33))
    assert 200 <= found <= 206
    assert first_only[:240].max() < np.log(33)
    late = [RateSum(50, int(events)) for events in x[: found + 8]]
    assert judged("error_rate", late).verdict is Verdict.FAIL


def test_an_hour_without_requests_says_nothing():
    assert judged("fallback_rate", [RateSum(0, 0)] * 9).verdict is Verdict.NO_DATA
