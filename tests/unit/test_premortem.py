"""The drill on small histories: what is found, by whom, how late, and what is told of it."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import numpy as np
import pytest

from headgate.errors import InputError
from headgate.premortem.catalogue import NOTHING, named
from headgate.premortem.drill import premortem
from headgate.premortem.found import Alarms, Detection, Premortem, Result
from headgate.premortem.page import page
from headgate.premortem.telling import as_json, headline
from tests.builders import plan
from tests.unit.fault_tables import START, days

DAY = timedelta(days=1)
PLAN = plan(
    gates=[
        {"name": "quality", "metric": "brier", "margin": 0.03, "expect": -0.01, "variance": 0.0004,
         "min_samples": 3},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.02},
    ],
    unit={"entity": "entity", "block": "6h", "block_bound": 0.2},
    outcomes={"path": "outcomes", "label": "late", "known_at": "known_at", "maturity": "1d",
              "missing": {"exclude": "nothing hangs on what is missing"}},
    steps=[{"percent": 0, "dwell": "2d"}, {"percent": 20, "dwell": "2d"}, {"percent": 100}],
    segments={"by": ["region"], "floor": 0.02, "gates": {"quality": 0.06}},
    watch="4d",
    deadline={"step": "20d", "rollout": "40d"},
)  # fmt: skip


@lru_cache
def drilled() -> Premortem:
    """Return every fault on twenty-four days of a candidate that is a little better."""
    return premortem(PLAN, days(24, 160, blocks_a_day=4), named(None), seeds=1)


def of(name: str) -> Result:
    return next(r for r in drilled().results if r.fault.name == name)


def test_every_fault_is_told_in_the_order_of_the_catalogue():
    assert [r.fault.name for r in drilled().results] == [f.name for f in named(None)]
    assert drilled().results[0].fault is NOTHING


def test_nothing_injected_is_promoted_and_raises_no_alarm():
    assert (of("nothing").outcome, of("nothing").detection) == ("promoted", None)
    assert drilled().alarms == Alarms(replays=1, stopped=0)


def test_an_answer_to_the_wrong_request_is_found_by_quality_and_few_are_harmed():
    found = of("wrong-rows").detection
    assert found is not None
    assert found.by.startswith("quality")
    assert found.decision == "roll_back"
    assert found.requests == pytest.approx(640 * found.days, rel=0.1)
    assert of("wrong-rows").outcome == "rolled_back"
    assert 0 < of("wrong-rows").harmed < found.requests


def test_errors_in_a_twentieth_are_found_by_the_errors_gate():
    found = of("errors").detection
    assert found is not None
    assert found.by == "errors"
    assert found.days <= 12


def test_the_onset_is_after_the_unharmed_replay_went_live():
    assert START + 2 * DAY < drilled().onset < START + 20 * DAY


def test_a_fault_that_leaves_the_candidate_better_is_no_miss():
    """The recorded candidate may be better by more than a fault takes away."""
    for result in drilled().faults:
        if result.fault.answers:
            assert result.net is not None
            assert result.harmful == (result.net > 0)


def test_m26_labels_that_come_late_where_it_did_worse_hide_the_harm_that_quality_finds_otherwise():
    """M26: absence that depends on the candidate must not be excluded; the drill shows what it costs."""
    late, prompt = of("late-labels"), of("worse")
    assert late.net == pytest.approx(prompt.net, abs=0.01)
    hidden = late.detection.days if late.detection else 99
    assert hidden >= (prompt.detection.days if prompt.detection else 0)


def test_harm_is_counted_by_the_shares_in_force():
    served, last = of("skewed-split").harmed, 640 * 24
    assert 0 < served < last


def test_a_slower_candidate_that_no_gate_looks_at_reaches_full_traffic_and_is_told():
    assert of("slow").full_traffic
    assert of("slow").detection is None
    assert "slow" in headline(drilled()).split("full traffic: ")[1]


def test_the_answer_comes_in_words_first():
    said = headline(drilled())
    assert said[0].isdigit()
    assert "of 9 faults would reach full traffic" in said
    assert "With nothing injected the rollout is promoted." in said
    assert "False alarms: 0 of 1" in said


def test_json_names_every_fault_with_nulls_where_nothing_is_known():
    body = as_json(drilled())
    one = next(f for f in body["faults"] if f["name"] == "wrong-rows")
    assert one["detected"] is True
    assert one["detected_at"].endswith("Z")
    none = next(f for f in body["faults"] if f["name"] == "slow")
    assert (none["detected"], none["by"], none["days_to_detection"]) == (False, None, None)
    assert body["false_alarms"] == {"replays": 1, "stopped": 0}


def test_the_page_stands_by_itself_and_escapes_names():
    html = page(drilled(), START)
    assert html.startswith("<!doctype html>")
    assert "http" not in html.replace("http-equiv", "")
    assert "dropped-feature" in html


def test_a_fault_without_its_columns_is_told_as_not_tried():
    history = days(8, 80)
    history.tables = [
        t.drop_columns(["candidate_latency_ms", "incumbent_latency_ms"]) for t in history.tables
    ]
    one = premortem(PLAN, history, named(("slow",)), seeds=0, onset=START + 3 * DAY)
    (slow,) = one.results
    assert "no column candidate_latency_ms" in slow.skipped
    assert headline(one).startswith("No fault was tried.")


def test_an_onset_outside_the_history_is_refused_with_its_bounds():
    with pytest.raises(InputError, match="within the history, 2026-03-02 to 2026-03-05; found 2027"):
        premortem(PLAN, days(4, 80), named(("errors",)), seeds=0, onset=START + 500 * DAY)


def test_the_same_history_gives_the_same_answer():
    one, two = (premortem(PLAN, days(10, 80), named(("wrong-rows",)), seeds=1) for _ in range(2))
    assert as_json(one) == as_json(two)


def test_m27_peeking_at_every_tick_stops_no_equal_candidate():
    """M27: several equal candidates, looked at every six hours, and none is stopped by chance."""
    one = premortem(PLAN, days(12, 160, blocks_a_day=4), (), seeds=4, every=timedelta(hours=6))
    assert one.alarms == Alarms(replays=4, stopped=0)


def test_m25_edge_cases_are_counted_in_the_segment_the_fault_is_in():
    """M25: a fault in one segment is counted on that segment's requests alone."""
    found = of("worse-in-segment").detection
    assert isinstance(found, Detection)
    assert found.requests < 0.6 * 640 * found.days
    assert np.isfinite(of("worse-in-segment").net or np.nan)
