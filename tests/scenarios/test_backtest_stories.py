"""Stories that a replay tells: what a plan would have decided about candidates we know everything of."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from headgate.adapters.history import open_history
from headgate.backtest.replay import replay
from headgate.backtest.told import as_json
from headgate.verdicts import Verdict
from tests.histories import INSTANT, exchanges, outcomes, small_plan, two_slices, write

DAYS, EACH = 40, 40
SEGMENTED = {"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}}


@pytest.fixture
def told(tmp_path):
    """Replay a history; return the replay."""

    def tell(made, known=None, *, plan=None, **how):
        plan = plan or small_plan()
        known = known if known is not None else outcomes(DAYS, EACH)
        with open_history(plan, *write(tmp_path / "history", made, known)) as history:
            return replay(plan, history, **how)

    return tell


def candidate(**how):
    return exchanges(DAYS, EACH, **how)


def predictions(made, values):
    return made.set_column(
        made.column_names.index("candidate_prediction"), "candidate_prediction", pa.array(values)
    )


def highest(result):
    return max(one.tick.state.share_bp for one in result.ticks)


def test_a_candidate_that_answers_exactly_alike_is_promoted_agreement_is_a_certificate(told):
    assert told(candidate()).outcome == "promoted"


def test_a_better_candidate_is_promoted(told):
    result = told(candidate(worse_by=-0.1))
    assert (result.outcome, highest(result)) == ("promoted", 10_000)


def test_m27_a_candidate_at_the_margin_is_not_promoted_however_often_somebody_looks(told):
    # Brier of .6/.4 answers plus w: .8 w + w^2, which is the margin of .02 at w = .0243.
    made = candidate(worse_by=0.0243)
    for every in (timedelta(days=1), timedelta(hours=6)):
        result = told(made, every=every)
        assert (result.outcome == "promoted", highest(result)) == (False, 0)


def test_errors_that_begin_with_live_traffic_roll_back(told):
    shadow = told(candidate(errors=0.3, errors_from=999))
    live = next(one.tick.at for one in shadow.ticks if one.tick.state.share_bp)
    began = (live - shadow.first_at) / timedelta(days=1)
    plan = small_plan(
        gates=[
            {"name": "quality", "metric": "brier", "margin": 0.02, "min_samples": 3},
            {"name": "errors", "metric": "error_rate", "ceiling": 0.05, "from": 50},
        ]
    )
    result = told(candidate(errors=0.6, errors_from=began), plan=plan)
    assert result.outcome == "rolled_back"
    assert 0 < highest(result) < 10_000
    failed = [v.gate for v in result.ticks[-2].tick.verdicts if v.verdict is Verdict.FAIL]
    assert failed == ["errors"]


def test_harm_that_begins_late_is_found_after_the_climb_began(told):
    result = told(candidate(worse_by=0.5, worse_from=16))
    assert result.outcome == "rolled_back"
    assert highest(result) > 0
    at = next(one.tick.at for one in result.ticks if one.tick.decision.move == "roll_back")
    assert timedelta(days=17) < at - result.first_at < timedelta(days=32)


def test_one_bad_segment_keeps_a_candidate_that_is_fine_overall_from_climbing(told):
    made = candidate(worse_by=-0.3)
    label = np.asarray(outcomes(DAYS, EACH)["label"])
    bad = np.arange(DAYS * EACH) % 10 == 0
    made = made.set_column(made.column_names.index("origin"), "origin", pa.array(np.where(bad, "EWR", "JFK")))
    worse = np.where(bad, np.where(label == 1, 0.3, 0.7), np.asarray(made["candidate_prediction"]))
    assert told(predictions(made, worse)).outcome == "promoted"
    result = told(predictions(made, worse), plan=small_plan(segments=SEGMENTED))
    assert (result.outcome, highest(result)) == ("rolled_back", 0)
    assert "quality[origin=EWR]" in result.ticks[-1].tick.decision.reason


def test_a_rollout_nobody_approves_stays_in_shadow_and_says_what_it_waits_for(told):
    result = told(candidate(), approve=False)
    assert (result.outcome, highest(result)) == (None, 0)
    assert as_json(result)["ticks"][-1]["waiting_for"] == ["approval"]


def test_m26_labels_that_come_sooner_when_the_answer_was_good_do_not_promote(told):
    # Half of the answers are bad, and just their labels come after their block closed.
    made = candidate()
    draw = np.random.default_rng(8)
    bad = draw.random(DAYS * EACH) < 0.5
    label = np.asarray(outcomes(DAYS, EACH)["label"])
    answers = np.where(bad, np.where(label == 1, 0.1, 0.9), np.asarray(made["candidate_prediction"]))
    known = outcomes(DAYS, EACH)
    late = np.asarray(known["known_at"].cast(pa.int64())) + np.where(bad, 10 * 86_400_000_000, 0)
    known = known.set_column(2, "known_at", pa.array(late, INSTANT))
    result = told(predictions(made, answers), known)
    assert result.outcome != "promoted"
    assert highest(result) == 0
    assert result.data_quality["outcomes.after_closing"] == bad.sum()


def test_m2_what_is_good_enough_is_frozen_with_the_plan_and_a_stricter_plan_decides_otherwise(told):
    made = candidate(worse_by=0.01)
    lenient, strict = small_plan(), small_plan(
        gates=[{"name": "quality", "metric": "brier", "margin": 0.002, "min_samples": 3}]
    )  # fmt: skip
    first, second = told(made, plan=lenient), told(made, plan=strict)
    assert (first.outcome, second.outcome == "promoted", highest(second)) == ("promoted", False, 0)
    assert as_json(first)["plan_hash"] == lenient.hash != as_json(second)["plan_hash"] == strict.hash


def test_m4_a_good_slice_climbs_while_a_harmful_one_falls_back(told):
    plan = two_slices()
    made = candidate()
    label = np.asarray(outcomes(DAYS, EACH)["label"])
    lga = np.asarray(made["origin"]) == "LGA"
    worse = np.where(lga, np.where(label == 1, 0.1, 0.9), np.asarray(made["candidate_prediction"]))
    result = told(predictions(made, worse), plan=plan)
    share = {
        name: max(o.tick.state.share_bp for o in result.ticks if o.slice == name) for name in ("jfk", "lga")
    }
    assert share == {"jfk": 10_000, "lga": 0}
    assert result.outcome in (None, "rolled_back")
