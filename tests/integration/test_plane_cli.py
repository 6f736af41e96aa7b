"""``headgate plane``: what a real plane says of itself, held against the record."""

from __future__ import annotations

import json

import pytest

from deployments.processes import free_port
from headgate.adapters import store
from headgate.rollout.state import Phase
from tasks import wiring
from tasks.ledger import case_of
from tasks.traffic import route_of
from tests.builders import APRIL, plan
from tests.chaos.rigs import KINDS, Rig
from tests.integration.stores import OPENED_BY, tick
from tests.unit.test_cli import installed, refused, run

__all__ = ["installed"]  # a fixture

SERVICE = "flight-delays"


@pytest.fixture(params=[pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in KINDS])
def kind(request):
    return request.param


@pytest.fixture
def ramp(installed, kind, tmp_path, monkeypatch):
    """A real plane that serves 10 %, as the record says."""
    monkeypatch.setenv("HEADGATE_PLANE_PORT", str(free_port()))
    rollout = store.open_rollout(installed.engine, plan(plane={"kind": kind}), APRIL, OPENED_BY)
    store.record(installed.engine, rollout, tick(rollout, phase=Phase.RAMP, share_bp=1_000, generation=1))
    case = case_of(rollout)
    wired = wiring.build()
    rig = Rig(kind, tmp_path / "runs" / "planes" / SERVICE, None, None)
    wired.plane_of(SERVICE).apply(route_of(case, case.state))
    yield rig
    rig.close()
    wired.engine.dispose()


def said(verb, code):
    """Return the rows that a command prints, and what it says besides."""
    done = run("plane", verb, SERVICE)
    assert done.exit_code == code, done.output
    lines = (line.partition("  ") for line in done.stdout.splitlines())
    return {what.strip(): text.strip() for what, _, text in lines}, done.stderr


def test_a_plane_is_shown_and_held_against_the_record_and_what_differs_is_said(ramp):
    on_record = "flights-gbm-1, generation 1"
    assert said("verify", 0) == (
        {"on record": on_record, "in force": on_record, "share": "agrees: 10 %"}, "",
    )  # fmt: skip
    shown, _ = said("show", 0)
    assert (shown["rollout"], shown["share"]) == ("flights-gbm-1", "10 %")
    assert (shown["kind"], shown["folder"]) == (ramp.kind, str(ramp.folder))

    ramp.push(3_000)
    told, _ = said("verify", 1)
    assert told["share"] == "disagrees: 10 % on record, 30 % in force"
    assert told["next tick"].startswith("takes the lower share")
    found = json.loads(run("plane", "verify", SERVICE, "--json").stdout)
    (one,) = found["slices"]
    assert (found["agrees"], one["recorded_bp"], one["served_bp"]) == (False, 1_000, 3_000)

    ramp.kill()
    told, why = said("verify", 1)
    assert told["share"] == "unreachable: 10 % on record"
    assert "found nobody" in why
    assert "found nobody" in refused("plane", "show", SERVICE, code=1)
