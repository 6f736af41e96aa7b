"""M12: the flow `retrain` with a real store, lake, shelf and servers; Prefect and the process left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import flows.retrain as story
from headgate.adapters import store
from headgate.adapters.store import retrainings
from headgate.adapters.trainer import Fitted
from headgate.errors import InputError, ModelUnavailable, PlaneUnavailable, ShelfError, TrainingError
from headgate.ports import MODEL, PROFILE, SAMPLE, SCORES
from headgate.profile import from_bytes
from headgate.report.formats import MINUS
from headgate.rollout.state import Outcome, Phase
from headgate.training import Made, Trained, answers_of
from tasks import wiring
from tests import trainers
from tests.builders import APRIL, plan
from tests.scenarios.small import SMALL, logs, write

DAY = timedelta(days=1)
SERVICE = "flight-delays"
NOW = APRIL + 15 * DAY
RETRAIN = {
    "trainer": "tests.trainers:good", "window": "12d", "holdout": "4d", "min_rows": 100, "url": "http://h-{version}:1",
}  # fmt: skip
STEPS = ("begin", "gather", "train", "hold", "write_card", "shelve", "open_its_rollout", "close")
MADE = Made("tests.trainers:good", "0" * 64, {"numpy": "2"}, None, ("signal",), ())


class Killed(BaseException):
    """The process is gone."""


class House:
    """A service whose model can be trained anew; what is made is up to the test."""

    def __init__(self, wired, models, home, monkeypatch):
        self.wired, self.models, self.home, self.patch = wired, models.behave(), home, monkeypatch
        self.trainer, self.trained = trainers.good, 0
        write(home, *logs())
        for name in STEPS:
            monkeypatch.setattr(story, name, getattr(story, name).fn)
        monkeypatch.setattr(story, "ended", lambda told: told)
        monkeypatch.setattr(story, "stood_down", lambda _why: None)
        monkeypatch.setattr("tasks.training.trainer.train", self._train)

    def open(self, **changes):
        """Open the rollout whose plan says how to train."""
        urls = {
            "incumbent": {
                "kind": "http",
                "url": self.models.incumbent.url,
                "model": "delays",
                "version": "logistic-1",
            },
            "candidate": {
                "kind": "http",
                "url": self.models.candidate.url,
                "model": "delays",
                "version": "gbm-2",
            },
        }
        renewed = {"retrain": RETRAIN, "drift": {"then": "retrain", "cooldown": "7d"}}
        return store.open_rollout(
            self.wired.engine, plan(**(SMALL | urls | renewed | changes)), APRIL, "operator"
        )

    def promote(self, rollout):
        """Let a rollout have been promoted."""
        last = store.last_tick(self.wired.engine, rollout.id)
        state = replace(last.state, phase=Phase.DONE, outcome=Outcome.PROMOTED, share_bp=10_000)
        store.record(
            self.wired.engine, rollout, replace(last, tick=1, at=APRIL + DAY, flow_run_id="x", state=state)
        )

    def run(self, origin="o1", trigger="drift", now=NOW):
        """Run the flow; return what it tells."""
        return story.retrain.fn(SERVICE, trigger, origin, now)

    def standing(self):
        """Everything that must be the same whatever was cut off."""
        ended = retrainings.all(self.wired.engine, SERVICE)
        return {
            "alerts": [(one.key, one.subject) for one in store.alerts(self.wired.engine)],
            "retrainings": [(one.accepted, one.reason, one.version, one.rollout) for one in ended],
            "rollouts": [(r.id, r.candidate_version, r.plan_hash) for r in store.rollouts(self.wired.engine)],
            "shelf": [
                (one.version, one.card["fingerprint"], one.card["made_for"]) for one in self.wired.shelf.all()
            ],
        }

    def _train(self, job, folder, _tell, **_home):
        self.trained += 1
        first, whole = (self.trainer(table, version=job.version) for table in (job.first, job.whole))
        (folder / "model.skops").write_bytes(b"a model")
        answers = [answers_of(one, job.held, job.plan, job.trainer) for one in (first, whole)]
        return Fitted(folder / "model.skops", MADE, *answers, 1.0, 1)


@pytest.fixture
def house(wired, models, tmp_path, monkeypatch):
    return House(wired, models, tmp_path, monkeypatch)


def versions(house):
    return [one.version for one in house.wired.shelf.all("delays")]


def test_a_model_that_is_not_worse_goes_on_the_shelf_and_opens_a_rollout_that_serves_nothing(house):
    house.open()
    told = house.run().retraining
    assert (told.accepted, told.version, told.rollout) == (True, "gbm-3", "flights-gbm-2")
    assert f"not worse on 576 held-out requests: quality {MINUS}0.1" in told.reason
    rollout = store.get(house.wired.engine, told.rollout)
    opened = store.plan_of(house.wired.engine, rollout.plan_hash)
    assert (opened.incumbent.version, opened.candidate.version) == ("logistic-1", "gbm-3")
    assert opened.candidate.url == "http://h-gbm-3:1"
    first = store.last_tick(house.wired.engine, rollout.id)
    assert (first.state.phase, first.state.share_bp) == (Phase.QUEUED, 0)
    assert first.decision.reasons[0].startswith(f"gbm-3 was trained anew, by drift: quality {MINUS}0.1")
    with pytest.raises(PlaneUnavailable, match="reconcile it first"):  # nobody asked it for anything
        house.wired.plane_of(SERVICE).observe()

    (kept,) = house.wired.shelf.all()
    assert set(kept.card["parts"]) == {MODEL, PROFILE, SAMPLE, SCORES}
    assert house.wired.shelf.read("delays", "gbm-3", MODEL) == b"a model"
    profile = from_bytes(house.wired.shelf.read("delays", "gbm-3", PROFILE))
    assert set(profile.columns) == {"signal", "region"}
    assert profile.rows == kept.card["training"]["rows"] == 12 * 144
    said = from_bytes(house.wired.shelf.read("delays", "gbm-3", SCORES))
    assert (set(said.columns), said.rows) == ({"score", "decision"}, 576)  # of the held-out requests
    held = said.columns["score"]
    assert 0 <= held.least < held.most <= 1


def test_after_a_promotion_the_incumbent_of_the_next_rollout_is_what_was_promoted(house):
    house.promote(house.open())
    told = house.run().retraining
    opened = store.plan_of(house.wired.engine, store.get(house.wired.engine, told.rollout).plan_hash)
    assert (opened.incumbent.version, opened.candidate.version) == ("gbm-2", "gbm-3")
    assert f"against gbm-2; quality {MINUS}0.1" in told.reason  # the one that serves comes first
    assert opened.unit.block_bound == pytest.approx(0.15, abs=0.051)


def test_a_worse_model_is_refused_nothing_is_shelved_and_its_number_is_not_used_again(house):
    house.promote(house.open())
    house.trainer = trainers.upside_down
    told = house.run().retraining
    assert (told.accepted, told.version, told.rollout) == (False, "gbm-3", "")
    assert "worse than gbm-2, which serves" in told.reason
    assert (
        store.alerts(house.wired.engine)[-1].subject
        == "RETRAINING REFUSED: gbm-3 of flight-delays is not used"
    )
    assert (versions(house), len(store.rollouts(house.wired.engine))) == ([], 1)
    assert told.body["card"]["accepted"] is False
    house.trainer = trainers.good
    assert house.run("click", "button").retraining.version == "gbm-4"


def test_the_event_emitted_ten_times_gives_one_retraining(house):
    house.open()
    told = [house.run("drift of April") for _ in range(10)]
    assert [one is not None for one in told] == [True] + [False] * 9
    assert (house.trained, len(house.standing()["retrainings"])) == (1, 1)


def test_another_drift_waits_for_the_cooldown_and_a_button_does_not(house):
    house.open()
    assert house.run("o1") is not None
    assert house.run("o2", now=NOW + 6 * DAY) is None
    assert house.run("o2", "schedule", NOW + 6 * DAY) is None
    assert house.run("click", "button", NOW + 6 * DAY).retraining.version == "gbm-4"
    assert house.run("o3", now=NOW + 7 * DAY) is None  # a week after the button's


POINTS = {
    "claimed": ("headgate.adapters.store.retrainings.claim", True),
    "trained": ("tasks.training.trainer.train", True),
    "half on the shelf": ("headgate.adapters.shelf.folder.FolderShelf._shelved", False),
    "on the shelf": ("headgate.adapters.shelf.folder.FolderShelf.put", True),
    "before opening": ("headgate.adapters.store.open_rollout", False),
    "opened": ("headgate.adapters.store.open_rollout", True),
    "before the end": ("headgate.adapters.store.retrainings.finish", False),
    "ended": ("headgate.adapters.store.retrainings.finish", True),
}


def killed_at(monkeypatch, where, *, after):
    """Let the process be gone at the first call of a function, before or after what it does."""
    module, _, name = where.rpartition(".")
    owner = _found(module)
    real = getattr(owner, name)

    def once(*args, **kwargs):
        if after:
            real(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, once)
        yield


def _found(path):
    import importlib

    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        parent, _, name = path.rpartition(".")
        return getattr(_found(parent), name)


@pytest.fixture
def unharmed(house):
    """How the very same retraining ends when nothing happens to it."""
    house.open()
    house.run()
    return house.standing()


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_and_run_again_it_ends_as_if_nothing_had_happened(point, house, wired, unharmed):
    import shutil

    from headgate.adapters.lake import Lake

    home = house.home / "again"
    home.mkdir()
    fresh = replace(
        wired,
        engine=store.connect(f"sqlite:///{home / 'store.db'}"),
        lake=Lake(home / "exchanges", base=home),
        settings=wired.settings.model_copy(
            update={"shelf": str(home / "shelf"), "retrainings": home / "work"}
        ),
    )
    shutil.copytree(house.home / "requests", home / "requests")
    shutil.copytree(house.home / "outcomes", home / "outcomes")
    with wiring.use(fresh):
        house.wired = fresh
        house.open()
        where, after = POINTS[point]
        for _ in killed_at(house.patch, where, after=after):
            with pytest.raises(Killed):
                house.run()
        # Whatever asks next takes it up; where it had ended, there is nothing to take up.
        again = house.run("another", "schedule", NOW + timedelta(hours=1))
        assert (again is None) == (point == "ended")
        assert house.standing() == unharmed
    fresh.engine.dispose()


def test_a_trainer_that_fails_ends_the_retraining_with_its_words_and_a_red_run(house):
    house.open()

    def fails(_table, **_version):
        raise TrainingError("asked mine:train; it raised KeyError; mend the trainer")

    house.trainer = fails
    with pytest.raises(TrainingError, match="mend the trainer"):
        house.run()
    assert house.standing()["retrainings"] == [
        (False, "asked mine:train; it raised KeyError; mend the trainer", "gbm-3", "")
    ]
    assert house.run() is None


def test_a_model_of_another_schema_is_not_shelved(house):
    house.open()
    house.trainer = lambda _table, **_version: Trained(object(), answer=lambda r: np.full(r.num_rows, 7.0))
    with pytest.raises(TrainingError, match="found 7"):
        house.run()
    assert versions(house) == []


def test_while_the_model_that_serves_is_silent_nothing_is_judged_and_the_next_run_goes_on(house):
    from starlette.responses import Response

    house.open()
    house.models.incumbent.fault = lambda _call: Response(status_code=503)
    with pytest.raises(ModelUnavailable, match=r"asked logistic-1 .* it answered 0; mend its server"):
        house.run()
    house.models.incumbent.fault = lambda _call: None
    assert house.run("another").retraining.claim.origin == "o1"


def test_a_serving_model_of_another_version_is_told_as_such(house):
    house.open()
    house.models.incumbent.version = "logistic-7"
    with pytest.raises(ModelUnavailable, match=r"576 answers came from another version"):
        house.run()


def test_the_other_model_of_the_plan_may_be_gone(house):
    from starlette.responses import Response

    house.open()
    house.models.candidate.fault = lambda _call: Response(status_code=503)
    told = house.run().retraining
    assert told.accepted
    assert "gbm-2" not in told.reason


def test_a_shelf_that_cannot_be_written_to_loses_nothing_and_the_next_run_goes_on(house):
    house.open()
    (house.home / "shelf").write_text("a file where the folder should be")
    with pytest.raises(ShelfError, match=r"nothing is lost: the model is kept as .*model\.skops"):
        house.run()
    assert next(Path(house.home / "retrainings").rglob("model.skops")).read_bytes() == b"a model"
    assert len(store.rollouts(house.wired.engine)) == 1
    (house.home / "shelf").unlink()
    assert house.run("another").retraining.accepted


def test_a_retraining_that_never_ends_is_given_up_after_the_cooldown(house):
    house.open()
    for _ in killed_at(house.patch, "tasks.training.trainer.train", after=False):
        with pytest.raises(Killed):
            house.run()
    told = house.run("o2", now=NOW + 8 * DAY).retraining
    assert told.claim.origin == "o2"
    first, second = house.standing()["retrainings"]
    assert first[:2] == (False, f"given up: begun at {NOW:%Y-%m-%d %H:%M} and never ended")
    assert second[0] is True


def test_two_runs_at_once_are_one(house):
    house.open()
    inner = []

    def meanwhile(table, *, version):
        if not inner:
            inner.append(house.run())
        return trainers.good(table, version=version)

    house.trainer = meanwhile
    assert house.run().retraining.accepted
    assert inner == [None]


def test_a_plan_may_keep_new_models_on_the_shelf(house):
    house.open(retrain=RETRAIN | {"opens": "nothing", "url": None})
    told = house.run().retraining
    assert (told.accepted, told.rollout, versions(house)) == (True, "", ["gbm-3"])


def test_a_service_that_was_never_opened_or_says_nothing_of_training_is_told(house):
    with pytest.raises(InputError, match="no rollout of it was opened before"):
        house.run()
    house.open(retrain=None, drift=None)
    with pytest.raises(InputError, match="has no `retrain`"):
        house.run()
    assert retrainings.all(house.wired.engine, SERVICE) == []


def test_too_little_to_learn_from_ends_it_and_says_what_was_left_out(house):
    house.open(retrain=RETRAIN | {"min_rows": 5_000})
    with pytest.raises(InputError, match="asked at least 5,000 requests to train on"):
        house.run()
    assert house.standing()["retrainings"][0][0] is False
