"""M12: a trainer may raise, hang, leak, crash or return anything; Headgate says so and goes on."""

import json
import os
import re
import time

import numpy as np
import psutil
import pytest

from headgate.adapters.model_file import from_bytes, to_bytes
from headgate.adapters.trainer import Job, train
from headgate.errors import ShelfError, TrainingError
from headgate.training import Trained
from tests.scenarios.small import SMALL, logs
from tests.trainers import Rule, fitted


def job(trainer, **changes):
    """A small job: a day of requests to learn from, a day held out."""
    from tests.builders import plan

    asked = {"trainer": f"tests.trainers:{trainer}", "url": "http://h-{version}:1"} | changes
    requests, outcomes = logs()
    table = requests.append_column("late", outcomes["late"]).select(["signal", "region", "late"])
    first, held = table.slice(0, 144), table.slice(144, 144)
    return Job(
        plan(**SMALL, retrain=asked), "gbm-3", first, held.select(["signal", "region"]), table.slice(0, 288)
    )


def failure(tmp_path, trainer, **changes):
    with pytest.raises(TrainingError) as caught:
        train(job(trainer, **changes), tmp_path)
    return str(caught.value)


def test_a_model_is_made_answers_and_is_kept_without_code_and_the_same_question_is_asked_once(tmp_path):
    told = []
    asked = job("good")
    made = train(asked, tmp_path, lambda seconds, memory: told.append((seconds, memory)))
    truth = np.asarray(asked.held["signal"])
    assert np.corrcoef(made.first, truth)[0, 1] > 0.99
    assert made.first.shape == made.whole.shape == (144,)
    assert made.made.trainer == "tests.trainers:good"
    assert {"python", "numpy", "scikit-learn", "skops"} <= set(made.made.libraries)
    model, preprocessing = from_bytes(made.model.read_bytes())
    assert preprocessing == {"columns": ["signal"]}
    np.testing.assert_allclose(model.predict_proba(truth.reshape(-1, 1))[:, 1], made.whole)
    assert "learning gbm-3 from 144" in (tmp_path / "log.txt").read_text()
    assert b"cloudpickle" not in made.model.read_bytes()

    before = (tmp_path / "done.json").stat().st_mtime_ns
    again = train(asked, tmp_path)
    assert (again.made, (tmp_path / "done.json").stat().st_mtime_ns) == (made.made, before)


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        ("raises", "it raised KeyError: 'no such column: weather' (trainers.py:"),
        ("dies", "was ended by signal 6; mend the trainer; the end of what it said:\nabout to crash"),
        ("another_thing", "found dict; return one"),
        ("out_of_range", "found 7 and 143 more that are not"),
        ("knows_the_truth", "the label and the time are there in training and never in a request"),
        ("not_a_function", "found a int; name a function"),
        ("nothing_such", "has no attribute 'nothing_such'"),
    ],
)
def test_a_bad_trainer_is_told_in_its_own_words_and_leaves_no_model(tmp_path, trainer, words):
    assert words in failure(tmp_path, trainer)
    assert not (tmp_path / "model.skops").exists()
    assert not (tmp_path / "done.json").exists()


def test_a_trainer_that_hangs_is_stopped_with_everything_it_started(tmp_path):
    began = time.monotonic()
    said = failure(tmp_path, "hangs", timeout="15s")
    assert "within 15s; it was still at it and was stopped" in said
    assert time.monotonic() - began < 60
    time.sleep(0.2)
    assert not is_running(sleeper(tmp_path))


def test_a_trainer_that_leaks_is_stopped_at_its_limit(tmp_path):
    said = failure(tmp_path, "leaks", memory="600MB")
    assert "within 600MB; it used 0." in said
    assert "raise `retrain.memory`" in said


def test_a_trainer_ends_when_whoever_waits_for_it_is_killed(tmp_path):
    import multiprocessing
    import signal

    child = multiprocessing.get_context("fork").Process(target=train, args=(job("hangs"), tmp_path))
    child.start()
    deadline = time.monotonic() + 60
    while (child_of_its_own := sleeper(tmp_path)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (trainer,) = psutil.Process(child.pid).children()
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    trainer.wait(20)
    if is_running(child_of_its_own):
        os.kill(child_of_its_own, signal.SIGKILL)


def sleeper(folder):
    """Return the process that the trainer `hangs` has started, once its log names it."""
    log = folder / "log.txt"
    said = re.search(r"a child sleeps: (\d+)\.", log.read_text()) if log.exists() else None
    return None if said is None else int(said[1])


def is_running(pid):
    """Return whether a process lives; one that nobody waited for does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


# ---------------------------------------------------------------- the model's file


def test_a_type_that_nobody_vouches_for_or_may_vouch_for_is_refused_by_name():
    with pytest.raises(TrainingError, match=r"found tests\.trainers\.Rule"):
        to_bytes(Trained(Rule()), "tests.trainers:own")
    vouched = Trained(Rule(), trusted=("tests.trainers.Rule",))
    body = to_bytes(vouched, "tests.trainers:own")
    with pytest.raises(TrainingError, match="or of your own package"):
        to_bytes(vouched, "somebody.else:train")
    with pytest.raises(ShelfError, match="do not serve it"):
        from_bytes(body)
    assert isinstance(from_bytes(body, ["tests.trainers.Rule"])[0], Rule)


@pytest.mark.parametrize("model", [lambda: None, (i for i in range(3))], ids=["lambda", "generator"])
def test_what_cannot_be_kept_without_code_is_refused(model):
    with pytest.raises(
        TrainingError, match=r"in that of tests\.trainers:odd|asked to keep the model of tests"
    ):
        to_bytes(Trained(model), "tests.trainers:odd")


def test_a_file_that_skops_did_not_write_is_refused():
    with pytest.raises(ShelfError, match="asked a model that skops wrote"):
        from_bytes(b"no archive")


def test_a_question_differs_with_its_data_and_its_plan(tmp_path):
    asked = job("good")
    asked.write(tmp_path)
    assert Job.read(tmp_path).fingerprint == asked.fingerprint
    assert job("good", window="30d").fingerprint != asked.fingerprint
    assert json.loads((tmp_path / "job.json").read_text())["version"] == "gbm-3"
    assert fitted(asked.first, np.asarray(asked.first["late"]))[0].coef_.shape == (1, 1)
