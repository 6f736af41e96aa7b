"""M12: what may be learned from, what worse means, what the next plan says. Nothing here trains."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from headgate import routing
from headgate.errors import InputError, PlanError, TrainingError
from headgate.evidence import Entry
from headgate.training import (
    BESIDE,
    SERVING,
    Made,
    Opponent,
    Past,
    Span,
    Standing,
    Trained,
    above_the_floor,
    answers_of,
    card_of,
    diff_of,
    digest_of,
    enough,
    hold_against,
    judged,
    next_version,
    plan_of_next,
    returned,
    span_of,
    usable,
)
from headgate.training.diff import told as diff_told
from headgate.training.guards import told
from tests.builders import PLAN, plan

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = datetime(2013, 6, 3, 5, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")
RETRAIN = {
    "trainer": "mine:train",
    "window": "20d",
    "holdout": "8d",
    "min_rows": 10,
    "url": "http://h-{version}:1",
}
INPUT = {
    "columns": {
        "signal": {"type": "number", "min": 0, "max": 1},
        "region": {"type": "category", "values": ["north", "south"], "other": "reject"},
    }
}
BY_REGION = {"by": ["region"], "floor": 0.1, "gates": {"quality": 0.03}}


def asked(**changes):
    return plan(**({"retrain": RETRAIN, "input": INPUT, "segments": BY_REGION} | changes))


THE_PLAN = asked()
SPAN = span_of(THE_PLAN, NOW)


def log(n=720, since=SPAN.since, every=HOUR, **columns):
    """Requests, one an hour from the window's beginning; a value per column in place of the usual ones."""
    rng = np.random.default_rng(7)
    body = {
        "request_id": [f"r{i}" for i in range(n)],
        "at": pa.array([since + i * every for i in range(n)], INSTANT),
        "tailnum": [f"N{i % 40}" for i in range(n)],
        "signal": rng.random(n),
        "region": ["north", "south"] * (n // 2) + ["north"] * (n % 2),
    }
    return pa.table(body | columns)


def outcomes(requests, late=None, lag=2 * HOUR):
    at = requests["at"].to_pylist()
    values = late if late is not None else [int(s > 0.5) for s in requests["signal"].to_pylist()]
    known = pa.array([moment + lag for moment in at], INSTANT)
    return pa.table(
        {"request_id": requests["request_id"], "late": pa.array(values, pa.int8()), "known_at": known}
    )


REQUESTS = log()
OUTCOMES = outcomes(REQUESTS)


def used(requests=REQUESTS, known=None, of=THE_PLAN, pasts=()):
    return usable(of, requests, OUTCOMES if known is None else known, SPAN, pasts)


# ---------------------------------------------------------------- the window


def test_the_window_ends_where_outcomes_are_mature_and_is_whole_blocks():
    assert SPAN.until == datetime(2013, 6, 1, tzinfo=UTC)  # two days of maturity, cut to a day
    assert (SPAN.since, SPAN.held) == (SPAN.until - 20 * DAY, SPAN.until - 8 * DAY)
    odd = asked(unit={"entity": "tailnum", "block": "36h"})
    assert (span_of(odd, NOW).until - span_of(odd, NOW).held) % timedelta(hours=36) == timedelta(0)


def test_a_plan_without_retrain_says_so():
    with pytest.raises(InputError, match="has no `retrain`"):
        span_of(plan(), NOW)


# ---------------------------------------------------------------- contamination


def test_every_request_meets_one_fate_and_the_fates_add_up():
    odd = pa.concat_tables([
        REQUESTS,
        REQUESTS.slice(3, 2),  # copies
        REQUESTS.slice(9, 1).set_column(3, "signal", pa.array([0.123])),  # the same id, another request
        log(2, SPAN.since + 90 * timedelta(minutes=1), request_id=[None, "late-comer"]),
        log(1, request_id=["outside"], signal=[7.0]),
    ])  # fmt: skip
    found = used(odd, outcomes(REQUESTS).slice(20))
    counts = found.counts
    fates = {name: n for name, n in counts.items() if n and name not in ("read", "used", "immature")}
    assert fates == {
        "missing_id": 1, "duplicate_id": 2, "contradicting_id": 2, "outside_contract": 1, "unlabelled": 20,
    }  # fmt: skip
    assert counts["read"] == counts["used"] + sum(fates.values())
    assert found.table.num_rows == counts["used"]
    assert "2 copies of another row" in told(counts)


def test_labels_that_are_not_mature_are_not_learned_from():
    young = used()
    assert young.counts["immature"] == 240  # ten days of requests came after the window
    assert max(young.table["at"].to_pylist()) < SPAN.until
    assert max(young.table["known_at"].to_pylist()) <= NOW


def test_what_was_not_known_when_the_held_out_time_began_is_not_in_the_first_fit():
    slow = outcomes(REQUESTS, lag=26 * HOUR)
    first, held, whole = used(known=slow).learned_by(SPAN)
    assert first.num_rows == 12 * 24 - 25
    assert (held.num_rows, whole.num_rows) == (8 * 24, 20 * 24)
    assert first.column_names == whole.column_names == ["entity", "at", "signal", "region", "late"]


def test_no_answer_of_a_model_is_ever_a_feature_shadow_or_not():
    n = REQUESTS.num_rows
    answers = {
        "candidate_prediction": [0.9] * n, "incumbent_prediction": [0.1] * n, "share_bp": [0] * n,
        "candidate_version": ["gbm-2"] * n, "served_by": ["candidate"] * n, "candidate_cost": [1.0] * n,
        "late": [1] * n,
    }  # fmt: skip
    found = used(log(**answers), of=asked(input=None, segments=None))
    assert set(found.features) == {"tailnum", "signal", "region"}
    assert set(found.answers) == set(answers)
    assert (
        found.table["late"].to_pylist() != [1] * found.table.num_rows
    )  # the outcome log's, not the request log's
    greedy = asked(input={"columns": INPUT["columns"] | {"candidate_prediction": {"type": "number"}}})
    assert used(log(**answers), of=greedy).features == ("signal", "region")


def test_a_request_written_twice_under_two_ids_is_learned_once():
    twice = pa.concat_tables(
        [REQUESTS, REQUESTS.slice(5, 3).set_column(0, "request_id", pa.array(["x", "y", "z"]))]
    )
    assert used(twice, outcomes(twice)).counts["copies"] == 3
    same_time = log(every=timedelta(0), n=40)  # others at the same moment are others
    assert used(same_time, outcomes(same_time)).counts["copies"] == 0


def test_what_the_plan_leaves_out_is_left_out_by_an_expression():
    marked = log(test_traffic=[True] * 30 + [False] * 690)
    told_of = asked(retrain=RETRAIN | {"leave_out": "test_traffic == true"})
    assert used(marked, of=told_of).counts["left_out"] == 30


DEPENDS = {"depends_on_decision": True}
SPLIT = [
    {"name": "quality", "metric": "brier", "margin": 0.005, "unpaired": True},
    {"name": "errors", "metric": "error_rate", "ceiling": 0.01},
]
HELD_BACK = [{"percent": 0, "dwell": "2d"}, {"percent": 30, "dwell": "1d"}, {"percent": 50}]


def depends(**changes):
    return asked(outcomes=PLAN["outcomes"] | DEPENDS, gates=SPLIT, steps=HELD_BACK, **changes)


def past(until=None, *, promoted=False):
    half = SPAN.since + 5 * DAY
    entries = (Entry(0, 0, 0, SPAN.since, half), Entry(1, 1, 3_000, half))
    return Past(depends(), "all", "flights-gbm-1", entries, until, promoted)


def test_rows_the_candidate_itself_decided_are_left_out_where_the_outcome_depends_on_it():
    found = used(of=depends(), pasts=[past()])
    kept, at = found.table["entity"].to_pylist(), found.table["at"].to_pylist()
    in_split = [e for e, moment in zip(kept, at, strict=True) if moment >= SPAN.since + 5 * DAY]
    assert all(routing.bucket("flights-gbm-1", entity) >= 3_000 for entity in in_split)
    gone = found.counts["own_decision"]
    assert 0.2 < gone / (15 * 24) < 0.45  # about the share that the candidate had
    assert found.counts["read"] == found.counts["used"] + gone


def test_after_a_promotion_every_row_is_the_models_own_and_the_window_says_so():
    found = used(of=depends(), pasts=[past(SPAN.since + 10 * DAY, promoted=True)])
    assert max(found.table["at"].to_pylist()) < SPAN.since + 10 * DAY
    first, held, _ = found.learned_by(SPAN)
    with pytest.raises(InputError, match="whose outcome the candidate's own decision made"):
        enough(depends(), first, held, found.counts)
    rolled_back = used(of=depends(), pasts=[past(SPAN.since + 10 * DAY)])
    assert rolled_back.counts["own_decision"] < found.counts["own_decision"]


def test_where_outcomes_do_not_depend_on_the_decision_nobody_is_left_out_for_it():
    assert used(pasts=[past()]).counts["own_decision"] == 0


def test_under_an_audit_only_labels_that_were_to_be_sought_are_learned_from():
    audited = asked(outcomes=PLAN["outcomes"] | {"missing": {"audit": 0.3}})
    found = used(of=audited)
    drawn = routing.all_drawn("flight-delays", found.table["request_id"].to_pylist(), 0.3)
    assert drawn.all()
    assert found.counts["not_drawn"] > 300


def test_too_little_to_learn_from_is_told_with_what_was_left_out():
    found = used(REQUESTS.slice(0, 300), OUTCOMES.slice(295))
    first, held, _ = found.learned_by(SPAN)
    with pytest.raises(
        InputError, match=r"at least 10 requests .* found 0 and 5 of 300 .*295 without a usable"
    ):
        enough(THE_PLAN, first, held, found.counts)


# ---------------------------------------------------------------- held against the others


def held_out(answers_new, answers_old, of=THE_PLAN, role=SERVING, requests=REQUESTS, late=None):
    held = used(requests, outcomes(requests, late), of).learned_by(SPAN)[1]
    truth = np.asarray(held["late"], dtype=np.float64)
    new, old = answers_new(held, truth), answers_old(held, truth)
    other = Opponent(role, "gbm-2", old)
    return hold_against(of, SPAN, held, new, other, above_the_floor(of, held))


def off_by(distance, where=None):
    """Answers this far from the truth; in one region alone if that is named."""

    def answer(held, truth):
        near = np.abs(truth - 0.1)
        far = np.abs(truth - distance)
        return far if where is None else np.where(np.asarray(held["seg_region"]) == where, far, near)

    return answer


def test_a_better_model_is_accepted_and_its_differences_are_per_segment():
    one = held_out(off_by(0.1), off_by(0.4))
    assert judged([one]).accepted
    by = {v.segment: v.estimate for v in one.verdicts}
    assert by == pytest.approx({None: 0.01 - 0.16, "region=north": -0.15, "region=south": -0.15})
    assert one.losses["quality", "region=north"] == pytest.approx((0.01, 0.16))
    assert (one.pairs, one.blocks) == (8 * 24, 8)


def test_the_same_model_again_is_not_worse():
    assert judged([held_out(off_by(0.1), off_by(0.1))]).accepted


def test_a_model_measured_worse_by_what_the_plan_calls_bad_is_refused_with_the_figure():
    found = judged([held_out(off_by(0.13), off_by(0.1))])
    assert not found.accepted
    assert (
        "quality is worse than gbm-2, which serves, by 0.0069; 0.005 is what the plan calls bad"
        in found.reason
    )
    assert judged([held_out(off_by(0.11), off_by(0.1))]).accepted  # worse by less than that: its gates decide


def test_harm_in_one_segment_is_not_hidden_by_a_gain_in_the_other():
    one = held_out(off_by(0.25, "south"), off_by(0.2, "north"))
    assert one.verdicts[0].estimate < 0.03
    found = judged([one])
    assert not found.accepted
    assert "quality[region=south] is worse" in found.reason


def test_worse_than_the_other_side_of_the_last_plan_is_refused_too():
    good, bad = held_out(off_by(0.2), off_by(0.4)), held_out(off_by(0.2), off_by(0.1), role=BESIDE)
    found = judged([good, bad])
    assert not found.accepted
    assert "which came beside it" in found.reason


def test_a_server_that_answers_nothing_or_too_few_days_settle_nothing():
    silent = held_out(off_by(0.1), lambda held, _truth: np.full(held.num_rows, np.nan))
    assert (silent.pairs, silent.verdicts[0].estimate) == (0, None)
    assert "answered none" in judged([silent]).reason
    short = log(310)  # six of the eight held-out days have no request
    few = judged([held_out(off_by(0.1), off_by(0.4), requests=short)])
    assert not few.accepted
    assert few.reason.startswith("too few: held-out requests fall in 1 blocks")


def test_a_gate_where_larger_is_better_reads_the_other_way():
    accurate = asked(gates=[{"name": "hits", "metric": "accuracy", "margin": 0.02}], segments=None)
    better, worse = held_out(off_by(0.1), off_by(0.9), accurate), held_out(off_by(0.9), off_by(0.1), accurate)
    assert (judged([better]).accepted, judged([worse]).accepted) == (True, False)
    assert better.verdicts[0].estimate == pytest.approx(0.2)  # blocks are clipped, as in the gate
    assert better.losses["hits", ""] == (0.0, 1.0)


def test_outcomes_that_depend_on_the_decision_are_compared_on_what_the_incumbent_decided():
    one = held_out(off_by(0.1), off_by(0.4), depends())
    assert one.verdicts[0].estimate == pytest.approx(-0.15)


# ---------------------------------------------------------------- the next plan


def against(new=0.1, old=0.11, **changes):
    return replace(held_out(off_by(new), off_by(old)), **changes)


def test_the_next_plan_replaces_models_and_what_was_expected_and_keeps_what_was_agreed():
    before = asked(calendar={"freeze": ["2013-05-01/2013-05-03", "2013-12-24/2013-12-26"]})
    made = plan_of_next(Standing(before, promoted=True), "gbm-3", against(), NOW)
    assert made.incumbent == before.candidate
    assert (made.candidate.version, made.candidate.url) == ("gbm-3", "http://h-gbm-3:1")
    assert made.calendar.freeze == ("2013-12-24/2013-12-26",)
    (quality, errors), (old, same) = made.gates, before.gates
    assert (quality.margin, quality.min_samples, errors) == (old.margin, old.min_samples, same)
    assert quality.expect == pytest.approx(0.01 - 0.0121)
    assert quality.variance == pytest.approx((0.01 - 0.0121) ** 2, rel=0.01)
    kept = (
        "steps",
        "segments",
        "outcomes",
        "author",
        "owner",
        "watch",
        "errors",
        "retrain",
        "name",
        "service",
    )
    assert all(getattr(made, key) == getattr(before, key) for key in kept)


def test_a_bound_is_only_ever_tightened_and_leaves_room_for_every_margin():
    made = plan_of_next(Standing(THE_PLAN, promoted=True), "gbm-3", against(), NOW)
    assert THE_PLAN.unit.block_bound == 0.2
    assert made.unit.block_bound == pytest.approx(1.5 * 0.03)  # the segments' margin is the largest
    wild = plan_of_next(Standing(THE_PLAN, promoted=True), "gbm-3", against(0.1, 0.6), NOW)
    assert wild.unit.block_bound == 0.2


def test_before_any_promotion_the_incumbent_stays():
    made = plan_of_next(Standing(THE_PLAN, promoted=False), "gbm-3", against(), NOW)
    assert made.incumbent == THE_PLAN.incumbent


def test_a_next_plan_that_breaks_a_rule_or_has_no_address_is_refused():
    nowhere = asked(retrain=RETRAIN | {"url": None, "opens": "nothing"})
    with pytest.raises(InputError, match=r"has no `retrain.url`"):
        plan_of_next(Standing(nowhere, promoted=True), "gbm-3", against(), NOW)
    strange = asked(retrain=RETRAIN | {"url": "http://h:8{number}000"})
    with pytest.raises(PlanError, match="the plan of gbm-99"):
        plan_of_next(Standing(strange, promoted=True), "gbm-99", against(), NOW)


def test_plans_frozen_before_these_keys_keep_their_hash():
    assert not {"drift", "retrain"} & set(plan().canonical())
    assert "retrain" in THE_PLAN.canonical()


def test_versions_go_up_whatever_was_refused_or_shelved_before():
    assert next_version("gbm-2", ["gbm-2", "gbm-4", "logistic-9", "gbm"]) == "gbm-5"
    assert next_version("2013", []) == "2014"


# ---------------------------------------------------------------- what a trainer returns, and its card


def test_what_is_no_model_is_refused_by_name():
    with pytest.raises(TrainingError, match="found dict; return one"):
        returned({"accuracy": 1.0}, "mine:train")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda t: [7.0] * t.num_rows, "found 7 and 719 more that are not"),
        (lambda _t: 0.5, r"found shape \(\)"),
        (lambda t: t["late"], "it raised KeyError"),
        (lambda t: [float("nan")] * t.num_rows, "found nan"),
    ],
)
def test_answers_of_another_schema_are_refused_before_anything_is_kept(answer, words):
    requests = REQUESTS.select(["signal", "region"])
    with pytest.raises(TrainingError, match=words):
        answers_of(Trained(object(), answer=answer), requests, THE_PLAN, "mine:train")


