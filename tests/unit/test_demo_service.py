"""The demo's two operators prove who they are, like everybody: they sign first, and approve when asked."""

from pathlib import Path

import pytest

from deployments.demo import service as demo
from headgate.adapters import store
from headgate.rollout.state import Answer
from tests.builders import APRIL, plan
from tests.integration.stores import question

TWO = [{"percent": 0}, {"percent": 5, "approval": {"approvers": 2}}, {"percent": 100}]
ASKS = {"signoffs": [{"role": "security"}], "questionnaire": {}, "steps": TWO}


@pytest.mark.parametrize("before", [0, 1], ids=["the first service", "the second"])
def test_the_operators_sign_and_approve_with_codes_of_their_own(wired, monkeypatch, before):
    def opened(path, now, opened_by):
        return store.open_rollout(wired.engine, by_path[path], now, opened_by).id

    monkeypatch.setattr(demo, "open_rollout", opened)
    by_path = {}
    for number in range(before + 1):
        asked = plan(name=f"demo-{number}", service=f"service-{number}", **ASKS)
        by_path[f"{number}.yaml"] = asked
        service = demo.DemoService(asked, Path(f"{number}.yaml"), None, "7d", lambda _: None)
        service.open(APRIL)
    signed = store.signatures(wired.engine, asked.hash)
    assert {role: one.name for role, one in signed.items()} == {
        "security": demo.OPERATORS[0],
        "questionnaire": demo.OPERATORS[1],
    }
    rollout = store.get(wired.engine, service.rollout)
    tick = question(rollout)
    store.record(wired.engine, rollout, tick)
    service.approve(tick.state.asked, tick.at)
    kept = store.approvals(wired.engine, service.rollout)
    assert [(one.approver, one.answer) for one in kept] == [(name, Answer.APPROVE) for name in demo.OPERATORS]
