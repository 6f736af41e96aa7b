"""When windows are due, what goes on as one drift, who is told of it, and what a page shows (M10, M11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.alerts.monitoring import About, cohort_alerts, no_data, window_alerts
from headgate.performance import Monitored, Word, due
from headgate.performance.episodes import episode, joined
from headgate.performance.schedule import aligned, silence
from headgate.performance.seasons import season_before
from headgate.plan.duties import NoticeKind
from headgate.report import reviewers
from headgate.report.monitoring import Retrained, Watch, drifts, sentences, standing_of, word_of
from headgate.report.monitoring_page import check_words, events_of, markdown, page
from headgate.review.adoption import Judged
from tests.builders import APRIL, plan
from tests.unit.stories import TAKEN

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SERVICE = "flight-delays"


# ---------------------------------------------------------------- windows that are due


def test_a_gap_of_ten_months_is_one_span_and_no_drift():
    came = [APRIL + HOUR, APRIL + 300 * DAY]
    spans = due(APRIL, DAY, APRIL + 302 * DAY, came)
    assert [(one.since, one.until, one.empty) for one in spans] == [
        (APRIL, APRIL + DAY, False),
        (APRIL + DAY, APRIL + 300 * DAY, True),
        (APRIL + 300 * DAY, APRIL + 301 * DAY, False),
    ]


def test_a_window_is_looked_at_when_it_is_complete_and_what_comes_after_the_last_request_may_be_late():
    came = [APRIL + n * HOUR for n in range(36)]
    assert len(due(APRIL, DAY, APRIL + DAY - HOUR, came)) == 0
    assert len(due(APRIL, DAY, APRIL + DAY, came)) == 1
    assert [one.until for one in due(APRIL, DAY, APRIL + 9 * DAY, came)] == [APRIL + DAY, APRIL + 2 * DAY]
    assert due(APRIL, DAY, APRIL - DAY, came) == []


def test_windows_begin_at_whole_multiples_of_their_length():
    assert aligned(APRIL + HOUR, DAY) == APRIL + DAY
    assert aligned(APRIL, DAY) == APRIL


def test_silence_is_longer_than_a_late_log_and_longer_than_a_weekend():
    assert silence(APRIL, DAY, APRIL + 2 * DAY - HOUR, usual=DAY) is None
    assert silence(APRIL, DAY, APRIL + 2 * DAY, usual=DAY) == 2 * DAY
    assert silence(APRIL, DAY, APRIL + 3 * DAY, usual=2 * DAY) is None


# ---------------------------------------------------------------- the same season a year before


@given(
    days=st.sampled_from([1, 2, 4, 7]),
    gone=st.sets(st.integers(0, 120), max_size=60),
    ahead=st.integers(330, 490),
)
def test_a_season_is_the_same_weeks_of_the_year_before_from_both_sides_or_none(days, gone, ahead):
    windows = [
        replace(window(day, Word.QUIET), until=APRIL + (day + days) * DAY)
        for day in range(0, 120, days)
        if day not in gone
    ]
    at = APRIL + ahead * DAY
    found = season_before(windows, at)
    assert found == [one for one in windows if one in found]
    if found:
        assert all(abs(one.since + 364 * DAY - at) <= 14 * DAY for one in found)
        assert found[0].since + 364 * DAY <= at - 7 * DAY
        assert found[-1].until + 364 * DAY >= at + 7 * DAY
    if days == 1 and not gone:  # there is one from the day on before which a week was looked at
        assert bool(found) is (371 <= ahead <= 477)


def test_a_window_is_held_against_the_day_of_the_week_that_it_is():
    windows = [window(day, Word.QUIET) for day in range(60)]
    found = season_before(windows, APRIL + 394 * DAY)
    assert {one.since.weekday() for one in found[14:15]} == {(APRIL + 394 * DAY).weekday()}
    assert len(found) == 29


# ---------------------------------------------------------------- one drift


def window(day: int, word: Word, *columns: str, trainable: bool = True) -> Monitored:
    effects = {name: {"role": "score", "effect": 0.3, "evidence": 99.0, "since": None} for name in columns}
    drift = {
        "columns": [
            {"name": n, "kind": "number", "psi": 0.3, "missing_reference": 0.0, "missing_current": 0.1,
             "drifted": True, "reason": "values moved"} for n in columns
        ],
        "alarming": list(columns), "worth_training_on": trainable, "drifted_share": 0.5, "effects": effects,
        "said": f"values moved: {', '.join(columns)}", "since": (APRIL + day * DAY).isoformat(),
    }  # fmt: skip
    sums = {"rows": 90, "statuses": {"ok": 81}, "confidence": 0.7, "cost": 0.002, "rejects": {}, "parts": {}}
    empty = word is Word.NO_DATA
    body = {
        "rows": 0 if empty else 90, "reasons": ["no request came" if empty else drift["said"]],
        "reference": "its training", "drift": drift, "sums": None if empty else sums, "estimate": None,
    }  # fmt: skip
    since = APRIL + day * DAY
    return Monitored(SERVICE, "window", since, since + DAY, "gbm-2", word, body, since + DAY)


def cohort(day: int, word: Word, reason: str = "brier was 0.15", loss: float | None = 0.15) -> Monitored:
    since = APRIL + day * DAY
    block = {"at": since.isoformat(), "loss": loss, "mean": loss}
    part = {"answered": 80, "labelled": 70, "loss": loss, "wrong": 0.25}
    body = {
        "reasons": [reason], "estimated": 0.14, "level": {"mean": 0.14, "blocks": 28}, "risk": None,
        "sums": {
            "blocks": [block], "loss": loss, "parts": {"origin=<JFK>": part}, "answered": 80, "labelled": 70,
        },
        "trend": {"mean": 0.15, "change": 0.01, "noise": 0.004, "before": 0.14, "slope": 0.0, "blocks": 9},
        "check": {"raised": False, "since": None},
    }  # fmt: skip
    return Monitored(SERVICE, "cohort", since, since + DAY, "gbm-2", word, body, since + 3 * DAY)


def test_a_drift_goes_on_until_a_window_is_quiet_and_takes_columns_in():
    course = [
        window(0, Word.QUIET),
        window(1, Word.DRIFT, "score"),
        window(2, Word.DRIFT, "score", "decision"),
    ]
    going_on = episode(course)
    assert (going_on.since, going_on.columns) == (APRIL + DAY, ("score", "decision"))
    assert joined(course[:2], course[2]) == ("decision",)
    assert episode([*course, window(3, Word.QUIET)]) is None
    assert episode([]) is None


@pytest.mark.parametrize("nothing", [Word.NO_DATA, Word.TOO_FEW, Word.NO_REFERENCE])
def test_a_window_that_says_nothing_neither_begins_a_drift_nor_ends_one(nothing):
    assert episode([window(0, nothing)]) is None
    going_on = episode([window(0, Word.DRIFT, "score"), window(1, nothing), window(2, Word.DRIFT, "score")])
    assert going_on.since == APRIL


def test_a_broken_pipeline_is_a_drift_that_training_would_not_answer():
    assert not episode([window(0, Word.DRIFT, "score", trainable=False)]).trainable


# ---------------------------------------------------------------- who is told

PLAN = plan(
    drift={"reference": "training", "then": "retrain"}, retrain={"trainer": "a:b", "opens": "nothing"}
)
ABOUT = About(SERVICE, "flights-gbm-1", PLAN, "gbm-2")


def test_a_drift_is_told_when_it_begins_and_when_it_spreads_and_not_with_every_window():
    first, second = window(0, Word.DRIFT, "score"), window(1, Word.DRIFT, "score")
    third = window(2, Word.DRIFT, "score", "decision")
    told = [window_alerts(ABOUT, first, []), window_alerts(ABOUT, second, [first]),
            window_alerts(ABOUT, third, [first, second])]  # fmt: skip
    assert [len(alerts) for alerts in told] == [1, 0, 1]
    (begins,), (spreads,) = told[0], told[2]
    assert (begins.kind, begins.subject) == (NoticeKind.DRIFT, "DRIFT on flight-delays: score (0.30)")
    assert spreads.subject == "DRIFT on flight-delays spreads: decision (0.30)"
    assert "since 2013-04-01" in begins.text
    assert "a retraining begins by itself" in begins.text
    assert begins.key != spreads.key


def test_people_are_not_sent_to_retrain_what_a_broken_pipeline_fed():
    (alert,) = window_alerts(ABOUT, window(0, Word.DRIFT, "score", trainable=False), [])
    assert "mend what feeds the model" in alert.text
    (under_way,) = window_alerts(
        About(SERVICE, "r", PLAN, "v", under_way=True), window(0, Word.DRIFT, "score"), []
    )
    assert "nothing is retrained meanwhile" in under_way.text


def test_absence_of_data_is_an_alert_of_its_own_and_one_silence_is_told_once():
    """M10: told while it lasts, and found again as a gap, it is the same alert."""
    while_it_lasts = no_data(ABOUT, APRIL, 3 * DAY, APRIL + 3 * DAY)
    (found_later,) = window_alerts(ABOUT, window(0, Word.NO_DATA), [])
    assert while_it_lasts.key == found_later.key
    assert while_it_lasts.kind is NoticeKind.NO_DATA
    assert "nothing came for 3 days" in while_it_lasts.text


def test_a_model_that_does_worse_is_told_once_until_it_recovers():
    fine, worse = cohort(0, Word.FINE), cohort(1, Word.DEGRADED, "brier was 0.15; since 2013-04-02 it is 0.3")
    (alert,) = cohort_alerts(ABOUT, worse, [fine])
    assert (alert.kind, alert.subject) == (NoticeKind.DEGRADED, "DOES WORSE: gbm-2 on flight-delays")
    assert cohort_alerts(ABOUT, cohort(2, Word.DEGRADED), [fine, worse]) == ()
    assert cohort_alerts(ABOUT, fine, []) == ()


def test_labels_that_stop_coming_are_told_as_absence_of_data():
    (alert,) = cohort_alerts(ABOUT, cohort(1, Word.NO_LABELS, "none of 80 answers"), [cohort(0, Word.FINE)])
    assert (alert.kind, alert.subject) == (
        NoticeKind.NO_DATA,
        "NO LABELS: outcomes of flight-delays have stopped coming",
    )


# ---------------------------------------------------------------- what people see


def watch(**changes) -> Watch:
    fields = {
        "service": SERVICE, "model": "delays", "version": "gbm-2", "since": APRIL, "every": DAY,
        "reference": "training", "then": "retrain", "now": APRIL + 9 * DAY, "metric": "brier",
        "tolerance": 0.005,
    }  # fmt: skip
    return Watch(**(fields | changes))


def test_before_anything_was_looked_at_the_page_says_so_and_no_number_is_made_up():
    empty = watch()
    assert word_of(empty) == "nothing judged yet"
    assert "Nothing was looked at yet" in sentences(empty)[0]
    shown = page(empty)
    assert "no data" in shown
    assert "nan" not in shown.lower().replace("tenant", "")
    assert "How people take the answers" not in shown
    standing = standing_of(empty)
    assert (standing["realised"], standing["estimated"], standing["drift"]) == (None, None, None)


def test_m22_the_page_tells_how_people_take_the_answers_where_the_plan_asks_them():
    asks = plan(review={"capacity": 40, "max_age": "2d"}).review
    shown = page(watch(taken=TAKEN, review=asks))
    assert "People overruled 10.0 % of 40 sampled answers of the candidate (" in shown
    assert "5 hours (at most 2 days)" in shown
    nobody = replace(TAKEN, sampled=Judged(0, 0), sides={}, waiting=0, oldest_hours=None)
    assert "nobody has looked at a sampled answer yet" in reviewers.sentences(nobody)[1]
    assert reviewers.facts(nobody, asks)["overruled, of the sample"] == "no data"


def test_a_page_tells_drift_performance_segments_and_what_happened_and_loads_nothing():
    windows = [
        window(0, Word.QUIET, "score"),
        window(1, Word.NO_DATA),
        window(2, Word.DRIFT, "score", "<b>wind</b>"),
    ]
    cohorts = [cohort(day, Word.FINE, loss=0.14 + day / 1000) for day in range(9)]
    done = [Retrained(APRIL + 3 * DAY, "drift", False, "worse by 0.01", "gbm-3")]
    shown = page(watch(windows=windows, cohorts=cohorts, retrainings=done))
    for said in (
        "drifted",
        "origin=&lt;JFK&gt;",
        "25.0 %",
        "retraining, by drift",
        "refused gbm-3",
        "&lt;b&gt;wind",
    ):
        assert said in shown, said
    assert "<b>wind</b>" not in shown
    assert "<script" not in shown
    assert "http" not in shown.replace("http-equiv", "")
    assert shown.count("<svg") == 3


def test_a_years_page_stays_light():
    windows = [
        window(day, Word.DRIFT if day % 9 == 0 else Word.QUIET, *"abcdefghijklmnop") for day in range(365)
    ]
    cohorts = [cohort(day, Word.FINE) for day in range(365)]
    assert len(page(watch(windows=windows, cohorts=cohorts, now=APRIL + 365 * DAY))) < 1_500_000


def test_every_drift_is_listed_once_with_when_it_was_noticed():
    windows = [
        window(0, Word.DRIFT, "score"), window(1, Word.NO_DATA), window(2, Word.DRIFT, "score", "decision"),
        window(3, Word.QUIET), window(4, Word.DRIFT, "origin"),
    ]  # fmt: skip
    found = drifts(watch(windows=windows))
    assert [(one["at"][:10], one["columns"]) for one in found] == [
        ("2013-04-02", ["score", "decision"]),
        ("2013-04-06", ["origin"]),
    ]
    assert [what for _, what, _ in events_of(watch(windows=windows))] == ["drift", "drift", "no data"]


def test_the_worst_comes_first():
    drifting = [window(0, Word.DRIFT, "score")]
    assert word_of(watch(windows=drifting)) == "drift"
    assert word_of(watch(windows=drifting, cohorts=[cohort(0, Word.DEGRADED)])) == "degraded"
    assert word_of(watch(windows=drifting, silent=3 * DAY)) == "no data"
    first, second, third = sentences(watch(windows=drifting, silent=3 * DAY))
    assert first.startswith("No request has come for 3 days, since 2013-04-07 00:00 UTC")
    assert second == (
        "The last window that was looked at, of 1, ended 2013-04-02 00:00 UTC (drift); what follows is of "
        "that time."
    )
    assert third.startswith("Drift since")


def test_the_artifact_is_markdown_that_a_column_cannot_break():
    told = markdown(watch(windows=[window(0, Word.DRIFT, "a|b")]), "https://pages.example.org/m.html")
    assert "## flight-delays: drift" in told
    assert "[The full page](https://pages.example.org/m.html)" in told
    assert "| a|b |" not in told


def test_estimates_are_told_with_how_far_they_could_be_believed():
    assert "No estimate could be checked yet" in check_words(watch())
    assert "1 estimates were checked" in check_words(watch(cohorts=[cohort(0, Word.FINE)]))
