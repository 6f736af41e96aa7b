"""`prefect --no-prompt deploy --all` on a fresh server: all of it is there, and schedules really schedule."""

from pathlib import Path

import pytest
import yaml

ENTRIES = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text())["deployments"]

pytestmark = [pytest.mark.prefect, pytest.mark.slow]


@pytest.fixture(scope="module")
def there(full_prefect):
    """Return what the server has after deploying, by entrypoint."""
    return {one["entrypoint"]: one for one in full_prefect.post("/deployments/filter", {"limit": 200})}


def test_everything_that_the_file_names_is_there_as_it_says(there):
    for entry in ENTRIES:
        found = there[entry["entrypoint"]]
        assert (found["name"], found["work_pool_name"]) == (entry["name"], "headgate")
        assert found["parameters"] == entry.get("parameters", {})
        assert found["tags"] == entry["tags"]
        assert found["description"].strip() == entry["description"].strip()
        clocks = [(_rhythm(one["schedule"]), one["active"]) for one in found["schedules"]]
        assert clocks == [(_rhythm(one), one.get("active", True)) for one in entry.get("schedules", [])]
        limit = found["global_concurrency_limit"]
        assert (limit and limit["limit"]) == (1 if entry.get("concurrency_limit") else None)


def _rhythm(schedule):
    return schedule.get("interval") or schedule["cron"]


def test_a_schedule_that_is_on_makes_runs(full_prefect, there):
    # A server whose scheduler fails says so in its log only, and nothing ever ticks.
    tell = there["flows.tell.tell"]["id"]
    full_prefect.post(f"/deployments/{tell}/resume_deployment", {})
    try:
        full_prefect.until(
            lambda: next(
                (
                    run
                    for run in full_prefect.runs()
                    if run["deployment_id"] == tell and run["auto_scheduled"]
                ),
                None,
            )
        )
    finally:
        full_prefect.post(f"/deployments/{tell}/pause_deployment", {})


def test_an_answer_is_followed_by_a_tick_at_once(full_prefect, there):
    (rule,) = [one for one in full_prefect.post("/automations/filter", {}) if "answered" in one["name"]]
    assert [action["deployment_id"] for action in rule["actions"]] == [there["flows.advance.advance"]["id"]]
