"""A story as people are told it: from the record of a real climb to somebody's mailbox."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.tell import tell
from headgate.adapters import store
from tasks import wiring
from tests.receiver import receiving

pytestmark = pytest.mark.prefect


def test_a_whole_climb_is_told_step_by_step_and_each_thing_once(story):
    world = story("promoted")
    told = store.alerts(world.engine, world.rollout)
    assert [alert.kind.value for alert in told] == [
        "advance", "ask", "advance", "advance", "advance", "advance", "finish",
    ]  # fmt: skip
    assert [alert.subject.removeprefix(f"{world.rollout} ") for alert in told][-3:] == [
        "RAISED its share from 50 % to 100 %",
        "is WATCHED now at 100 %",
        "is DONE: promoted; 100 % of the traffic is the candidate's",
    ]
    # The heads in the file outside the store grew with it.
    assert world.wired.settings.anchors.read_text().count("\n") > 5


def test_the_outbox_is_emptied_by_the_flow(story):
    world = story("asked")
    with receiving() as house:
        settings = world.wired.settings.model_copy(update={"notify": house.url})
        wired = wiring.Wiring(world.wired.engine, world.wired.lake, world.wired.plane_of, settings)
        with wiring.use(wired):
            assert tell(now=datetime.now(UTC)) == 2
            assert tell(now=datetime.now(UTC)) == 0
    assert [(message["kind"], message["alerts"]) for message in house.got] == [("advance", 1), ("ask", 1)]
    assert f"`headgate approve {world.rollout} --as YOU" in house.got[1]["text"]
