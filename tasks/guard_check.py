"""Whether the guards of a service run the plan of its rollout: another one's contract would be another's."""

from __future__ import annotations

from http import HTTPStatus

import httpx

from headgate.adapters.settings import masked
from headgate.plan import Plan
from headgate.rollout.state import Check
from tasks import wiring

#: Seconds that a guard may take to tell which plan it runs.
PATIENCE = 3.0


def guard_checks(plan: Plan) -> tuple[Check, ...]:
    """Return a check where the settings name guards of the service; a guard that is not so far is waited for.

    It says nothing about the candidate, so it never fails a rollout.
    """
    urls = wiring.read_settings().guard_urls.get(plan.service, ())
    if not urls:
        return ()
    others = [found for url in urls if (found := otherwise(url, plan)) is not None]
    if others:
        return (Check("guard", passed=None, reason="; ".join(others)),)
    of_all = "the guard runs" if len(urls) == 1 else f"all {len(urls)} guards run"
    return (Check("guard", passed=True, reason=f"{of_all} this plan"),)


def otherwise(url: str, plan: Plan) -> str | None:
    """Return in what this guard is not as the plan asks; None where it is."""
    shown = masked(url)
    try:
        # Without TLS there is nothing to verify, and loading the authorities takes long.
        with httpx.Client(verify=url.startswith("https"), timeout=PATIENCE) as client:
            response = client.get(f"{url.rstrip('/')}/v2/guard")
        told = response.json() if response.status_code == HTTPStatus.OK else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as err:
        return f"the guard at {shown} does not answer ({type(err).__name__}): start it with this plan"
    if not isinstance(told, dict) or "plan_hash" not in told:
        return f"at {shown} no guard answers (HTTP {response.status_code}): correct HEADGATE_GUARD_URLS"
    if told["plan_hash"] == plan.hash:
        return None
    runs = f"{str(told.get('plan'))[:60]} ({str(told['plan_hash'])[:12]})"
    return (
        f"the guard at {shown} runs the plan {runs}, not {plan.name} ({plan.hash[:12]}): start it anew with "
        "this plan"
    )
