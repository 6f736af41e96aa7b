"""After the last step: a signal beside every guardrail, never needed and never a pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.evidence import BlockSum, EvidenceRow, RateSum, Source, Standing, UnitSum
from headgate.gates.judging import _examine
from headgate.gates.questions import ask
from headgate.gates.rows import gather
from headgate.gates.watch import watch_verdicts
from headgate.verdicts import Role, Verdict
from tests.builders import APRIL, plan

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ERRORS = {"name": "errors", "metric": "error_rate", "ceiling": 0.02}
QUALITY = {"name": "quality", "metric": "brier", "margin": 0.005, "variance": 0.0004}
PLAN = plan(gates=[QUALITY, ERRORS])
BEGAN = APRIL + 100 * DAY
WATCH = Standing(step=3, entry=4, share_bp=10_000, confirmed_at=BEGAN, now=APRIL + 400 * DAY)


def watched(rows, standing=WATCH, the_plan=PLAN):
    grouped = gather(the_plan, rows, standing.now)
    questions = ask(the_plan, standing, grouped)
    findings = [_examine(question, the_plan, standing, grouped, split_alarm=False) for question in questions]
    found = watch_verdicts(the_plan, questions, findings, grouped, standing)
    return {verdict.gate: verdict for verdict in found}


def hours(rates, start=BEGAN, entry=4, n=50):
    return [
        EvidenceRow("errors", None, start + i * HOUR, entry, 10_000, Source.PLANE, "", RateSum(n, x))
        for i, x in enumerate(rates)
    ]


def days(values, start=APRIL):
    return [
        EvidenceRow(
            "quality", None, start + i * DAY, 0, 0, Source.SHADOW, "batch",
            BlockSum(value, value, value, entities=50, pairs=60, spread=0.5),
        )
        for i, value in enumerate(values)
    ]  # fmt: skip


GOOD = [-0.01] * 100


def test_every_paired_or_rate_guardrail_is_watched_by_a_signal_that_no_advance_needs():
    gates = [
        QUALITY,
        ERRORS,
        {**ERRORS, "name": "told", "role": "report"},
        {**ERRORS, "name": "hint", "role": "signal"},
        {**ERRORS, "name": "before", "applies": "shadow"},
        {"name": "latency", "metric": "latency", "quantile": 0.95, "ratio": 1.25, "applies": "split"},
    ]
    found = watched(days(GOOD) + hours([0] * 9), the_plan=plan(gates=gates))
    assert set(found) == {"watch-quality", "watch-errors"}
    assert {(v.role, v.applies, v.weight) for v in found.values()} == {(Role.SIGNAL, False, 0.0)}
    assert {v.verdict for v in found.values()} == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(
    "standing",
    [replace(WATCH, step=2, share_bp=5_000), replace(WATCH, confirmed_at=None)],
)
def test_there_is_no_watch_before_the_last_step_is_confirmed(standing):
    assert watched(days([0.2] * 150) + hours([50] * 9), standing) == {}


def test_a_fine_candidate_never_passes_the_watch_it_only_has_no_alarm():
    found = watched(days(GOOD + [-0.01] * 200) + hours([0] * 500))
    assert {v.verdict for v in found.values()} == {Verdict.INCONCLUSIVE}
    told = found["watch-errors"].reason
    assert told.startswith("watch-errors: no sign of late harm in 500 hours: log M "), told
    assert "a fine candidate goes 1000 hours or more without an alarm, in the mean" in told


def test_harm_that_begins_late_raises_the_alarm_and_its_beginning_is_named():
    late = days(GOOD + [-0.01] * 40 + [0.03] * 80) + hours([0] * 200 + [6] * 30)
    found = watched(late)
    assert {v.verdict for v in found.values()} == {Verdict.FAIL}
    assert "alarm: harm seems to have begun about 2013-07-18 08:00" in found["watch-errors"].reason
    assert BEGAN + 200 * HOUR == APRIL + 108 * DAY + 8 * HOUR
    assert "alarm: harm seems to have begun about 2013-08-19 00:00" in found["watch-quality"].reason
    assert BEGAN + 40 * DAY == APRIL + 140 * DAY
    assert found["watch-quality"].unit == "blocks"
    assert found["watch-quality"].samples == 120


def test_what_was_before_the_watch_neither_alarms_nor_reassures():
    bad_before = hours([40] * 20, start=APRIL, entry=3) + days([0.2] * 100)
    found = watched(bad_before + hours([0] * 9) + days([-0.01] * 9, start=BEGAN))
    assert {v.verdict for v in found.values()} == {Verdict.INCONCLUSIVE}
    assert found["watch-errors"].samples == found["watch-quality"].samples == 9
    assert found["watch-errors"].log_e_rollback == 0.0


def test_an_alarm_stays_until_somebody_resumes_and_then_needs_twice_as_much():
    rows = hours([0] * 10 + [10] * 20 + [0] * 100)
    found = watched(rows)["watch-errors"]
    assert found.verdict is Verdict.FAIL
    resumed = replace(WATCH, restarts=(("watch-errors", BEGAN + 30 * HOUR, 0.5),))
    again = watched(rows, resumed)["watch-errors"]
    assert again.verdict is Verdict.INCONCLUSIVE
    assert again.samples == 100
    assert again.log_threshold_rollback == pytest.approx(np.log(2_000))


def test_another_incumbent_begins_the_watch_anew():
    rows = days(GOOD + [0.05] * 60)
    assert watched(rows)["watch-quality"].verdict is Verdict.FAIL
    anew = replace(WATCH, fresh_since=BEGAN + 55 * DAY)
    assert watched(rows, anew)["watch-quality"].samples == 5


def test_nothing_seen_is_no_alarm_and_says_so():
    found = watched([])
    assert {v.verdict for v in found.values()} == {Verdict.INCONCLUSIVE}
    assert found["watch-errors"].reason == "watch-errors: nothing seen since the last step was confirmed"
    assert all(np.isfinite([v.log_e_rollback, v.log_threshold_rollback]).all() for v in found.values())


def test_a_gate_that_cannot_be_judged_is_not_watched_and_says_why():
    wrong = plan(gates=[{**QUALITY, "margin": 0.5}, {**ERRORS, "harm": -1.0}])
    found = watched(days(GOOD) + hours([0]), the_plan=wrong)
    assert found["watch-quality"].reason.startswith("watch-quality: not watched: a margin of 0.5")
    assert found["watch-errors"].reason.startswith("watch-errors: not watched: harm must be above 0")


def test_blocks_that_hold_nothing_are_not_counted():
    empty = replace(days([0.0], start=BEGAN + 3 * DAY)[0].sums, entities=0, pairs=0)
    rows = days(GOOD) + days([0.01] * 5, start=BEGAN)
    rows = [replace(row, sums=empty) if row.batch == BEGAN + 3 * DAY else row for row in rows]
    assert watched(rows)["watch-quality"].samples == 4


def test_one_hour_in_which_everything_failed_at_once_is_one_hour():
    """Requests that fail together: by requests one burst would be an alarm, by the hour it is not."""
    assert watched(hours([0] * 30 + [25] + [0] * 9))["watch-errors"].verdict is Verdict.INCONCLUSIVE
    assert watched(hours([0] * 30 + [25] * 12))["watch-errors"].verdict is Verdict.FAIL


def test_single_requests_are_watched_by_the_hour_where_they_are_units():
    units = plan(
        gates=[{"name": "quality", "metric": "zero_one", "margin": 0.02, "variance": 0.05}],
        unit={"entity": "tailnum", "block": "none", "independent": True},
    )

    def hour(at, lost, won):
        counts = ((-4096, won), (0, 400), (4096, lost))
        return EvidenceRow("quality", None, at, 0, 0, Source.SHADOW, "batch", UnitSum(counts, counts))

    good = [hour(BEGAN + i * HOUR, 5, 15) for i in range(-50, 50)]
    assert watched(good, the_plan=units)["watch-quality"].verdict is Verdict.INCONCLUSIVE
    bad = [hour(BEGAN + i * HOUR, 40, 10) for i in range(50, 60)]
    found = watched(good + bad, the_plan=units)["watch-quality"]
    assert (found.verdict, found.unit, found.samples) == (Verdict.FAIL, "hours", 60)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_any_order_and_any_partition_give_the_same_bits(parts, luck):
    whole = hours([a + b for a, b in parts], n=20) + days(GOOD + [0.01] * 9)
    cut = [
        replace(row, part=name, sums=RateSum(10, x))
        for row, pair in zip(hours([0] * len(parts)), parts, strict=True)
        for name, x in zip("ab", pair, strict=True)
    ] + days(GOOD + [0.01] * 9)
    shuffled = list(cut)
    luck.shuffle(shuffled)
    assert watched(whole) == watched(cut) == watched(shuffled)
