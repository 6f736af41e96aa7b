"""M12 on a real Prefect: a drift told ten times; the automation retrains once, nothing is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.automations import TAG, apply_automations
from headgate.adapters import store
from headgate.adapters.store import retrainings
from headgate.rollout.state import Phase
from tests.builders import APRIL, plan
from tests.live_prefect import FullPrefect
from tests.scenarios.small import DAY, SMALL, logs, write

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

SERVICE = "flight-delays"
TRAINER = """
from sklearn.linear_model import LogisticRegression
from headgate.training import Trained

def train(table, *, version):
    signal = lambda rows: rows["signal"].to_numpy().reshape(-1, 1)
    model = LogisticRegression().fit(signal(table), table["late"].to_numpy())
    return Trained(model, answer=lambda rows: model.predict_proba(signal(rows))[:, 1], columns=["signal"])
"""


@pytest.fixture
def automations(full_prefect: FullPrefect) -> Iterator[None]:
    """Let the server do what it does of itself, and leave it to the next test as it was."""
    from prefect.client.orchestration import get_client

    with full_prefect.flows_here():
        said = {one.name: one.said for one in apply_automations(None)}
        assert said[f"headgate retrains {SERVICE}"] == "created"
        try:
            yield
        finally:
            with get_client(sync_client=True) as client:
                for automation in client.read_automations():
                    if TAG in automation.tags:
                        client.delete_automation(automation.id)


@pytest.mark.usefixtures("automations")
def test_ten_events_of_one_drift_are_one_retraining_whose_rollout_waits(full_prefect, models, tmp_path):
    from prefect.events import emit_event
    from prefect.events.worker import EventsWorker

    folder = tmp_path / "story"
    write(folder, *logs())
    (folder / "mine.py").write_text(TRAINER)
    both = models.behave()
    asked = plan(
        **SMALL,
        incumbent={"kind": "http", "url": both.incumbent.url, "model": "delays", "version": "logistic-1"},
        candidate={"kind": "http", "url": both.candidate.url, "model": "delays", "version": "gbm-2"},
        drift={"then": "retrain"},
        retrain={
            "trainer": "mine:train", "window": "12d", "holdout": "4d", "min_rows": 100,
            "url": "http://h-{version}:1",
        },
    )  # fmt: skip
    engine = store.connect(f"sqlite:///{folder / 'store.db'}")
    store.open_rollout(engine, asked, APRIL, "operator")
    full_prefect.point_at(folder)
    for _ in range(10):
        emit_event(
            "headgate.drift.detected",
            {"prefect.resource.id": f"headgate.service.{SERVICE}", "headgate.then": "retrain"},
            payload={"service": SERVICE, "origin": "a drift of April", "at": (APRIL + 15 * DAY).isoformat()},
        )
    EventsWorker.drain_all(timeout=30)

    def runs():
        return [run for run in full_prefect.runs() if run["name"] == f"retrain {SERVICE} (drift)"]

    (run,) = full_prefect.until(lambda: found if (found := runs()) else None)
    done = full_prefect.until_state(run["id"], "Accepted", "Failed", "Crashed", "Refused", "Nothing to do")
    assert done["state_name"] == "Accepted", full_prefect.log("worker")
    assert done["state"]["message"].startswith("gbm-3 opens flights-gbm-2: not worse on 576 held-out")
    assert len(runs()) == 1

    (one,) = retrainings.all(engine, SERVICE)
    assert (one.claim.trigger, one.claim.origin, one.claim.at) == (
        "drift",
        "a drift of April",
        APRIL + 15 * DAY,
    )
    assert store.last_tick(engine, one.rollout).state.phase is Phase.QUEUED
    assert (Path(folder) / "runs" / "shelf" / "delays" / "gbm-3.skops").is_file()
    engine.dispose()
    full_prefect.forget(f"service:{SERVICE}")
