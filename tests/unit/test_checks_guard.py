"""Guards that run another plan than their rollout's hold it at preflight, and the doctor says so."""

from dataclasses import replace

import pytest

from tasks import wiring
from tasks.checks_guard import guards
from tasks.checkup import Level
from tasks.preflight import preflight
from tests.builders import APRIL, settings_in
from tests.unit.task_cases import opened


@pytest.fixture
def nobody_there(wired, tmp_path):
    named = settings_in(tmp_path, guard_urls={"flight-delays": ["http://127.0.0.1:1"]})
    named = named.model_copy(update={"store_url": f"sqlite:///{tmp_path / 'store.db'}"})
    with wiring.use(replace(wired, settings=named)):
        yield


@pytest.mark.usefixtures("nobody_there")
def test_a_guard_that_does_not_answer_holds_the_preflight_and_is_missing_to_the_doctor():
    case = opened()
    found = {check.name: check for check in preflight(case, ("logistic-1", "gbm-2"), APRIL)}
    assert found["guard"].passed is None
    assert "http://127.0.0.1:1 does not answer" in found["guard"].reason
    (told,) = guards()
    assert (told.what, told.level) == ("guard of flight-delays", Level.MISSING)
    assert told.found == found["guard"].reason


@pytest.mark.usefixtures("wired")
def test_where_no_guard_is_named_none_is_asked_for():
    case = opened()
    assert "guard" not in [check.name for check in preflight(case, ("logistic-1", "gbm-2"), APRIL)]
    assert list(guards()) == []
