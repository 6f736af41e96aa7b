"""What the monitor found out, and who may retrain: on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.adapters.store import audit, monitoring, retrainings
from headgate.adapters.store.monitoring import Monitored
from headgate.alerts.alert import Alert
from headgate.errors import InputError, StoreError
from headgate.plan.duties import NoticeKind
from tests.builders import APRIL

SERVICE = "flight-delays"
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def found(day: int = 0, verdict: str = "quiet", kind: str = "window", **body) -> Monitored:
    since = APRIL + day * DAY
    return Monitored(SERVICE, kind, since, since + DAY, "gbm-2", verdict, body, since + DAY)


def claim(
    engine, origin: str, day: int = 0, trigger: str = "drift", cooldown: timedelta = WEEK, owner: str = ""
):
    return retrainings.claim(engine, SERVICE, trigger, origin, APRIL + day * DAY, cooldown, owner)


# ---------------------------------------------------------------- the monitor


def test_what_was_found_out_about_a_window_stands_whatever_is_found_later(store_engine):
    assert monitoring.record(store_engine, [found(0, share=0.1), found(1)]) == 2
    assert monitoring.record(store_engine, [found(0, "drift", share=0.9), found(2)]) == 1
    assert [one.verdict for one in monitoring.history(store_engine, SERVICE)] == ["quiet"] * 3
    assert monitoring.history(store_engine, SERVICE)[0] == found(0, share=0.1)


def test_history_is_read_by_kind_and_from_a_time_on_and_the_newest_by_itself(store_engine):
    monitoring.record(store_engine, [found(2), found(0), found(1), found(0, "fine", "cohort")])
    assert [one.since for one in monitoring.history(store_engine, SERVICE, "window", APRIL + 1.5 * DAY)] == [
        APRIL + DAY,
        APRIL + 2 * DAY,
    ]
    newest = monitoring.latest(store_engine, SERVICE, "window")
    assert newest == found(2)
    assert monitoring.latest(store_engine, SERVICE, "nothing such") is None
    assert monitoring.latest(store_engine, "another", "window") is None
    assert monitoring.monitored_services(store_engine) == [SERVICE]


def test_a_finding_and_its_alert_are_one_write_and_no_number_is_made_of_no_data(store_engine):
    alert = Alert("k", NoticeKind.DRIFT, "", SERVICE, "all", APRIL, "it drifts", "why")
    with pytest.raises(StoreError, match="finite numbers"):
        monitoring.record(store_engine, [found(0, psi=float("nan"))], [alert])
    assert (monitoring.history(store_engine, SERVICE), store.alerts(store_engine)) == ([], [])
    monitoring.record(store_engine, [found()], [alert])
    monitoring.record(store_engine, [found()], [alert])
    assert store.alerts(store_engine) == [alert]


def test_a_window_that_ends_before_it_begins_is_refused(store_engine):
    backwards = Monitored(SERVICE, "window", APRIL, APRIL, "", "quiet", {}, APRIL)
    with pytest.raises(InputError, match="ends after it begins"):
        monitoring.record(store_engine, [backwards])


def test_the_audit_chain_vouches_for_findings_and_retrainings(store_engine):
    monitoring.record(store_engine, [found()])
    taken = claim(store_engine, "event-1")
    retrainings.finish(store_engine, taken, accepted=True, reason="better", at=APRIL, rollout="flights-gbm-2")
    checked = audit.verify(store_engine)
    assert (checked.findings, checked.lines, checked.rows) == ((), 3, 3)
    # An auditor of the rollout sees which retraining opened it.
    assert [line.kind for line in audit.lines_of(store_engine, "flights-gbm-2")] == ["retrained"]


# ---------------------------------------------------------------- retrainings


def test_ten_events_make_one_retraining(store_engine):
    """M12: the cooldown is decided here, on the time of the events."""
    taken = [claim(store_engine, f"event-{n}", day=0) for n in range(10)]
    assert [one is not None for one in taken] == [True] + [False] * 9
    assert claim(store_engine, "event-10", day=6) is None
    assert claim(store_engine, "event-11", day=7) is not None


def test_ten_events_at_once_make_one_retraining(store_engine):
    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(lambda n: claim(store_engine, f"event-{n}"), range(10)))
    assert sum(one is not None for one in taken) == 1


def test_the_event_emitted_twice_is_one_retraining_however_late_it_comes_again(store_engine):
    assert claim(store_engine, "event-1") is not None
    assert claim(store_engine, "event-1", day=400) is None
    assert claim(store_engine, "event-0", day=-30) is None  # an old event says nothing new


def test_a_button_need_not_wait_for_the_cooldown_and_its_run_goes_on_after_a_crash(store_engine):
    assert claim(store_engine, "event-1") is not None
    mine = claim(store_engine, "press-1", trigger="button", cooldown=timedelta(0), owner="run-1")
    assert mine is not None
    assert claim(store_engine, "press-1", trigger="button", cooldown=timedelta(0), owner="run-1") == mine
    assert claim(store_engine, "press-1", trigger="button", cooldown=timedelta(0), owner="run-2") is None
    retrainings.finish(store_engine, mine, accepted=False, reason="worse", at=APRIL)
    assert claim(store_engine, "press-1", trigger="button", cooldown=timedelta(0), owner="run-1") is None


def test_how_a_retraining_ended_is_written_once(store_engine):
    taken = claim(store_engine, "event-1")
    assert [one.accepted for one in retrainings.all(store_engine, SERVICE)] == [None]
    ended = retrainings.finish(
        store_engine,
        taken,
        accepted=True,
        reason="better",
        at=APRIL,
        version="gbm-3",
        rollout="r-2",
        body={"n": 1},
    )
    assert (
        retrainings.finish(
            store_engine,
            taken,
            accepted=True,
            reason="better",
            at=APRIL + DAY,
            version="gbm-3",
            rollout="r-2",
        )
        == ended
    )
    assert retrainings.all(store_engine, SERVICE) == [ended]
    with pytest.raises(StoreError, match="the first stands"):
        retrainings.finish(store_engine, taken, accepted=False, reason="worse", at=APRIL)
    unknown = retrainings.Claim(99, SERVICE, "drift", "x", "", APRIL)
    with pytest.raises(InputError, match="there is none"):
        retrainings.finish(store_engine, unknown, accepted=False, reason="", at=APRIL)
