"""How good the serving model is: measured on mature labels, estimated where there are none (M10, M11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from headgate.errors import EvidenceError
from headgate.performance import (
    Binned,
    Claim,
    binned,
    cohort_sums,
    estimated,
    learnt,
    merged,
    question_of,
    trend_of,
    watched,
    window_sums,
)
from headgate.performance.bins import BINS
from headgate.performance.course import Course, course_of
from headgate.performance.estimating import area
from headgate.performance.live import Hour, hours_of, together
from headgate.performance.monitored import Word
from headgate.performance.risk import LEVEL_BLOCKS, level_of
from headgate.ports import Served, Side
from tests.builders import APRIL, plan

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
QUESTION = question_of(plan())


def labels(rng: np.random.Generator, chance: np.ndarray) -> np.ndarray:
    return (rng.random(len(chance)) < chance).astype(float)


def brier(scores: np.ndarray, outcomes: np.ndarray) -> float:
    return float(np.mean((scores - outcomes) ** 2))


# ---------------------------------------------------------------- bins


def test_bins_of_partitions_add_up_to_the_bins_of_the_whole():
    rng = np.random.default_rng(1)
    scores, outcomes = rng.random(1000), rng.choice([0.0, 1.0, np.nan], 1000)
    whole = binned(scores, 0.3, outcomes)
    parts = merged(binned(scores[i::7], 0.3, outcomes[i::7]) for i in range(7))
    for name in ("n", "above", "labelled", "positive"):
        assert getattr(parts, name) == getattr(whole, name)
    assert np.allclose(parts.total, whole.total)
    assert np.allclose(parts.squares, whole.squares)
    assert merged([]) is None


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.5, np.inf])
def test_a_score_that_is_no_probability_is_never_put_into_a_bin(bad):
    with pytest.raises(EvidenceError, match="in \\[0, 1\\]"):
        binned(np.array([0.5, bad]), 0.5)


# ---------------------------------------------------------------- estimates


def test_an_estimate_foresees_what_another_mix_of_requests_does_to_the_loss():
    """M11: the requests change, what a score means does not: the labels that come later agree."""
    rng = np.random.default_rng(2)
    before, now = rng.beta(2, 2, 20_000), rng.beta(6, 2, 20_000)
    means = lambda s: 0.1 + 0.7 * s  # noqa: E731 - a model that is sure of itself without reason
    known = learnt([binned(before, 0.5, labels(rng, means(before)))])
    told = estimated(binned(now, 0.5), known, QUESTION)
    truth = labels(rng, means(now))
    assert abs(told.loss - brier(now, truth)) < 0.005
    assert abs(told.zero_one - np.mean((now >= 0.5) != truth)) < 0.01
    assert abs(told.positives - truth.mean()) < 0.01
    real = binned(now, 0.5, truth)
    assert (
        abs(told.auc - area(real.array("positive"), real.array("labelled") - real.array("positive"))) < 0.01
    )
    # It would have been far off to believe what the scores say, or that nothing changed.
    assert abs(brier(now, truth) - np.mean(now * (1 - now))) > 0.02


def test_without_labels_enough_nothing_is_learnt_and_without_answers_nothing_is_estimated():
    few = binned(np.full(199, 0.5), 0.5, np.ones(199))
    assert learnt([few]) is None
    assert learnt([]) is None
    known = learnt([few, few])
    assert estimated(binned(np.zeros(0), 0.5), known, QUESTION) is None


def test_bins_nobody_has_seen_labels_of_are_believed_and_told():
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 0.4, 5000)
    known = learnt([binned(low, 0.5, labels(rng, low))])
    told = estimated(binned(np.full(100, 0.9), 0.5), known, QUESTION)
    assert told.uncovered == 1.0
    assert abs(told.positives - 0.925) < 1e-9  # the middle of the bin
    assert told.auc == pytest.approx(0.5)


def test_a_band_is_drawn_only_once_ten_estimates_were_checked():
    rng = np.random.default_rng(4)
    scores = rng.random(1000)
    known = learnt([binned(scores, 0.5, labels(rng, scores))])
    assert estimated(binned(scores, 0.5), known, QUESTION, [0.01] * 9).low is None
    told = estimated(binned(scores, 0.5), known, QUESTION, [-0.01, 0.02] * 5)
    assert told.low == pytest.approx(told.loss - 0.01)
    assert told.high == pytest.approx(told.loss + 0.02)


@pytest.mark.parametrize("metric", ["brier", "zero_one", "accuracy", "absolute_error"])
def test_the_estimated_loss_is_the_realised_one_where_scores_mean_what_they_say(metric):
    rng = np.random.default_rng(5)
    of = plan(gates=[{"name": "quality", "metric": metric, "margin": 0.01}])
    scores = rng.random(40_000)
    outcomes = labels(rng, scores)
    told = estimated(binned(scores, 0.5), learnt([binned(scores, 0.5, outcomes)]), question_of(of))
    wrong = np.mean((scores >= 0.5) != outcomes)
    real = {"brier": brier(scores, outcomes), "absolute_error": np.mean(np.abs(scores - outcomes))}
    assert told.loss == pytest.approx(real.get(metric, wrong), abs=0.004)


def test_the_worth_of_decisions_is_estimated_by_the_plans_payoff():
    gate = {
        "name": "worth", "metric": "value", "margin": 0.1,
        "payoff": {"true_positive": 10, "false_positive": -2, "false_negative": -5, "true_negative": 0},
    }  # fmt: skip
    rng = np.random.default_rng(6)
    scores = rng.random(40_000)
    outcomes = labels(rng, scores)
    asked = question_of(plan(gates=[gate]))
    assert (asked.low, asked.high) == (-10.0, 5.0)
    told = estimated(binned(scores, 0.5), learnt([binned(scores, 0.5, outcomes)]), asked)
    worth = np.where(scores >= 0.5, np.where(outcomes == 1, 10, -2), np.where(outcomes == 1, -5, 0))
    assert told.loss == pytest.approx(-worth.mean(), abs=0.05)


# ---------------------------------------------------------------- what is watched


def test_the_loss_that_is_watched_is_the_first_guardrails_and_its_margin_is_what_is_tolerated():
    gates = [
        {"name": "told", "metric": "zero_one", "margin": 0.1, "role": "report"},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
        {"name": "quality", "metric": "brier", "margin": 0.005},
    ]
    asked = question_of(plan(gates=gates))
    assert (asked.gate.name, asked.tolerance, asked.low, asked.high) == ("quality", 0.005, 0.0, 1.0)
    assert question_of(plan(gates=gates[:2])).gate.name == "told"
    assert question_of(plan(gates=gates[1:2])) is None


def test_a_plan_that_asks_for_superiority_tolerates_the_harm_it_names():
    gate = {"name": "quality", "metric": "brier", "margin": 0.0, "expect": -0.01, "harm": 0.03}
    assert question_of(plan(gates=[gate])).tolerance == 0.03


def test_a_loss_of_numbers_is_watched_under_its_cap_and_not_without_one():
    gates = [{"name": "minutes", "metric": "absolute_error", "margin": 1.0}]
    of = plan(prediction={"kind": "number"}, gates=gates)
    assert question_of(of) is None
    asked = question_of(of, {"minutes": 40.0})
    assert (asked.cap, asked.high) == (40.0, 40.0)


# ---------------------------------------------------------------- mature cohorts

INSTANT = pa.timestamp("us", tz="UTC")
SPAN = (APRIL, APRIL + DAY)


def served(scores, *, hours=None, entities=None, **columns) -> pa.Table:
    n = len(scores)
    at = [APRIL + h * HOUR for h in (hours or range(n))]
    ok = [score is not None for score in scores]
    return pa.table(
        {
            "request_id": [f"r{i}" for i in range(n)],
            "entity": entities or [f"N{i}" for i in range(n)],
            "at": pa.array(at, INSTANT),
            "prediction": pa.array(scores, pa.float64()),
            "status": ["ok" if one else "timeout" for one in ok],
            "version": ["gbm-2"] * n,
            "reject_reason": pa.array([None] * n, pa.string()),
            **columns,
        }
    )


def outcomes(values, *, after=None) -> pa.Table:
    after = after or [2] * len(values)
    at = [APRIL + (i + h) * HOUR for i, h in enumerate(after)]
    return pa.table(
        {
            "request_id": [f"r{i}" for i in range(len(values))],
            "late": pa.array(values, pa.int8()),
            "known_at": pa.array(at, INSTANT),
        }
    )


def measured(of, answers, truth, question=QUESTION):
    return cohort_sums(of, question, answers, truth, SPAN, {})


def test_a_label_known_after_the_block_has_closed_is_missing_and_stays_it():
    """Blocks of a day with a maturity of two days close on the third: later labels change nothing."""
    answers = served([0.2, 0.2, 0.2, None])
    found = measured(plan(), answers, outcomes([0, 1, 1, 1], after=[2, 71 - 1, 71, 2]))
    assert (found.answered, found.labelled) == (3, 2)
    assert found.loss == pytest.approx((0.04 + 0.64) / 2)
    assert found.wrong == 0.5
    assert found.bins.rows == 3


def test_no_labels_are_no_loss_and_never_a_number():
    found = measured(plan(), served([0.2, 0.9]), outcomes([0, 1]).slice(0, 0))
    assert (found.answered, found.labelled) == (2, 0)
    assert {found.loss, found.wrong, found.positives, found.auc, found.blocks[0].loss} == {None}
    nobody = measured(plan(), served([None]), outcomes([1]))
    assert (nobody.answered, nobody.loss) == (0, None)


def test_within_a_block_every_entity_counts_once_as_for_the_gates():
    answers = served([0.0, 0.0, 0.0, 0.0], entities=["A", "A", "A", "B"])
    found = measured(plan(), answers, outcomes([1, 1, 1, 0]))
    assert found.blocks[0].loss == pytest.approx(0.5)
    assert (found.blocks[0].mean, found.loss) == (pytest.approx(0.75), pytest.approx(0.75))


def test_errors_are_told_by_type_of_request():
    """M10: accuracy and unanswered requests by segment."""
    of = plan(segments={"by": ["origin"], "gates": {"quality": 0.05}})
    origin = pa.array(["JFK", "JFK", "LGA", "LGA"])
    answers = served([0.1, 0.9, 0.9, None], seg_origin=origin)
    listed = {"origin": ("JFK", "LGA")}
    found = cohort_sums(of, QUESTION, answers, outcomes([0, 1, 0, 0]), SPAN, listed)
    assert found.parts["origin=JFK"].wrong == 0.0
    assert found.parts["origin=LGA"].wrong == 1.0
    assert window_sums(of, answers, listed).parts == {"origin=JFK": (2, 2), "origin=LGA": (2, 1)}


def test_numbers_have_a_capped_loss_and_neither_decisions_nor_bins():
    gates = [{"name": "minutes", "metric": "absolute_error", "margin": 1.0, "cap": 30}]
    of = plan(prediction={"kind": "number"}, gates=gates)
    found = measured(of, served([10.0, 500.0]), outcomes([0, 0]), question_of(of))
    assert found.loss == pytest.approx(20.0)
    assert (found.bins, found.wrong, found.auc) == (None, None, None)
    sums = window_sums(of, served([10.0, 500.0]), {})
    assert (sums.confidence, sums.bins, sums.mean) == (None, None, 255.0)


def test_how_often_people_overrule_the_model_is_measured_where_it_is_known():
    """M22: whether the organisation uses it."""
    of = plan(outcomes={**plan().outcomes.model_dump(), "maturity": "2d", "overridden": "overruled"})
    truth = outcomes([0, 1, 0]).append_column("overruled", pa.array([1, 0, None], pa.int8()))
    assert measured(of, served([0.1, 0.9, 0.1]), truth).overridden == 0.5


def test_confidence_cost_and_rejects_of_a_window_are_none_where_nothing_was_answered():
    """M10, M17: what an answer costs is what servers say it did."""
    found = window_sums(plan(), served([0.2, None], cost=pa.array([3.0, None])), {})
    assert (found.confidence, found.cost, found.costed, found.answered) == (0.8, 3.0, 1, 1)
    silent = window_sums(plan(), served([None, None]), {})
    assert (silent.confidence, silent.mean, silent.cost, silent.bins.rows) == (None, None, None, 0)


# ---------------------------------------------------------------- is it worse than it was?


def days(values) -> list[tuple[datetime, float]]:
    return [(APRIL + i * DAY, float(value)) for i, value in enumerate(values)]


def test_a_model_that_is_just_as_good_as_tolerated_goes_a_thousand_blocks_without_an_alarm():
    """The worst case of what counts as fine, with days that resemble each other (AR 0.5)."""
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(200):
        noise = rng.normal(0, 0.02, 300)
        for t in range(1, 300):
            noise[t] += 0.5 * noise[t - 1]
        level = level_of((0.15 + noise[:LEVEL_BLOCKS]).tolist())
        # In the mean at the level, as fine models are; the tolerance is theirs.
        values = days(0.15 + noise[LEVEL_BLOCKS:] - level.mean - 0.01)
        alarms += any(watched(values[:n], Claim.about(level, 0.01)).raised for n in range(10, 272, 20))
    # Run length 1,000: within 272 blocks at most 27 % of the runs, in theory; far fewer in fact.
    assert alarms / 200 < 0.1


def test_a_model_that_gets_much_worse_is_noticed_within_a_fortnight_and_since_when():
    rng = np.random.default_rng(8)
    losses = rng.normal(0.15, 0.02, 90)
    losses[60:] += 0.08
    level = level_of(losses[:LEVEL_BLOCKS].tolist())
    values = [(at, loss - level.mean - 0.01) for at, loss in days(losses)[LEVEL_BLOCKS:]]
    raised = [n for n in range(1, len(values) + 1) if watched(values[:n], Claim.about(level, 0.01)).raised]
    noticed = raised[0] + LEVEL_BLOCKS - 60
    assert 0 < noticed <= 14
    since = watched(values, Claim.about(level, 0.01)).since
    assert abs((since - APRIL) / DAY - 60) <= 7


def test_too_few_blocks_claim_nothing():
    assert level_of([0.1] * 6) is None
    nothing = watched([], Claim(0.01, -0.1))
    assert (nothing.raised, nothing.log_m, nothing.blocks) == (False, 0.0, 0)


def cohort(at: datetime, loss: float | None, estimate: float | None = None, answered: int = 100) -> dict:
    block = {"at": at.isoformat(), "loss": loss, "mean": loss}
    known = answered if loss is not None else 0
    sums = {"blocks": [block], "loss": loss, "answered": answered, "labelled": known, "bins": None}
    return {"sums": sums, "estimated": estimate}


def course(losses, estimates=None) -> Course:
    asked = replace(QUESTION, tolerance=0.02)
    estimates = estimates if estimates is not None else [None] * len(losses)
    told = zip(days(range(len(losses))), losses, estimates, strict=True)
    return course_of(asked, [cohort(at, loss, estimate) for (at, _), loss, estimate in told])


def test_a_model_is_held_against_its_own_first_weeks_and_not_judged_before():
    rng = np.random.default_rng(9)
    losses = rng.normal(0.15, 0.01, 70).tolist()
    assert course(losses[:5]).word is Word.TOO_FEW
    calm = course(losses)
    assert (calm.word, calm.level.blocks) == (Word.FINE, LEVEL_BLOCKS)
    worse = course(losses[:50] + [loss + 0.1 for loss in losses[50:]])
    assert worse.word is Word.DEGRADED
    assert "since 2013-05-21" in worse.reasons[0]


def test_labels_that_stopped_coming_are_no_loss_of_zero_but_a_word_of_their_own():
    found = course([0.15] * 10 + [None])
    assert found.word is Word.NO_LABELS
    assert "none of 100 answers has a label" in found.reasons[0]


def test_when_the_world_changes_the_estimate_stays_calm_and_the_check_says_so():
    """M11: concept drift. The scores look as ever; the labels that arrive refute what a score means."""
    rng = np.random.default_rng(10)
    losses = rng.normal(0.15, 0.01, 80)
    losses[60:] += 0.15
    found = course(losses.tolist(), [None] * 28 + [0.15] * 52)
    assert found.check.raised
    assert abs((found.check.since - APRIL) / DAY - 60) <= 3
    assert "do not rely on them" in found.reasons[-1]
    assert not course(losses[:60].tolist(), [None] * 28 + [0.15] * 32).check.raised


def test_a_model_that_gets_better_than_estimated_refutes_the_estimate_too():
    losses = [0.15, 0.16] * 20 + [0.02] * 20
    assert course(losses, [None] * 28 + [0.155] * 32).check.raised


def test_without_a_gate_on_outcomes_only_inputs_are_watched():
    assert "only inputs and scores" in course_of(None, []).reasons[0]


# ---------------------------------------------------------------- trend


def test_a_month_is_held_against_the_month_before_and_a_week_against_nothing():
    found = trend_of(days([0.1] * 30 + [0.2] * 30))
    assert found.change == pytest.approx(0.1)
    assert trend_of(days([0.1] * 20)).change is None
    assert trend_of(days([0.1] * 6)).mean is None


def test_a_gap_of_ten_months_is_no_trend():
    blocks = [*days([0.1] * 30), *[(at + 300 * DAY, loss) for at, loss in days([0.2] * 30)]]
    found = trend_of(blocks)
    assert (found.mean, found.before, found.change) == (pytest.approx(0.2), None, None)


# ---------------------------------------------------------------- what callers got


def line(minute: float, ms: float = 1.0, served: Side | None = Side.CANDIDATE, status: int = 200) -> Served:
    at = datetime(2013, 4, 1, tzinfo=UTC) + timedelta(minutes=minute)
    return Served("r", "N1", at, Side.CANDIDATE, served, status, ms, "gbm-1", 3)


def test_errors_fallbacks_and_latency_are_counted_by_the_hour():
    lines = [
        line(1),
        line(59, 8.0),
        line(61, served=Side.INCUMBENT),
        line(62, served=None),
        line(63, status=503),
    ]
    hours = hours_of(lines)
    first, second = (hours[at] for at in sorted(hours))
    assert (first.n, first.errors, first.fallbacks, first.quantile(0.95)) == (2, 0, 0, 8.0)
    assert (second.n, second.errors, second.fallbacks) == (3, 2, 1)
    whole = together([first, Hour.from_json(second.to_json())])
    assert (whole.n, sum(whole.cells.values())) == (5, 5)


def test_a_latency_quantile_is_known_to_within_a_tenth():
    rng = np.random.default_rng(11)
    latencies = rng.lognormal(1, 1, 5000)
    hours = hours_of([line(1, float(ms)) for ms in latencies])
    (hour,) = hours.values()
    for q in (0.5, 0.95, 0.99):
        assert hour.quantile(q) == pytest.approx(float(np.quantile(latencies, q)), rel=0.1)


def test_bins_cover_the_whole_range():
    edges = binned(np.array([0.0, 1.0]), 0.5)
    assert (len(edges.n), edges.n[0], edges.n[BINS - 1]) == (BINS, 1, 1)
    assert Binned.from_json(edges.to_json()) == edges
