"""The kill switch: no Prefect server, no model server, and if it must be no store."""

from __future__ import annotations

import json
import resource
import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.adapters import store
from headgate.errors import IllegalTransition, InputError, PlaneUnavailable, StoreError
from headgate.rollout.state import Move, Outcome, Phase, PlaneView, Verb
from tasks import killing, wiring
from tasks.killing import kill
from tasks.ledger import case_of
from tasks.traffic import compare, look_at_plane, route_of
from tests.builders import APRIL, plan
from tests.integration.stores import OPENED_BY, tick
from tests.unit.test_tasks_slices import SLICES

SERVICE = "flight-delays"
NOW = APRIL + timedelta(days=3)
WHO_AND_WHY = ("chief@example.org", "complaints from the desk", NOW)
VERSIONS = ("logistic-1", "gbm-2")


@pytest.fixture
def here(wired, monkeypatch):
    """The adapters of this test; a kill is in no hurry to try again."""
    monkeypatch.setattr(killing, "_PAUSE_S", 0.0)
    return wired


def at_ramp(here, phase=Phase.RAMP, share=500, **fields):
    """A rollout whose share is in force at the plane, as the record says."""
    rollout = store.open_rollout(here.engine, plan(), APRIL, OPENED_BY)
    row = tick(
        rollout, phase=phase, share_bp=share, step=1 if share else 0, entry=1, generation=4,
        versions=VERSIONS, **fields,
    )  # fmt: skip
    return in_force(here, store.record(here.engine, rollout, row))


def in_force(here, rollout):
    case = case_of(rollout)
    plane = here.plane_of(SERVICE)
    plane.reconcile(route_of(case, case.state))
    plane.apply(route_of(case, case.state))
    return rollout


def last(here, rollout, *slice_):
    return store.last_tick(here.engine, rollout.id, *slice_)


@pytest.mark.parametrize(("phase", "share"), [(Phase.SHADOW, 0), (Phase.RAMP, 500), (Phase.WATCH, 10_000)])
def test_a_kill_is_recorded_decided_and_in_force_until_the_plane_reports_zero(here, phase, share):
    rollout = at_ramp(here, phase, share)
    done = kill(SERVICE, *WHO_AND_WHY)
    assert (done.rollout, done.share_bp, done.mirror, done.recorded) == (rollout.id, 0, False, True)
    over = last(here, rollout)
    assert (over.state.phase, over.state.outcome) == (Phase.DONE, Outcome.ROLLED_BACK)
    moves = [row.decision.move for row in store.ticks(here.engine, rollout.id)]
    assert moves[2] is Move.ROLL_BACK
    (order,) = store.orders(here.engine, rollout.id)
    assert (order.verb, order.by, order.reason) == (Verb.ROLLBACK, *WHO_AND_WHY[:2])
    assert store.open_orders(here.engine, rollout.id) == ()
    assert store.holder(here.engine, SERVICE) is None


def test_a_kill_takes_a_promotion_back_too(here):
    rollout = at_ramp(here, Phase.DONE, 10_000, outcome=Outcome.PROMOTED)
    assert store.holder(here.engine, SERVICE) is None
    assert kill(SERVICE, *WHO_AND_WHY).share_bp == 0
    assert last(here, rollout).state.outcome is Outcome.ROLLED_BACK
    assert [order.verb for order in store.orders(here.engine, rollout.id)] == [Verb.UNDO]


def test_a_kill_takes_back_slices_that_were_promoted_while_others_climb(here):
    rollout = store.open_rollout(here.engine, plan(steps=None, slices=SLICES), APRIL, OPENED_BY)
    first, *rest = store.slice_names(here.engine, rollout.id)
    promoted = {"phase": Phase.DONE, "outcome": Outcome.PROMOTED, "share_bp": 10_000, "step": 2}
    shadow = {"phase": Phase.SHADOW}
    rows = [
        tick(rollout, slice=name, generation=4, versions=VERSIONS, **(promoted if name == first else shadow))
        for name in (first, *rest)
    ]
    rollout = store.record(here.engine, rollout, *rows)
    rollout = store.record(here.engine, rollout, *(
        tick(rollout, 2, "run-2", slice=name, generation=4, versions=VERSIONS, **shadow) for name in rest
    ))  # fmt: skip
    in_force(here, rollout)
    assert kill(SERVICE, *WHO_AND_WHY).share_bp == 0
    assert {last(here, rollout, name).state.outcome for name in (first, *rest)} == {Outcome.ROLLED_BACK}
    assert store.holder(here.engine, SERVICE) is None


def test_a_kill_of_a_plane_that_does_not_answer_leaves_the_order_and_says_so(here):
    rollout = at_ramp(here)
    here.plane_of(SERVICE).reachable = False
    with pytest.raises(PlaneUnavailable, match=r"the order is recorded.*switched off.*--unrecorded"):
        kill(SERVICE, *WHO_AND_WHY)
    assert (last(here, rollout).state.phase, last(here, rollout).state.share_bp) == (Phase.ROLLING_BACK, 0)
    here.plane_of(SERVICE).reachable = True
    assert kill(SERVICE, *WHO_AND_WHY).share_bp == 0


