"""Gates that need more of a history than two answers and a label, through a whole replay."""

import numpy as np
import pyarrow as pa
import pytest

from headgate.adapters.history import open_history
from headgate.backtest.replay import replay
from headgate.routing import all_drawn
from headgate.verdicts import Verdict
from tests.histories import exchanges, outcomes, small_plan, write

DAYS, EACH = 40, 100
N = DAYS * EACH
QUALITY = {"name": "quality", "metric": "brier", "margin": 0.02, "min_samples": 3}
COST = {"name": "spent", "metric": "cost", "margin": 1.0, "cap": 20.0}
OVERRIDDEN = {"name": "overruled", "metric": "override_rate", "ceiling": 0.2}
ASKED = {"path": "o", "label": "label", "known_at": "known_at", "maturity": "1d"}
AUDITED = {**ASKED, "missing": {"audit": 0.5}}


@pytest.fixture
def told(tmp_path):
    def tell(plan, made, known):
        with open_history(plan, *write(tmp_path, made, known)) as history:
            return replay(plan, history)

    return tell


def highest(result):
    return max(one.tick.state.share_bp for one in result.ticks)


def failed(result):
    return {v.gate for one in result.ticks for v in one.tick.verdicts if v.verdict is Verdict.FAIL}


def costs(dearer):
    draw = np.random.default_rng(41)
    theirs = draw.gamma(2.0, 1.0, N)
    return {"incumbent_cost": theirs, "candidate_cost": draw.gamma(2.0, 1.0, N) + dearer}


def test_a_candidate_that_costs_as_much_climbs_and_one_that_costs_more_is_rolled_back(told):
    plan, known = small_plan(gates=[QUALITY, COST]), outcomes(DAYS, EACH)
    same = told(plan, exchanges(DAYS, EACH, **costs(0.0)), known)
    assert (same.outcome, failed(same)) == ("promoted", set())
    dear = told(plan, exchanges(DAYS, EACH, **costs(2.5)), known)
    assert (dear.outcome, highest(dear), failed(dear)) == ("rolled_back", 0, {"spent"})


def test_a_cost_without_a_cap_is_capped_by_what_the_first_days_cost_and_its_tail_is_a_gate(told):
    plan = small_plan(gates=[QUALITY, {**COST, "cap": None}])
    made = exchanges(DAYS, EACH, **costs(0.0))
    result = told(plan, made, outcomes(DAYS, EACH))
    spent = [v for one in result.ticks for v in one.tick.verdicts if v.gate == "spent"]
    assert spent[0].samples == 0  # these days froze the cap, and are not judged by it
    assert spent[-1].samples > 0
    cost = np.asarray(made["candidate_cost"])
    tail = cost.copy()
    tail[np.random.default_rng(42).random(N) < 0.05] = 1e6  # a capped mean alone would hide how much
    made = made.set_column(made.column_names.index("candidate_cost"), "candidate_cost", pa.array(tail))
    result = told(plan, made, outcomes(DAYS, EACH))
    assert result.outcome == "rolled_back"
    assert "spent-capped" in failed(result)


@pytest.mark.parametrize(("rate", "outcome"), [(0.02, "promoted"), (0.6, "rolled_back")])
def test_overrides_count_once_the_candidate_answers_somebody(told, rate, outcome):
    asked = {**ASKED, "overridden": "overridden"}
    plan = small_plan(gates=[QUALITY, OVERRIDDEN], outcomes=asked)
    flags = (np.random.default_rng(43).random(N) < rate).astype(np.int64)
    known = outcomes(DAYS, EACH, overridden=flags)
    result = told(plan, exchanges(DAYS, EACH), known)
    assert result.outcome == outcome
    assert highest(result) > 0  # in shadow nobody got an answer to overrule
    assert failed(result) == (set() if outcome == "promoted" else {"overruled"})


def test_an_audit_ignores_labels_that_nobody_drew(told):
    """Callers praise what was right; by the drawn labels alone the candidate is seen to be bad."""
    plan = small_plan(outcomes=AUDITED, gates=[{**QUALITY, "harm": 0.3, "variance": 0.2}])
    made, known = exchanges(DAYS, EACH), outcomes(DAYS, EACH)
    bad = np.random.default_rng(44).random(N) < 0.9
    right, wrong = (np.where(np.asarray(known["label"]) == 1, p, 1 - p) for p in (0.8, 0.1))
    place = made.column_names.index("candidate_prediction")
    made = made.set_column(place, "candidate_prediction", pa.array(np.where(bad, wrong, right)))
    drawn = all_drawn(plan.service, made["request_id"].to_pylist(), 0.5)
    alone, praised = (told(plan, made, known.filter(pa.array(there))) for there in (drawn, drawn | ~bad))
    assert alone.outcome == praised.outcome == "rolled_back"
    assert [one.tick.verdicts for one in alone.ticks] == [one.tick.verdicts for one in praised.ticks]


def test_an_audited_candidate_that_is_fine_climbs_on_the_drawn_labels(told):
    plan = small_plan(outcomes=AUDITED, gates=[{**QUALITY, "margin": 0.3}])
    made, known = exchanges(DAYS, EACH, worse_by=-0.35), outcomes(DAYS, EACH)
    drawn = all_drawn(plan.service, made["request_id"].to_pylist(), 0.5)
    assert told(plan, made, known.filter(pa.array(drawn))).outcome == "promoted"
