"""The year after a promotion, from data alone: real store, lake and model servers, no Prefect server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headgate.adapters import store
from headgate.adapters.profiles import keep_profile
from headgate.adapters.store import audit, monitoring, retrainings
from headgate.errors import InputError, ModelUnavailable
from headgate.performance import Kind, Monitored, Word
from headgate.performance.labelled import REACHED
from headgate.plan.duties import NoticeKind
from headgate.ports import MODEL, PROFILE, SAMPLE, SCORES
from headgate.profile import take, to_bytes
from headgate.report.monitoring import sentences
from headgate.rollout.state import Outcome
from tasks.drifting import drifts_to_say, look_for_silence
from tasks.monitored import look
from tasks.performing import count_live, measure
from tasks.profiling import due_windows, look_at
from tasks.references import reference_of
from tasks.watching import Past, Watched, answers_of, find_served, window_name
from tests.builders import APRIL
from tests.scenarios.small import DAY, HOUR
from tests.scenarios.watched import SERVES, logs, promoted
from tests.scenarios.world import SERVICE, Servers, World, world


@pytest.fixture
def small(tmp_path: Path, models: Servers) -> Iterator[World]:
    """A small world of real servers, store and lake."""
    with world(tmp_path, models) as built:
        yield built


def run(small: World, day: float) -> Watched:
    """Do what the flow does, up to this day since April 1."""
    small.now = APRIL + day * DAY
    watched = find_served.fn(SERVICE)
    for span in due_windows.fn(watched, small.now):
        look_at.fn(watched, span, small.now)
    measure.fn(watched, small.now)
    return watched


def words(small: World, kind: Kind = Kind.WINDOW) -> dict[int, str]:
    """Return the verdict of every window by its day."""
    return {
        (one.since - APRIL) // DAY: one.verdict for one in monitoring.history(small.engine, SERVICE, kind)
    }


def kinds(small: World) -> list[NoticeKind]:
    return [alert.kind for alert in store.alerts(small.engine)]


def shifted(columns, day):
    """From day 40 on all requests are of the kind that is likely late."""
    late = day >= 40
    columns["signal"][late] = 0.5 + columns["signal"][late] / 2
    columns["chance"] = columns["signal"]


# ---------------------------------------------------------------- what is noticed


def test_a_year_that_stays_as_it_was_raises_no_alarm_and_found_out_once_it_stands(small):
    promoted(small, *logs(45))
    watched = run(small, 44)
    found = words(small)
    assert {found[day] for day in range(0, 28, 4)} == {Word.LEARNING}
    assert {found[day] for day in range(28, 44, 4)} == {Word.QUIET}
    cohorts = words(small, Kind.COHORT)
    assert (len(cohorts), cohorts[36]) == (10, Word.FINE)  # of the last one the labels are not mature
    assert kinds(small) == []
    before = monitoring.history(small.engine, SERVICE)
    calls = small.candidate.calls
    assert due_windows.fn(watched, small.now) == []
    run(small, 44)
    assert (monitoring.history(small.engine, SERVICE), small.candidate.calls) == (before, calls)
    assert audit.verify(small.engine).findings == ()


def test_drift_is_noticed_from_data_alone_and_the_estimate_foresees_its_loss(small):
    """M11: told once, with the columns, before labels say anything."""
    promoted(small, *logs(53, shifted))
    run(small, 52)
    assert words(small)[44] == Word.DRIFT  # no window by itself proves more than the seven learnt from tell
    assert kinds(small) == [NoticeKind.DRIFT]
    (alert,) = store.alerts(small.engine)
    assert "score" in dict(alert.facts)["columns"]
    windows = monitoring.history(small.engine, SERVICE, Kind.WINDOW)
    cohort = monitoring.latest(small.engine, SERVICE, Kind.COHORT)
    (told,) = (one.body["estimate"]["loss"] for one in windows if one.since == cohort.since)
    assert abs(told - cohort.body["sums"]["loss"]) < 0.02
    assert look(SERVICE, small.now).drift is not None


def test_a_world_that_turns_upside_down_while_requests_look_as_ever_is_seen_by_its_labels(small):
    """M11: concept drift; no column moves, the realised loss does."""

    def upside_down(columns, day):
        columns["chance"][day >= 40] = 1 - columns["signal"][day >= 40]

    promoted(small, *logs(57, upside_down))
    run(small, 56)
    assert set(words(small).values()) == {Word.LEARNING, Word.QUIET}
    assert min(day for day, word in words(small, Kind.COHORT).items() if word == Word.DEGRADED) <= 48
    assert kinds(small) == [NoticeKind.DEGRADED]


def test_a_ten_month_gap_is_no_drift_but_absence_of_data_told_once(small):
    def gap(columns, day):
        columns["keep"] &= (day < 36) | (day >= 336)

    promoted(small, *logs(341, gap))
    watched = run(small, 60)
    assert look_for_silence.fn(watched, small.now) == 24 * DAY
    assert look_for_silence.fn(watched, small.now + HOUR) is not None
    watched = run(small, 340)
    assert look_for_silence.fn(watched, small.now) is None
    found = words(small)
    assert (found[32], found[36], found[336]) == (Word.QUIET, Word.NO_DATA, Word.NO_REFERENCE)
    assert len(found) == 7 + 2 + 1 + 1
    assert kinds(small) == [NoticeKind.NO_DATA]


def test_years_later_the_last_windows_are_shown_and_since_when_nothing_comes(small):
    """Asked today about a year that was played from data of 2013."""
    promoted(small, *logs(44))
    run(small, 44)
    played = look(SERVICE, small.now)
    today = look(SERVICE, APRIL + 4_700 * DAY)
    assert len(today.windows) == len(played.windows) > 0
    assert len(today.cohorts) == len(played.cohorts) > 0
    silent, last, *_ = sentences(today)
    assert silent.startswith("No request has come for 13 years, since 2013-05-15 00:00 UTC")
    assert "ended 2013-05-15 00:00 UTC (quiet)" in last
    assert not any("looked at yet" in one for one in sentences(today))


def test_outcomes_that_become_rarer_are_named_by_labels_that_are_mature(small):
    """M11: the label rate; requests and scores are as ever."""

    def rarer(columns, day):
        columns["chance"][day >= 36] *= 0.4

    promoted(small, *logs(49, rarer))
    run(small, 48)
    found = {
        (one.since - APRIL) // DAY: one for one in monitoring.history(small.engine, SERVICE, Kind.WINDOW)
    }
    drifted = {day: one.body["drift"] for day, one in found.items() if one.verdict == Word.DRIFT}
    # In the window from day 36 on they become rare; its outcomes are mature in the next one.
    assert (found[32].verdict, found[36].verdict, min(drifted)) == (Word.QUIET, Word.QUIET, 40)
    assert drifted[40]["alarming"] == ["label"]
    (cause,) = drifted[40]["multivariate"]["attribution"]
    assert cause["cause"] == "label_rate"
    counted = [one.body[REACHED] for one in found.values() if one.body.get(REACHED)]
    assert counted == sorted(set(counted))  # each cohort once


def test_a_window_of_a_few_requests_is_too_few_and_labels_that_stop_are_no_loss_of_zero(small):
    def few(columns, day):
        columns["keep"] &= (day < 32) | (day >= 36)
        columns["keep"][32 * 144 : 32 * 144 + 5] = True
        columns["known"] &= day < 36

    promoted(small, *logs(45, few))
    run(small, 44)
    windows = {
        (one.since - APRIL) // DAY: one for one in monitoring.history(small.engine, SERVICE, Kind.WINDOW)
    }
    assert windows[32].verdict == Word.TOO_FEW
    assert windows[32].body["reasons"] == ["too few: 5 requests, 30 are needed"]
    assert words(small, Kind.COHORT)[36] == Word.NO_LABELS
    (label,) = (one for one in windows[40].body["drift"]["columns"] if one["name"] == "label")
    assert (label["drifted"], label["reason"]) == (False, "too few: 0 values")  # no labels are no rate
    assert monitoring.latest(small.engine, SERVICE, Kind.COHORT).body["sums"]["loss"] is None
    assert kinds(small) == [NoticeKind.NO_DATA]


# ---------------------------------------------------------------- who serves, and where answers come from


def test_where_nothing_was_promoted_the_incumbent_is_watched(small):
    promoted(small, *logs(30), outcome=Outcome.ROLLED_BACK)
    watched = find_served.fn(SERVICE)
    assert (watched.version, watched.since, watched.under_way) == ("logistic-1", APRIL, False)


def test_answers_of_shadow_windows_are_not_asked_for_again(small):
    """A rollout that compares the serving model with the next one has asked it already."""
    rollout = promoted(small, *logs(31))
    watched = find_served.fn(SERVICE)
    asked = answers_of(watched, SERVES, SERVES + DAY)
    exchanges = asked.rename_columns(
        [
            f"candidate_{name}" if name in ("prediction", "status", "version") else name
            for name in asked.column_names
        ]
    )
    small.wired.lake.write_exchanges(rollout, "w", exchanges)
    window = store.Window(SERVES, SERVES + DAY, "w", "d", {}, SERVES + DAY)
    store.add_window(small.engine, rollout, window)
    calls = small.candidate.calls
    again = answers_of(find_served.fn(SERVICE), SERVES, SERVES + DAY / 2)
    assert (small.candidate.calls, again.num_rows) == (calls, 72)
    assert again["prediction"].to_pylist() == asked["prediction"].to_pylist()[:72]


def test_a_model_that_does_not_answer_loses_no_window(small):
    promoted(small, *logs(31))
    watched = find_served.fn(SERVICE)
    spans = due_windows.fn(watched, SERVES)
    small.candidate.fault = lambda _call: 500
    with pytest.raises(ModelUnavailable, match="nothing was kept"):
        look_at.fn(watched, spans[0], small.now)
    small.candidate.fault = lambda _call: None
    assert look_at.fn(watched, spans[0], small.now) == Word.LEARNING
    assert due_windows.fn(watched, SERVES)[0] == spans[1]


def test_a_service_nobody_knows_is_refused_and_a_plan_without_the_key_watches_nothing(small):
    with pytest.raises(InputError, match="no rollout of it was ever opened; there are: none"):
        find_served.fn(SERVICE)
    promoted(small, *logs(30))
    plan = store.plan_of(small.engine, store.get(small.engine, small.rollout).plan_hash)
    other = plan.model_copy(update={"service": "another", "name": "another", "drift": None})
    store.open_rollout(small.engine, other, APRIL, "ops@example.org")
    assert find_served.fn("another") is None
    assert look("another", small.now) is None


# ---------------------------------------------------------------- what the server hears


@pytest.fixture
def drifting(small: World) -> Callable[..., Watched]:
    """Notice a drift under a plan that says so."""

    def begin(**drift: str) -> Watched:
        trainer: Mapping[str, str] = {"trainer": "a:b", "opens": "nothing"}
        promoted(small, *logs(49, shifted), retrain=trainer, **drift)
        return run(small, 48)

    return begin


def test_a_drift_is_emitted_until_a_retraining_has_begun_and_again_only_if_that_was_refused(small, drifting):
    """M12: an event may be lost; ten events are one retraining."""
    watched = drifting(then="retrain", cooldown="7d")
    said = [list(drifts_to_say(watched, small.now + n * HOUR)) for n in range(3)]
    assert {len(one) for one in said} == {1}
    assert len({origin for one in said for origin, _, _ in one}) == 1
    origin = said[0][0][0]
    taken = retrainings.claim(small.engine, SERVICE, "drift", origin, small.now, 7 * DAY)
    assert list(drifts_to_say(watched, small.now + DAY)) == []
    assert list(drifts_to_say(watched, small.now + 30 * DAY)) == []
    retrainings.finish(small.engine, taken, accepted=False, reason="worse", at=small.now)
    assert list(drifts_to_say(watched, small.now + 6 * DAY)) == []
    ((again, _, _),) = drifts_to_say(watched, small.now + 7 * DAY)
    assert again == f"{origin}/2"


def test_within_the_cooldown_of_another_retraining_nothing_is_emitted(small, drifting):
    watched = drifting(then="retrain", cooldown="20d")
    before = APRIL + 30 * DAY
    assert retrainings.claim(small.engine, SERVICE, "schedule", "may", before, 20 * DAY) is not None
    assert list(drifts_to_say(watched, small.now)) == []
    assert len(list(drifts_to_say(watched, before + 20 * DAY))) == 1


def test_where_nobody_retrains_a_drift_is_emitted_once(small, drifting):
    watched = drifting(then="tell")
    assert len(list(drifts_to_say(watched, small.now))) == 1
    assert list(drifts_to_say(watched, small.now + HOUR)) == []


# ---------------------------------------------------------------- what callers got


def test_the_planes_log_is_counted_once_and_hours_that_are_not_over_wait(small):
    """M10: latency and fallbacks of the year after promotion."""
    promoted(small, *logs(30))
    small.plane.reconcile(_route(small))
    small.live(SERVES, SERVES + 1.5 * HOUR)
    watched = find_served.fn(SERVICE)
    assert count_live.fn(watched, SERVES + 1.5 * HOUR) == 45
    assert count_live.fn(watched, SERVES + 1.6 * HOUR) == 0
    small.live(SERVES + 1.5 * HOUR, SERVES + 2 * HOUR)
    assert count_live.fn(watched, SERVES + 2 * HOUR) == 15
    rows = monitoring.history(small.engine, SERVICE, Kind.LIVE)
    assert [row.body["all"]["n"] for row in rows] == [30, 30]
    assert rows[0].body["all"]["p95"] == pytest.approx(1.0, rel=0.1)


def _route(small: World):
    from headgate.ports import Endpoint, Route

    nobody = Endpoint("127.0.0.1", 1)
    return Route(SERVICE, small.rollout, small.rollout, 0, False, 1, 1, nobody, nobody)


# ---------------------------------------------------------------- the training's rows as the reference


def test_right_after_a_retraining_scores_are_held_against_those_of_its_held_out_days(small):
    """No request came before it served alone: nothing was learnt from, and the shelf knows."""

    def later(columns, day):
        columns["keep"] &= day >= 28

    requests, truth = logs(37, later)
    scores = take(pa.table({"score": requests["signal"], "decision": pc.greater(requests["signal"], 0.5)}))
    learned = take(requests, columns=["signal", "region"])
    promoted(small, requests, truth, reference="training")
    parts = {MODEL: b"a model", PROFILE: to_bytes(learned), SCORES: to_bytes(scores)}
    small.wired.shelf.put("delays", "gbm-2", parts, {"made": "for a test"})
    run(small, 36)
    newest = monitoring.history(small.engine, SERVICE, Kind.WINDOW)[-1]
    columns = {one["name"]: one for one in newest.body["drift"]["columns"]}
    assert columns["score"]["psi"] is not None
    assert newest.body["drift"]["effects"]["score"]["role"] == "score"


def test_a_window_is_held_against_its_season_of_the_year_before_and_against_lately_until_there_is_one(small):
    promoted(small, *logs(30), reference="season")
    watched = find_served.fn(SERVICE)
    lake, past = small.wired.lake, []
    like = None
    for day in (*range(20, 80), *range(390, 420)):  # the first July is warm, the next one is not
        since = APRIL + day * DAY
        warm = np.random.default_rng(day).normal(20.0 if day < 80 else 5.0, 2, 200)
        like = take(pa.table({"signal": warm}), like=like)
        keep_profile(lake, watched.owner, window_name(since, since + DAY), like)
        past.append(
            Monitored(SERVICE, "window", since, since + DAY, "gbm-2", Word.QUIET, {"rows": 200}, since + DAY)
        )
    held = reference_of(watched, Past(tuple(past)), APRIL + 420 * DAY)
    assert held.named == "the same season a year before"
    assert held.inputs.columns["signal"].mean == pytest.approx(20, abs=0.2)
    assert held.calibration.blocks >= 28
    # Ten days of it are no season.
    started = Past(tuple(one for one in past if one.since >= APRIL + 58 * DAY))
    lately = reference_of(watched, started, APRIL + 420 * DAY)
    assert lately.named == "the four weeks before the window"
    assert lately.inputs.columns["signal"].mean == pytest.approx(5, abs=0.2)


def test_windows_are_held_against_the_training_that_is_kept_with_the_model(small):
    """M11: per column and all together; the classifier is asked once a week."""
    requests, truth = logs(55, shifted)
    training = requests.slice(0, 28 * 144).select(["request_id", "signal", "region"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, training.schema) as file:
        file.write_table(training)
    learned = take(training, columns=["signal", "region"])
    parts = {MODEL: b"a model", PROFILE: to_bytes(learned), SAMPLE: sink.getvalue().to_pybytes()}
    promoted(small, requests, truth, reference="training", every="2d")
    small.wired.shelf.put("delays", "gbm-2", parts, {"made": "for a test"})
    run(small, 54)
    windows = monitoring.history(small.engine, SERVICE, Kind.WINDOW)[14:]
    assert {one.body["reference"] for one in windows} == {"the training of gbm-2"}
    verdicts = [one.verdict for one in windows]
    assert verdicts[:6] == [Word.QUIET] * 6  # the sixth ends where the shift begins
    assert verdicts[-3:] == [Word.DRIFT] * 3
    asked = [one.body["drift"]["multivariate"]["judged"] for one in windows]
    assert asked[:9] == [True, False, False, False, True, False, False, False, True]
