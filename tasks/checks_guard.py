"""What a doctor looks at of the guards."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.adapters import store
from headgate.adapters.settings import masked
from tasks import wiring
from tasks.checks_here import open_rollouts
from tasks.checkup import Finding, missing, ok
from tasks.guard_check import otherwise


def guards() -> Iterator[Finding]:
    """Look whether the guards that the settings name run the plans of the rollouts under way."""
    urls = wiring.read_settings().guard_urls
    for rollout in open_rollouts() if urls else ():
        if rollout.token is None:  # it waits for another one of its service
            continue
        plan = store.plan_of(wiring.build().engine, rollout.plan_hash)
        for url in urls.get(rollout.service, ()):
            what, found = f"guard of {rollout.service}", otherwise(url, plan)
            if found is None:
                yield ok(what, f"{masked(url)} runs the plan of {rollout.id}")
            else:
                yield missing(what, found, "`headgate guard serve` with the file of that plan")
