"""Which answers people look at, what their word makes of a case, and whether they can keep up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from headgate.compare.reviewed import overruled, with_reviews
from headgate.errors import InputError, PlanError
from headgate.plan import parse_plan
from headgate.plan.lint import lint
from headgate.ports import ReviewCase, ReviewReason, Side
from headgate.review.adoption import adoption_of
from headgate.review.case import Decided, Queued, Ruling, ruling_on
from headgate.review.load import QUIET, Arrivals, ReviewLoad, ladder, short_of_reviewers
from headgate.review.sampling import Answered, draw, in_sample
from tests.builders import APRIL, PLAN, plan

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
N = 4_000
REVIEW = {"capacity": 40, "sample": 0.05}


def asking(**review):
    serving = {"confidence_below": {"value": 0.6, "then": "review"}} if review.pop("floor", False) else {}
    segments = {"by": ["origin"], "floor": 0.1, "gates": {"quality": 0.1}}
    return plan(review=REVIEW | review, serving=serving, segments=segments)


def answered(**changes) -> Answered:
    """4,000 requests, a hundredth from a small airport; the sides disagree on a tenth."""
    ids = [f"r{i}" for i in range(N)]
    small = np.arange(N) % 100 == 0
    made = Answered(
        request_ids=ids,
        incumbent=np.full(N, 0.1),
        candidate=np.where(np.arange(N) % 10 == 3, 0.9, 0.2),
        candidate_side=np.arange(N) % 2 == 1,
        high_value=np.zeros(N, bool),
        parts={"origin=JFK": ~small, "origin=EWR": small},
    )
    return replace(made, **changes)


# ---------------------------------------------------------------- drawing


def test_m9_the_plain_sample_is_a_part_of_what_is_drawn_whatever_else_is_asked_for():
    of = asking(disagreement=0.5, per_segment=10)
    plain = set(np.flatnonzero(in_sample(of, answered().request_ids)).tolist())
    drawn = set(draw(of, answered(), days=1).rows)
    assert plain < drawn
    assert len(plain) == pytest.approx(0.05 * N, rel=0.2)
    assert plain == set(draw(asking(), answered(), days=1).rows), "without more, nothing but the sample"


def test_m9_disagreements_and_small_segments_are_drawn_more_often():
    rows = np.array(draw(asking(disagreement=0.5), answered(), days=1).rows)
    assert np.mean(rows % 10 == 3) == pytest.approx(0.05 / (0.05 + 0.045), abs=0.05)
    made = draw(asking(per_segment=20), answered(), days=1)
    small = [stratum for stratum in made.strata if stratum.startswith("origin=EWR")]
    assert len(small) == pytest.approx(20, abs=10)
    assert len([r for r in draw(asking(per_segment=10_000), answered(), days=1).rows if r % 100 == 0]) == 40


def test_m9_every_unsure_answer_that_somebody_got_is_looked_at_and_the_worst_reason_is_told():
    unsure = answered(candidate=np.full(N, 0.55), high_value=np.arange(N) < 10)
    made = draw(asking(floor=True, sample=0), unsure, days=1)
    # The candidate's half is unsure; of the rest only what is worth a look.
    assert made.rows == sorted([*range(1, N, 2), *range(0, 10, 2)])
    assert made.reasons[:4] == [ReviewReason.HIGH_VALUE, ReviewReason.LOW_CONFIDENCE] * 2
    assert (made.sides[1], made.answers[1], made.confidences[1]) == (Side.CANDIDATE, 0.55, 0.55)
    assert (made.sides[0], made.answers[0], made.confidences[0]) == (Side.INCUMBENT, 0.1, 0.9)
    # What either side would bring by itself is known before it answers anybody.
    assert (int(made.if_incumbent.sum()), int(made.if_candidate.sum())) == (10, N)


def test_an_incumbent_that_stood_in_is_who_answered_and_where_nobody_did_nothing_is_made_up():
    gone = answered(candidate=np.full(N, np.nan), candidate_side=np.ones(N, bool))
    made = draw(asking(sample=1), gone, days=1)
    assert len(made.rows) == N
    assert set(made.sides) == {Side.INCUMBENT}
    nobody = draw(asking(sample=1), replace(gone, incumbent=np.full(N, np.nan)), days=1)
    assert (set(nobody.sides), set(nobody.answers), set(nobody.confidences)) == ({None}, {None}, {None})


# ---------------------------------------------------------------- what a word makes of a case


def case(answer=0.7, side=Side.CANDIDATE, reason=ReviewReason.SAMPLED, number=1) -> ReviewCase:
    return ReviewCase("flight-delays", f"r{number}", "N1", APRIL, reason, side, answer, None, None, "all", {})


def test_a_reviewer_who_decides_as_the_model_did_confirms_it():
    assert ruling_on(plan(), case(0.7), 1.0) is Ruling.CONFIRMED
    assert ruling_on(plan(), case(0.7), 0.0) is Ruling.OVERRIDDEN
    assert ruling_on(plan(), case(None, None), 0.0) is Ruling.ANSWERED
    number = plan(prediction={"kind": "number"}, output={"min": 0, "max": 90})
    assert ruling_on(number, case(7.0), 7.0) is Ruling.CONFIRMED
    for of, answer in ((plan(), 0.5), (number, 91.0), (number, float("inf"))):
        with pytest.raises(InputError, match="give one of these"):
            ruling_on(of, case(), answer)


# ---------------------------------------------------------------- keeping up

RULE = asking().review
LOAD = ReviewLoad(
    waiting=3,
    oldest=APRIL,
    days=2.0,
    slices={"jfk": Arrivals(1_000, 20, 100), "lga": Arrivals(500, 10, 30)},
    shares={"jfk": 5_000, "lga": 0},
    besides=1.5,
)


def test_m25_the_load_of_a_step_is_what_either_side_would_bring_at_that_share():
    assert LOAD.forecast() == (60 + 10) / 2 + 1.5
    assert LOAD.forecast("jfk", 10_000) == (100 + 10) / 2 + 1.5
    assert LOAD.forecast("lga", 10_000) == (60 + 30) / 2 + 1.5
    assert [cases for _, cases in ladder(LOAD, [0, 5_000, 10_000], "jfk")] == [16.5, 36.5, 56.5]


@pytest.mark.parametrize(
    ("load", "share_bp", "said"),
    [
        (LOAD, 5_000, ""),
        (LOAD, 10_000, "56.5 cases a day would come; reviewers manage 40"),
        (replace(LOAD, oldest=APRIL - DAY - HOUR), 5_000, "the oldest for 25h (at most 1d)"),
        (replace(LOAD, days=0.0, slices={}), 5_000, "not known"),
        (None, 0, "could not be looked at"),
        (QUIET, 10_000, ""),
    ],
)
def test_m22_the_ramp_waits_for_reviewers_who_are_behind_or_would_be_and_for_what_is_not_known(
    load, share_bp, said
):
    reasons = short_of_reviewers(RULE, load, "jfk", share_bp, APRIL)
    assert said in "; ".join(reasons)
    assert bool(reasons) == bool(said)


# ---------------------------------------------------------------- adoption


def decided(number: int, ruling: Ruling | None, hours: int = 2, **changes) -> Queued:
    said = None if ruling is None else Decided(ruling, 1.0, "ann", "", APRIL + hours * HOUR)
    return Queued(number, case(number=number, **changes), "", APRIL, said)


def test_m22_adoption_tells_what_people_said_and_where_nobody_looked_nothing():
    cases = [
        decided(1, Ruling.CONFIRMED),
        decided(2, Ruling.OVERRIDDEN, 4),
        decided(3, Ruling.OVERRIDDEN, 6, reason=ReviewReason.LOW_CONFIDENCE),
        decided(4, Ruling.OVERRIDDEN, side=Side.INCUMBENT),
        decided(5, Ruling.UNCLEAR),
        decided(6, None),
    ]
    sampled, now = [True, True, False, True, True, True], APRIL + 9 * HOUR
    told = adoption_of(cases, sampled, now, backlog=(3, APRIL - 40 * DAY))
    assert (told.sampled.judged, told.sampled.overridden) == (2, 1), "the candidate's, sampled and told"
    assert (told.judged.judged, told.judged.overridden) == (4, 3), "whoever answered, sampled or not"
    assert (told.waiting, told.oldest_hours) == (3, 969.0), "what waits was put at any time"
    assert (told.hours, told.reviewers) == (2.0, 1)
    assert told.reasons["low_confidence"].rate == 1.0
    nothing = adoption_of([], [], APRIL, backlog=(0, None)).to_json()
    assert (nothing["sampled"]["rate"], nothing["sampled"]["interval"], nothing["hours"]) == (
        None,
        None,
        None,
    )


def test_m22_an_override_is_an_outcome_and_silence_is_not_approval():
    rows = pa.table({"request_id": ["r1", "r2", "r3", "r4"]})
    reviews = {"r1": (APRIL, True), "r2": (APRIL, False), "r3": (APRIL + HOUR, True), "r9": (APRIL, True)}
    told = np.array([np.nan, np.nan, np.nan, 0.0])
    found = overruled(with_reviews(rows, reviews, known_by=APRIL), told)
    np.testing.assert_array_equal(found, [1, 0, np.nan, 0])
    np.testing.assert_array_equal(overruled(with_reviews(rows, {}, APRIL), told), told)


# ---------------------------------------------------------------- the plan


@pytest.mark.parametrize(
    ("review", "where"),
    [
        ({"high_value": "distance >>= 3"}, "review.high_value"),
        ({"max_age": "0s"}, "review.max_age"),
        ({"disagreement": 0.01}, "review.disagreement"),
        ({"per_segment": 3}, "review.per_segment"),
    ],
)
def test_a_plan_that_asks_reviewers_for_what_they_cannot_do_is_refused(review, where):
    found = lint(plan(review=REVIEW | review))
    assert [".".join(map(str, one.path)) for one in found] == [where]


def test_a_gate_on_overrides_counts_what_reviewers_say_where_the_plan_has_a_sample():
    gates = [*PLAN["gates"], {"name": "overrides", "metric": "override_rate", "ceiling": 0.1}]
    assert not lint(plan(gates=gates, review=REVIEW))
    assert [one.path for one in lint(plan(gates=gates, review={"capacity": 3, "sample": 0}))] == [
        ("gates", 2, "metric")
    ]


def test_a_plan_frozen_before_there_were_reviewers_keeps_its_hash():
    assert "review" not in plan().canonical()
    assert plan().hash != plan(review=REVIEW).hash
    with pytest.raises(PlanError, match="capacity"):
        parse_plan("version: 1\nreview: {sample: 0.1}\n", "plan.yaml")
