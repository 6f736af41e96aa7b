"""After a promotion the year goes on: the flow that watches, on a real Prefect server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.events import Event
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker

from flows.monitor import monitor
from tests.builders import APRIL
from tests.scenarios.small import DAY
from tests.scenarios.watched import logs, promoted
from tests.scenarios.world import SERVICE


def shifted(columns, day):
    columns["signal"][day >= 40] = 0.5 + columns["signal"][day >= 40] / 2
    columns["chance"] = columns["signal"]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[Event]]]:
    """Keep the events that are emitted: this server does not store any."""
    worker = EventsWorker.instance(AssertingEventsClient)
    monkeypatch.setattr(EventsWorker, "instance", lambda *_: worker)

    def named(name: str) -> list[Event]:
        worker.wait_until_empty()
        return [event for event in worker._client.events if event.event == name]

    yield named
    worker.drain()


def test_the_monitor_notices_a_drift_shows_it_and_says_so_to_the_server(small, heard):
    """M10, M11: the event carries what an automation needs to retrain by."""
    trainer = {"trainer": "a:b", "opens": "nothing"}
    promoted(small, *logs(53, shifted), then="retrain", retrain=trainer)
    standing = monitor(SERVICE, now=APRIL + 52 * DAY)
    assert standing["state"] == "drift"
    assert {"score", "signal"} <= set(standing["drift"]["columns"])

    page = small.wired.settings.pages / "monitoring-of-flight-delays.html"
    assert str(page) == standing["page"]
    assert "drifted" in page.read_text(encoding="utf-8")
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["monitoring-flight-delays"]))
        (artifact,) = client.read_artifacts(artifact_filter=wanted)
    assert "## flight-delays: drift" in str(artifact.data)

    (event,) = heard("headgate.drift.detected")
    assert event.resource.id == "headgate.service.flight-delays"
    assert event.resource["headgate.then"] == "retrain"
    said = event.payload
    assert (said["service"], said["origin"]) == (SERVICE, "flight-delays/gbm-2/window/2013-05-15T00:00Z")
    assert said["at"] == (APRIL + 52 * DAY).isoformat()

    again = monitor(SERVICE, now=APRIL + 52 * DAY)
    assert again["windows"] == standing["windows"]


@pytest.mark.usefixtures("prefect")
def test_a_plan_that_asks_for_no_watch_gets_none(small):
    small.open()
    assert monitor(SERVICE, now=small.now) is None
