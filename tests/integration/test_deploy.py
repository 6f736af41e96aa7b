"""`prefect --no-prompt deploy --all` on a fresh server: all of it is there, and schedules really schedule."""

import shlex
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from deployments.prefect_work import create_pool

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


def test_a_pool_from_a_python_that_has_moved_runs_this_one_and_a_command_somebody_chose_stays(full_prefect):
    pool = f"{full_prefect.api_url}/work_pools/moved"
    ours = f"{shlex.quote(sys.executable)} -m prefect.engine"

    def command(changed_to=None):
        template = httpx.get(pool).raise_for_status().json()["base_job_template"]
        held = template["variables"]["properties"]["command"]
        if changed_to is not None:
            held["default"] = changed_to
            httpx.patch(pool, json={"base_job_template": template}).raise_for_status()
        return held["default"]

    create_pool(full_prefect.api_url, "moved")
    try:
        assert command() == ours
        for there, left in (
            ("/gone/bin/python -m prefect.engine", ours),
            ("uv run -m mine", "uv run -m mine"),
        ):
            command(changed_to=there)
            create_pool(full_prefect.api_url, "moved")
            assert command() == left
    finally:
        httpx.delete(pool).raise_for_status()
