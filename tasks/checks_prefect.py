"""What a doctor asks Prefect: whether it answers us, and whether everything we need is there and awake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import prefect
import yaml
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

from headgate.errors import HeadgateError
from tasks import wiring
from tasks.checks_here import open_rollouts
from tasks.checkup import Finding, Level, missing, ok, warning

_PATIENCE_S = 4.0
#: Approval codes are good for minutes: clocks that differ more will refuse some.
_CLOCKS_APART = timedelta(seconds=60)
#: Tag of the automations that `headgate automations` applies.
_OURS = "headgate-automations"


def prefect_is_there(prefect_file: Path) -> Iterator[Finding]:
    """Look at the server, and at what must be on it if it answers."""
    answered = list(_answers())
    yield from answered
    if any(finding.level is Level.MISSING for finding in answered):
        return  # one reason is enough
    yield from _pool_and_worker()
    yield from _deployments(prefect_file)
    yield from _automations(prefect_file)


def _answers() -> Iterator[Finding]:
    """Look whether the API is there, takes our auth string, is of our version, and has our time."""
    with _api() as api:
        try:
            answer = api.get("/admin/version")
        except httpx.HTTPError as err:
            todo = (
                "start it (`headgate up`, or `prefect server start`), or mend PREFECT_API_URL; ticks called "
            )
            yield missing("Prefect API", f"{api.base_url}: {type(err).__name__}", todo + "by hand go on")
            return
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            yield missing(
                "Prefect API", f"{api.base_url}: refuses us", "set PREFECT_API_AUTH_STRING as it has it"
            )
            return
        version = str(answer.raise_for_status().json())
        if version == prefect.__version__:
            yield ok("Prefect API", f"{api.base_url} {version}")
        else:
            todo = "run the server in the version that is installed here"
            yield warning("Prefect API", f"{api.base_url} {version}; here {prefect.__version__}", todo)
        yield _clocks(answer.headers.get("date"))


def _clocks(told: str | None) -> Finding:
    if told is None:
        return warning("clocks", "the server does not tell its time", "compare both machines' clocks")
    apart = abs(datetime.now(UTC) - parsedate_to_datetime(told))
    if apart > _CLOCKS_APART:
        found = f"this machine and Prefect's are {apart.total_seconds():.0f} s apart"
        return warning("clocks", found, "synchronise both: approval codes are good for minutes")
    return ok("clocks", "this machine and Prefect's agree")


def _pool_and_worker() -> Iterator[Finding]:
    """Look whether the work pool is there and awake, and whether a worker reports to it."""
    pool = wiring.read_settings().work_pool
    with _api() as api:
        answer = api.get(f"/work_pools/{pool}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            yield missing("work pool", f"no {pool!r}", f"prefect work-pool create {pool} --type process")
            return
        if answer.raise_for_status().json().get("is_paused"):
            yield missing("work pool", f"{pool!r} is paused", f"prefect work-pool resume {pool}")
        else:
            yield ok("work pool", pool)
        workers = api.post(f"/work_pools/{pool}/workers/filter", json={}).raise_for_status().json()
    online = [worker["name"] for worker in workers if worker.get("status") == "ONLINE"]
    if online:
        yield ok("worker", ", ".join(online))
    else:
        found = f"none online; {len(workers)} known" if workers else "none"
        yield missing("worker", found, f"prefect worker start --pool {pool}, with HEADGATE_* as here")


def _deployments(prefect_file: Path) -> Iterator[Finding]:
    """Look whether every deployment of ``prefect.yaml`` is there, for every service, and awake."""
    if not prefect_file.is_file():
        yield warning("deployments", f"no {prefect_file}", "run `headgate doctor` in the project's folder")
        return
    wanted = [
        (entry["entrypoint"], name, bool(entry.get("schedules")))
        for entry in yaml.safe_load(prefect_file.read_text(encoding="utf-8"))["deployments"]
        for name in _names(entry)
    ]
    with _api() as api:
        found = _all(api, "/deployments/filter")
    known = {(one["entrypoint"], one["name"]): one for one in found}
    absent = [(entrypoint, name) for entrypoint, name, _ in wanted if (entrypoint, name) not in known]
    for name in sorted({name for _, name in absent}):
        what = ", ".join(entrypoint.rsplit(".", 1)[1] for entrypoint, whose in absent if whose == name)
        yield missing("deployments", f"not there for {name}: {what}", _deploy(name, prefect_file))
    asleep = [
        f"{entrypoint.rsplit('.', 1)[1]}/{name}"
        for entrypoint, name, scheduled in wanted
        if scheduled and _sleeps(known.get((entrypoint, name)))
    ]
    if asleep:
        todo = "switch their schedules on: prefect deployment schedule ls NAME, then resume"
        yield warning("schedules", f"off: {', '.join(asleep)}", todo)
    if not absent:
        yield ok("deployments", f"all {len(wanted)}")


def _automations(prefect_file: Path) -> Iterator[Finding]:
    """Look whether alerts are delivered, silence would be noticed, and answers are acted on at once."""
    with _api() as api:
        there = _all(api, "/automations/filter")
    enabled = {one["name"]: one["enabled"] for one in there}
    if not any(_OURS in one["tags"] for one in there):
        yield missing("automations", "none of ours", "headgate automations")
        return
    deaf = [service for service in _services() if f"headgate silence {service}" not in enabled]
    if deaf:
        found = f"nobody would notice if the ticks of {', '.join(deaf)} stopped"
        yield missing("automations", found, "headgate automations")
    triggers = [name for name in _triggers(prefect_file) if name not in enabled]
    if triggers:
        yield missing("automations", f"not there: {'; '.join(triggers)}", "prefect --no-prompt deploy --all")
    if off := sorted(name for name, on in enabled.items() if not on):
        yield warning("automations", f"off: {'; '.join(off)}", "switch them on in the UI under Automations")
    if not deaf and not triggers and not off:
        yield ok("automations", f"{len(enabled)} on")


def _triggers(prefect_file: Path) -> list[str]:
    if not prefect_file.is_file():
        return []
    entries = yaml.safe_load(prefect_file.read_text(encoding="utf-8"))["deployments"]
    return [trigger["name"] for entry in entries for trigger in entry.get("triggers") or ()]


def _names(entry: dict[str, Any]) -> list[str]:
    """Return the name of a deployment; of one that is bound to a service, that of every open service."""
    services = _services()
    bound = any(str(tag).startswith("service:") for tag in entry.get("tags", ()))
    return services if bound and services else [str(entry["name"])]


def _services() -> list[str]:
    """Return the services with a rollout that is not over; none where the store cannot be asked."""
    try:
        return sorted({rollout.service for rollout in open_rollouts()})
    except HeadgateError:
        return []


def _deploy(name: str, file: Path) -> str:
    if name in file.read_text(encoding="utf-8"):
        return "prefect --no-prompt deploy --all"
    return f"the head of {file.name} says how to copy it for {name}"


def _sleeps(deployment: dict[str, Any] | None) -> bool:
    if deployment is None:
        return False  # told already
    active = any(schedule["active"] for schedule in deployment["schedules"])
    return bool(deployment["paused"]) or not active


def _all(api: httpx.Client, path: str) -> list[dict[str, Any]]:
    """Return every object that a filter finds, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = api.post(path, json={"offset": len(found), "limit": 200}).raise_for_status().json()
        found += page
        if len(page) < 200:
            return found


def _api() -> httpx.Client:
    url = PREFECT_API_URL.value()
    if not url:
        raise HeadgateError(
            "asked PREFECT_API_URL for Prefect's server; found nothing; set it, e.g. "
            "http://127.0.0.1:4200/api"
        )
    secret = PREFECT_API_AUTH_STRING.value()
    user, _, word = secret.get_secret_value().partition(":") if secret else ("", "", "")
    return httpx.Client(base_url=url, timeout=_PATIENCE_S, auth=(user, word) if secret else None)
