"""From scored windows to cases, from what people say to the gate on overrides, and the load to come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate import routing
from headgate.adapters import store
from headgate.adapters.store import reviews
from headgate.adapters.stories import stories_of
from headgate.evidence import RateSum
from headgate.ports import ReviewReason, Side
from headgate.review.sampling import in_sample
from headgate.rollout import decide
from headgate.rollout.state import Move, Phase, PlaneView, Waiting
from headgate.tables import exchanges_schema
from tasks.adopting import told_of
from tasks.closing import close_blocks
from tasks.looking import look_around, world_of
from tasks.overrides import with_reviewers
from tasks.reviewing import ask_reviewers, draw_cases, load_of
from tasks.traffic import PlaneSeen
from tests.builders import APRIL, PLAN
from tests.rollouts import card, row
from tests.unit.task_cases import opened, standing_at

DAY = timedelta(days=1)
PER_DAY, DAYS = 100, 2
REVIEW = {"capacity": 40, "sample": 0.3, "high_value": "distance >= 2000"}
ASKING = {
    "requests": {"path": "requests", "id": "request_id", "at": "at"},
    "outcomes": {**PLAN["outcomes"], "path": "outcomes", "maturity": "1d"},
    "input": {
        "columns": {
            "distance": {"type": "number", "missing": "allow"},
            "name": {"type": "category", "missing": "allow"},
        },
        "mask": ["name"],
    },
    "serving": {"confidence_below": {"value": 0.6, "then": "flag"}},
    "gates": [*PLAN["gates"], {"name": "overrides", "metric": "override_rate", "ceiling": 0.5}],
    "review": REVIEW,
}


def world(wired, tmp_path, **changes):
    """Two scored days at half of the traffic: every tenth answer of the candidate is unsure."""
    case = opened(**{**ASKING, **changes})
    rollout = case.rollout.id
    store.confirm(wired.engine, rollout, generation=1, at=APRIL, share_bp=5_000, entry=0, step=2)
    logs = []
    for day in range(DAYS):
        start, n = APRIL + day * DAY, PER_DAY
        log = pa.table(
            {
                "request_id": [f"r{day}-{i}" for i in range(n)],
                "tailnum": [f"N{i % 97}" for i in range(n)],
                "at": pa.array([start + i * DAY / n for i in range(n)], pa.timestamp("us", "UTC")),
                "distance": [2_500.0 if i % 20 == 7 else float("nan") if i == 0 else 300.0 for i in range(n)],
                "name": [f"passenger {i}" for i in range(n)],
            }
        )
        logs.append(log)
        table = {
            "request_id": log["request_id"], "entity": log["tailnum"], "at": log["at"],
            "window": [f"w{day}"] * n, "reject_reason": [None] * n, "share_bp": [5_000] * n,
            "incumbent_prediction": [0.1] * n,
            "candidate_prediction": [0.55 if i % 10 == 4 else 0.8 for i in range(n)],
            "incumbent_status": ["ok"] * n, "candidate_status": ["ok"] * n,
            "incumbent_version": ["logistic-1"] * n, "candidate_version": ["gbm-2"] * n,
        }  # fmt: skip
        made = pa.table({name: table[name] for name in exchanges_schema([]).names}).cast(exchanges_schema([]))
        wired.lake.keep_exchanges(rollout, f"w{day}", made, {"scored": n})
        window = store.Window(start, start + DAY, f"w{day}", "0", {"scored": n}, start + DAY)
        store.add_window(wired.engine, rollout, window)
    write(tmp_path, pa.concat_tables(logs))
    return standing_at(case, Phase.RAMP, generation=1, share_bp=5_000, step=2)


def write(tmp_path, log):
    for name in ("requests", "outcomes"):
        (tmp_path / name).mkdir(exist_ok=True)
    pq.write_table(log, tmp_path / "requests" / "log.parquet")
    n = log.num_rows
    known = pa.array([at + timedelta(hours=1) for at in log["at"].to_pylist()], pa.timestamp("us", "UTC"))
    outcomes = {"request_id": log["request_id"], "late": pa.array([1] * n, pa.int8()), "known_at": known}
    pq.write_table(pa.table(outcomes), tmp_path / "outcomes" / "log.parquet")


def put_all(wired, case):
    put = draw_cases.fn(case, APRIL + 2 * DAY)
    return put, reviews.waiting(wired.engine, case.rollout.service, 10_000)


def test_m9_cases_are_drawn_once_from_every_scored_window_and_show_what_may_be_shown(wired, tmp_path):
    case = world(wired, tmp_path)
    put, waiting = put_all(wired, case)
    assert put == len(waiting) > 0
    assert draw_cases.fn(case, APRIL + 3 * DAY) == 0, "caught up: nothing twice"
    ids = [f"r{day}-{i}" for day in range(DAYS) for i in range(PER_DAY)]
    sampled = {name for name, mine in zip(ids, in_sample(case.plan, ids), strict=True) if mine}
    by_reason = {reason: [one for one in waiting if one.case.reason is reason] for reason in ReviewReason}
    assert {one.case.request_id for one in waiting} >= sampled
    for one in by_reason[ReviewReason.LOW_CONFIDENCE]:
        assert (one.case.side, one.case.answer) == (Side.CANDIDATE, 0.55)
        assert routing.goes_to_candidate(case.rollout.salt, one.case.entity, 5_000)
    assert len(by_reason[ReviewReason.HIGH_VALUE]) == 2 * PER_DAY / 20
    first = next((one for one in waiting if one.case.request_id == "r0-0"), waiting[0])
    assert set(first.case.inputs) == {"distance", "name"}
    assert {one.case.inputs["name"] for one in waiting} == {"***"}, "masked, as the plan asks"


def test_m25_the_load_at_every_step_is_known_before_the_step(wired, tmp_path):
    case = world(wired, tmp_path)
    assert load_of(case, APRIL + 2 * DAY).forecast() is None, "nothing was looked at yet"
    put, _ = put_all(wired, case)
    load = load_of(case, APRIL + 4 * DAY)
    assert (load.waiting, load.oldest, load.days) == (put, APRIL + 2 * DAY, 2.0)
    quiet, loud = load.forecast("all", 0), load.forecast("all", 10_000)
    # A tenth of the candidate's answers is unsure; a third of these is in the sample anyway.
    assert loud - quiet == pytest.approx(0.1 * PER_DAY * (1 - np.mean(in_sample(case.plan, unsure()))))
    told = told_of(case.rollout.service, APRIL + 4 * DAY)
    assert [row["fits"] for row in told["ladder"]] == [row["cases"] <= 40 for row in told["ladder"]]
    assert told["adoption"]["sampled"]["rate"] is None
    assert "not known" in " ".join(told["sentences"])


def unsure():
    return [f"r{day}-{i}" for day in range(DAYS) for i in range(4, PER_DAY, 10)]


def test_m22_overrides_of_the_sample_reach_their_gate_and_those_of_hand_picked_cases_do_not(wired, tmp_path):
    case = world(wired, tmp_path)
    _, waiting = put_all(wired, case)
    mine = in_sample(case.plan, [one.case.request_id for one in waiting]).tolist()
    before_close = APRIL + 2 * DAY + timedelta(hours=1)
    for one, sampled in zip(waiting, mine, strict=True):
        late = one.case.request_id.startswith("r0-") and one.id % 2
        # The first day closed a day after its end: what is said later changes nothing of it.
        at = before_close if late else APRIL + timedelta(days=1.5)
        if sampled:
            reviews.confirm(wired.engine, one.id, "ann", at)
        else:
            reviews.override(wired.engine, one.id, 0.0, "ann", at)
    assert close_blocks.fn(case, APRIL + 4 * DAY) == 2
    rows = [row for row in store.evidence(wired.engine, case.rollout.id) if row.gate == "overrides"]
    counted = [
        one
        for one, sampled in zip(waiting, mine, strict=True)
        if sampled
        and one.case.side is Side.CANDIDATE
        and not (one.case.request_id.startswith("r0-") and one.id % 2)
    ]
    assert sum(row.sums.n for row in rows) == len(counted) > 15
    assert sum(row.sums.x for row in rows) == 0, "every sampled answer was confirmed"
    assert all(isinstance(row.sums, RateSum) for row in rows)
    told = told_of(case.rollout.service, APRIL + 4 * DAY)["adoption"]
    assert told["reasons"]["sampled"]["overridden"] == 0
    assert told["reasons"]["high_value"]["overridden"] > 0
    stories = stories_of(wired.engine, case.rollout.id)
    (story,) = with_reviewers(stories, ["all"], APRIL + 4 * DAY)
    assert story.taken.sampled.to_json() == told["sampled"], "the page tells the same"


def test_m25_a_slice_that_is_done_goes_on_bringing_what_guards_put_for_it(wired, tmp_path):
    case = world(wired, tmp_path)
    _, waiting = put_all(wired, case)
    doubts = sum(one.case.reason is ReviewReason.LOW_CONFIDENCE for one in waiting)
    load = load_of(standing_at(case, Phase.DONE), APRIL + 4 * DAY)
    assert load.slices == {}, "nobody scores its windows any more"
    assert load.forecast() == load.besides == doubts / 4 > 0


def test_m22_a_tick_sees_the_queue_and_does_not_climb_past_it(wired, tmp_path):
    case = world(wired, tmp_path, review={**REVIEW, "capacity": 1})
    put_all(wired, case)
    now = APRIL + 40 * DAY
    around = replace(look_around.fn(case, now), versions=("logistic-1", "gbm-2"))
    plane = PlaneSeen(PlaneView.AGREES, 5_000, 1, APRIL)
    seen = world_of(case, plane, card(row("quality"), row("errors"), row("overrides")), around, now)
    stay = replace(case.state, confirmed_at=APRIL, versions=("logistic-1", "gbm-2"))
    held = decide(stay, case.plan, seen, case.rollout.plan_hash)
    assert (held.move, held.waiting_for) == (Move.HOLD, (Waiting.REVIEW_CAPACITY,))
    assert "reviewers manage 1 a day" in held.reason
    enough = case.plan.model_copy(update={"review": case.plan.review.model_copy(update={"capacity": 999})})
    assert "reviewers are behind" in decide(stay, enough, seen, case.rollout.plan_hash).reason
    for one in reviews.waiting(wired.engine, case.rollout.service, 10_000):
        reviews.confirm(wired.engine, one.id, "ann", now)
    after = replace(seen, review=load_of(case, now))
    assert decide(stay, enough, after, case.rollout.plan_hash).move is Move.ADVANCE


def test_a_plan_without_reviewers_draws_nothing_and_waits_for_nobody(wired, tmp_path):
    gates = [gate for gate in ASKING["gates"] if gate["name"] != "overrides"]
    case = world(wired, tmp_path, review=None, gates=gates)
    assert (ask_reviewers(case, APRIL + 2 * DAY), load_of(case, APRIL + 2 * DAY)) == (0, None)
    assert reviews.services(wired.engine) == []
    (story,) = with_reviewers(stories_of(wired.engine, case.rollout.id), ["all"], APRIL + 2 * DAY)
    assert story.taken is None