def test_a_model_that_reads_what_no_request_has_is_refused():
    with pytest.raises(TrainingError, match="it reads late, which no request has"):
        answers_of(
            Trained(object(), answer=lambda t: [0.5] * t.num_rows, columns=("signal", "late")),
            REQUESTS.select(["signal"]), THE_PLAN, "mine:train",
        )  # fmt: skip


def test_a_card_is_plain_json_and_its_fingerprint_changes_with_data_code_and_settings():
    made = Made("mine:train", "0" * 64, {"numpy": "2"}, None, ("signal",), ())
    one = against()

    def card(of=THE_PLAN, data=None, **changes):
        diff = diff_of([one], None, None, SPAN.to_json())
        return card_of(
            of, "gbm-3", SPAN, data or used(), replace(made, **changes), [one], judged([one]),
            trigger="button", origin="test", at=NOW, diff=diff,
        )  # fmt: skip

    first = card()
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert first["training"]["rows"] == 480
    assert {row["segment"] for row in first["held_out"][0]["gates"]} == {None, "region=north", "region=south"}
    assert first["fingerprint"] == card()["fingerprint"]
    others = [
        card(source_sha256="1" * 64),
        card(data=used(REQUESTS.slice(1))),
        card(asked(retrain=RETRAIN | {"window": "30d"})),
    ]
    assert len({first["fingerprint"], *(other["fingerprint"] for other in others)}) == 4
    assert any("against gbm-2" in line for line in diff_told(first["diff"]))


def test_the_digest_of_a_table_does_not_depend_on_how_it_is_cut():
    cut = pa.concat_tables([REQUESTS.slice(0, 7), REQUESTS.slice(7)])
    assert digest_of(cut) == digest_of(REQUESTS) != digest_of(REQUESTS.slice(1))


def test_a_span_is_told_as_people_read_it():
    assert isinstance(SPAN, Span)
    assert SPAN.to_json()["held_out_since"] == "2013-05-24T00:00:00+00:00"
