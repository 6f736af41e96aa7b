"""Shadow windows are whole blocks without gaps, whenever somebody gets round to scoring them."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from headgate.adapters import store
from headgate.errors import InputError, ModelUnavailable
from headgate.rollout.state import Phase
from tasks import wiring
from tasks.scoring import due_windows, score_window
from tests.builders import APRIL, PLAN
from tests.unit.task_cases import opened, standing_at

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def live(phase=Phase.SHADOW, at=APRIL, **changes):
    """A rollout whose first stay the plane confirmed as it opened."""
    case = opened(at, **changes)
    engine = wiring.build().engine
    store.confirm(engine, case.rollout.id, generation=1, at=at, share_bp=0, entry=0, step=0)
    return standing_at(case, phase)


def shadow(at=APRIL, **changes):
    return live(Phase.SHADOW, at, **changes)


def due(case, now, every=DAY):
    return due_windows.fn(case, now, every)


@pytest.mark.usefixtures("wired")
@pytest.mark.parametrize(
    ("opened_at", "first"),
    [
        (APRIL, APRIL),
        (APRIL + timedelta(seconds=1), APRIL + DAY),
        (APRIL + 13 * HOUR, APRIL + DAY),
        (APRIL + DAY - timedelta(microseconds=1), APRIL + DAY),
    ],
)
def test_the_first_window_begins_with_the_next_whole_block_after_opening(opened_at, first):
    assert due(shadow(opened_at), first + DAY) == [(first, first + DAY)]
    assert due(shadow(opened_at, name="other"), first + DAY - timedelta(microseconds=1)) == []


@pytest.mark.usefixtures("wired")
def test_without_blocks_windows_begin_on_the_hour():
    unit = {**PLAN["unit"], "block": "none", "independent": True}
    case = shadow(APRIL + timedelta(minutes=20), unit=unit)
    assert due(case, APRIL + 3 * HOUR, HOUR) == [
        (APRIL + 1 * HOUR, APRIL + 2 * HOUR),
        (APRIL + 2 * HOUR, APRIL + 3 * HOUR),
    ]


@pytest.mark.usefixtures("wired")
def test_windows_that_were_missed_are_caught_up_in_order_and_without_gaps():
    windows = due(shadow(), APRIL + 9 * DAY + 5 * HOUR, 2 * DAY)
    assert [start for start, _ in windows] == [APRIL + n * 2 * DAY for n in range(4)]
    assert all(before[1] == after[0] for before, after in pairwise(windows))


def test_the_next_window_begins_where_the_last_scored_one_ended(wired):
    case = shadow()
    scored = store.Window(APRIL, APRIL + 3 * DAY, "window.parquet", "0" * 64, {"scored": 1}, APRIL + 3 * DAY)
    store.add_window(wired.engine, case.rollout.id, scored)
    assert due(case, APRIL + 4 * DAY) == [(APRIL + 3 * DAY, APRIL + 4 * DAY)]
    assert due(case, APRIL + 3 * DAY) == []


@pytest.mark.usefixtures("wired")
@pytest.mark.parametrize("every", [12 * HOUR, 36 * HOUR, DAY + timedelta(seconds=1), timedelta(0), -DAY])
def test_windows_that_are_not_whole_blocks_are_refused(every):
    with pytest.raises(InputError, match=r"whole blocks of 1 day.*change --every"):
        due(shadow(), APRIL + 9 * DAY, every)


@pytest.mark.usefixtures("wired")
@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.PREFLIGHT, Phase.ROLLING_BACK, Phase.DONE])
def test_a_rollout_that_is_not_live_scores_nothing(phase):
    assert due(live(phase), APRIL + 9 * DAY) == []


@pytest.mark.usefixtures("wired")
def test_before_the_plane_confirmed_shadow_nothing_is_scored_and_then_it_is_caught_up():
    waiting = standing_at(opened(), Phase.SHADOW, generation=1)
    assert due(waiting, APRIL + 2 * DAY) == []
    at = APRIL + 30 * HOUR
    engine = wiring.build().engine
    store.confirm(engine, waiting.rollout.id, generation=1, at=at, share_bp=0, entry=0, step=0)
    assert len(due(waiting, APRIL + 2 * DAY)) == 2


@pytest.mark.usefixtures("wired")
@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.RAMP, Phase.WATCH])
def test_every_live_phase_is_scored(phase):
    assert len(due(live(phase), APRIL + 9 * DAY)) == 9


def test_a_window_without_its_incumbent_is_not_kept(wired, requests_log):
    requests_log(days=(0, 1), n=5)
    nobody = "http://127.0.0.1:9"  # discard: nothing listens there
    models = {side: {**PLAN[side], "url": nobody} for side in ("incumbent", "candidate")}
    serving = {"timeout": "50ms", "retry": {"attempts": 1, "base": "1ms"}}
    case = shadow(**models, serving=serving, requests={"path": "requests", "id": "request_id", "at": "at"})
    with pytest.raises(ModelUnavailable, match="it answered 0; nothing was kept"):
        score_window.fn(case, APRIL, APRIL + DAY, APRIL + DAY)
    assert store.windows(wired.engine, case.rollout.id) == []
    assert wired.lake.read_exchanges(case.rollout.id, APRIL, APRIL + DAY).num_rows == 0


def test_a_window_without_a_request_is_scored_all_the_same(wired, requests_log):
    requests_log(days=(5, 6), n=3)
    case = shadow(requests={"path": "requests", "id": "request_id", "at": "at"})
    counts = score_window.fn(case, APRIL, APRIL + DAY, APRIL + DAY)
    assert counts["scored"] == 0
    (window,) = store.windows(wired.engine, case.rollout.id)
    assert (window.start, window.end) == (APRIL, APRIL + DAY)
    again = score_window.fn(replace(case), APRIL, APRIL + DAY, APRIL + 2 * DAY)
    assert again == counts
    assert store.windows(wired.engine, case.rollout.id) == [window]