def test_a_kill_without_anything_in_force_says_what_is_allowed(here):
    with pytest.raises(InputError, match="it never had a rollout; services: none"):
        kill(SERVICE, *WHO_AND_WHY)
    store.open_rollout(here.engine, plan(), APRIL, OPENED_BY)
    with pytest.raises(IllegalTransition, match="is in preflight; allowed now: abort"):
        kill(SERVICE, *WHO_AND_WHY)
    with pytest.raises(InputError, match="asked a reason"):
        kill(SERVICE, "chief@example.org", "", NOW)


# ---------------------------------------------------------------- the store cannot be used


@contextmanager
def locked(path):
    """Another process is writing, and does not end."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@contextmanager
def full_disk(_path):
    """No file may grow by a single byte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def as_it_is(_path):
    yield


UNUSABLE = [
    (locked, "store.db", "another process holds it"),
    (full_disk, "store.db", "make room"),
    (as_it_is, "file:{path}?mode=ro&uri=true", "read-only"),
    (as_it_is, "gone/store.db", "it never had a rollout"),
]


@pytest.mark.parametrize(("trouble", "url", "says"), UNUSABLE)
def test_a_kill_without_a_usable_store_names_the_way_that_needs_none(
    here, tmp_path, monkeypatch, trouble, url, says
):
    """Nothing moves by itself: the share stays where it is until somebody says --unrecorded."""
    at_ramp(here)
    plane = here.plane_of(SERVICE)
    here.engine.dispose()
    address = url.format(path=tmp_path / "store.db") if ":" in url else tmp_path / url
    monkeypatch.setattr(
        wiring, "build", lambda _patience=0: replace(here, engine=store.connect(f"sqlite:///{address}", 0.1))
    )
    with (
        trouble(tmp_path / "store.db"),
        pytest.raises((StoreError, InputError), match=f"{says}.*kill flight-delays --unrecorded"),
    ):
        kill(SERVICE, *WHO_AND_WHY)
    assert plane.observe().share_bp == 500
    with trouble(tmp_path / "store.db"):
        done = kill(SERVICE, *WHO_AND_WHY, unrecorded=True)
    assert (done.share_bp, done.generation, done.recorded) == (0, 5, False)
    assert bool(done.trouble) == (trouble is full_disk)


@pytest.mark.parametrize("trouble", [locked, full_disk])
def test_a_tick_that_cannot_be_written_down_moves_nothing_and_the_next_one_does_it_all(
    here, tmp_path, trouble
):
    """Law 1, with a disk that is full and a database that is held."""
    rollout = at_ramp(here)
    order = store.press(here.engine, rollout.id, Verb.ROLLBACK, *WHO_AND_WHY)
    before = last(here, rollout)
    here.engine.dispose()
    hasty = replace(here, engine=store.connect(f"sqlite:///{tmp_path / 'store.db'}", 0.1))
    with wiring.use(hasty):
        case = case_of(store.get(hasty.engine, rollout.id))
        with trouble(tmp_path / "store.db"), pytest.raises(StoreError):
            killing._tick(case, NOW, "run-2")
        assert here.plane_of(SERVICE).observe().share_bp == 500
        assert (last(hasty, rollout), store.open_orders(hasty.engine, rollout.id)) == (before, (order,))
        killing._tick(case_of(store.get(hasty.engine, rollout.id)), NOW, "run-3")
        assert here.plane_of(SERVICE).observe().share_bp == 0
        hasty.engine.dispose()


def test_an_unrecorded_kill_leaves_a_note_and_a_generation_that_nobody_wrote_down(here, tmp_path):
    rollout = at_ramp(here)
    done = kill(SERVICE, *WHO_AND_WHY, unrecorded=True)
    (line,) = (tmp_path / "planes/flight-delays.unrecorded.jsonl").read_text().splitlines()
    note = json.loads(line)
    assert json.loads(done.note) == note
    assert (note["by"], note["reason"], note["at"][:10]) == (*WHO_AND_WHY[:2], "2013-04-04")
    assert note["found"] == {
        "rollout": rollout.id, "share_bp": 500, "mirror": False, "generation": 4, "token": 1
    }  # fmt: skip
    case = case_of(store.get(here.engine, rollout.id))
    seen = look_at_plane.fn(case, NOW)
    assert (seen.view, seen.share_bp, seen.generation) == (PlaneView.DISAGREES, 0, 5)
    assert compare(here.plane_of(SERVICE).observe(), case, case.state) is PlaneView.DISAGREES
    kill(SERVICE, *WHO_AND_WHY, unrecorded=True)
    assert len((tmp_path / "planes/flight-delays.unrecorded.jsonl").read_text().splitlines()) == 2
    # With the store back, a kill on record goes on from there.
    assert kill(SERVICE, *WHO_AND_WHY).generation == 7
    assert last(here, rollout).state.outcome is Outcome.ROLLED_BACK
