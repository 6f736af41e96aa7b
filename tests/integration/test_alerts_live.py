"""Alerts on a real Prefect: events, automations, a worker, and somebody who gets the messages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deployments.automations import TAG, apply_automations
from headgate.adapters import store
from headgate.alerts import Alert
from headgate.plan.duties import NoticeKind
from tasks import wiring
from tests.builders import plan, settings_in
from tests.live_prefect import FullPrefect
from tests.receiver import Receiver, receiving

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

SERVICE = "flight-delays"
#: A run needs seconds to start, and on a busy machine a minute.
_PATIENCE = 240


@dataclass
class Duty:
    """Two mailboxes, a rollout in a store, and Prefect with our automations.

    Attributes
    ----------
    team
        Whom the plan tells of questions and silence.
    house
        The default route; the server itself writes there.
    """

    full: FullPrefect
    team: Receiver
    house: Receiver
    engine: Engine
    rollout: store.Rollout

    def ask(self, times: int) -> None:
        """Put so many questions into the outbox."""
        for number in range(times):
            key = f"{self.rollout.id}/all/ask/1/{number}"
            words = (f"{self.rollout.id} ASKS ({number})", "Why: every gate passes")
            told = Alert(key, NoticeKind.ASK, self.rollout.id, SERVICE, "all", datetime.now(UTC), *words)
            store.add_alerts(self.engine, [told])

    def tick(self) -> None:
        """End a tick, as the flow `advance` does."""
        from tasks.telling import ring

        ring.fn(SERVICE, None, datetime.now(UTC))

    def about(self, word: str) -> list[str]:
        """Return the subjects of the server's own messages with a word in them."""
        return [message["subject"] for message in self.house.got if word in message["subject"]]


@pytest.fixture
def duty(full_prefect: FullPrefect, tmp_path: Path) -> Iterator[Duty]:
    from prefect.blocks.webhook import Webhook

    from headgate.adapters.lake import Lake
    from headgate.adapters.planes.in_process import InProcessPlane

    folder = tmp_path / "story"
    (folder / "lake").mkdir(parents=True)
    with ExitStack() as stack:
        team, house = stack.enter_context(receiving()), stack.enter_context(receiving())
        engine = store.connect(f"sqlite:///{folder / 'store.db'}")
        stack.callback(engine.dispose)
        notify = [{"events": ["ask"], "to": team.url}, {"events": ["silence"], "to": "block:webhook/team"}]
        told = plan(service=SERVICE, notify=notify)
        rollout = store.open_rollout(engine, told, datetime.now(UTC), "operator@example.org")
        full_prefect.point_at(folder)
        stack.enter_context(full_prefect.flows_here())
        Webhook(url=team.url).save("team", overwrite=True)
        adapters = wiring.Wiring(
            engine, Lake(folder / "lake", base=folder), lambda _: InProcessPlane(), settings_in(folder)
        )
        stack.enter_context(wiring.use(adapters))
        apply_automations(house.url, timedelta(seconds=10))
        try:
            yield Duty(full_prefect, team, house, engine, rollout)
        finally:
            _remove_automations()


def test_ten_events_make_one_message_and_lost_ticks_raise_the_silence_alert_once(duty):
    duty.ask(10)
    ticked = time.monotonic()
    duty.tick()
    (message,) = duty.team.until(1, _PATIENCE)
    assert message["subject"].startswith("10 \N{MULTIPLICATION SIGN} ask: ")
    assert message["alerts"] == 10
    assert message["audit_head"].partition(":")[0].isdecimal()

    # The server itself noticed that no second tick came.
    _until_told(duty, "SILENCE")
    assert time.monotonic() - ticked > 10
    assert "0 % of its traffic is the candidate's" in duty.house.got[0]["text"]
    # The worker lives: it tells the plan's own route, and the record knows.
    assert duty.team.until(2, _PATIENCE)[1]["kind"] == "silence"
    assert [a.kind for a in store.alerts(duty.engine)][-1] is NoticeKind.SILENCE

    # Silence goes on and is not told again; meanwhile a tick that fails is told by the server as well.
    _fail_a_tick(duty.full)
    _until_told(duty, "FAILED: advance")
    assert "hunter2" not in str(duty.house.got)
    time.sleep(max(0.0, ticked + 25 - time.monotonic()))
    assert len(duty.about("SILENCE")) == 1
    assert len(duty.team.got) == 2

    # Applied again they stay; without a default route the server has nobody to tell.
    said = {one.name: one.said for one in apply_automations(duty.house.url, timedelta(seconds=10))}
    assert set(said.values()) == {"up to date"}
    assert set(said) == {
        "headgate tells people", f"headgate silence {SERVICE}", f"headgate retrains {SERVICE}",
        "headgate runs that fail",
    }  # fmt: skip
    left_out = {one.said.partition(":")[0]: one.name for one in apply_automations(None)}
    assert left_out["left out"] == left_out["removed"] == "headgate runs that fail"


def _remove_automations() -> None:
    """Leave the server to the next test as it was."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for automation in client.read_automations():
            if TAG in automation.tags:
                client.delete_automation(automation.id)


def _fail_a_tick(full: FullPrefect) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Failed, Scheduled

    (deployment,) = [d for d in full.post("/deployments/filter", {}) if "advance" in d["entrypoint"]]
    tomorrow = Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=1))
    with get_client(sync_client=True) as client:  # it asks again where a busy server says 503
        run = client.create_flow_run_from_deployment(deployment["id"], state=tomorrow)
        client.set_flow_run_state(run.id, Failed(message="password=hunter2"), force=True)


def _until_told(duty: Duty, word: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not duty.about(word):
        assert time.monotonic() < deadline, duty.house.got
        time.sleep(0.1)
