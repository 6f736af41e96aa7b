"""What the people a plan names must be like: who signs, who is told, who is asked next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from headgate.plan.durations import as_duration
from headgate.plan.finding import Finding, show
from headgate.plan.model import Plan
from headgate.readiness import ROLE

_ROUTE = re.compile(r"https?://[^/\s]+\S*|block:[a-z0-9-]+/[a-z0-9-]+")


def sign_off_roles_are_unique(plan: Plan) -> Iterator[Finding]:
    """Refuse a role that is asked for twice, or is called as the questionnaire is."""
    seen: set[str] = set()
    for i, signoff in enumerate(plan.signoffs):
        path = ("signoffs", i, "role")
        if signoff.role in seen:
            yield Finding(path, "a role of its own", f"{show(signoff.role)} again", "remove one of them")
        if signoff.role == ROLE:
            todo = f"give the role another name; the questionnaire itself is asked for by `{ROLE}: {{}}`"
            yield Finding(path, f"a role other than {ROLE}", show(signoff.role), todo)
        seen.add(signoff.role)


def signatures_hold_for_a_time(plan: Plan) -> Iterator[Finding]:
    """Refuse a signature that is over as soon as it is given."""
    spans = {("signoffs", i, "valid"): signoff.valid for i, signoff in enumerate(plan.signoffs)}
    if plan.questionnaire:
        spans |= {("questionnaire", "valid"): plan.questionnaire.valid}  # type: ignore[dict-item]
    for path, span in spans.items():
        if span <= timedelta(0):
            yield Finding(path, "a duration above 0", "0s", "write for how long it holds, e.g. 90d")


def escalation_goes_up_in_time(plan: Plan) -> Iterator[Finding]:
    """Ask whoever comes next later than whoever came before."""
    for i, (here, there) in enumerate(pairwise(plan.escalation)):
        if there.after <= here.after:
            asked = f"more than the {as_duration(here.after)} of the entry before"
            todo = "order the entries by time, and give each a time of its own"
            yield Finding(("escalation", i + 1, "after"), asked, as_duration(there.after), todo)


def messages_go_where_they_can_be_sent(plan: Plan) -> Iterator[Finding]:
    """Refuse a route that is neither an address of the web nor a block of Prefect."""
    for i, notice in enumerate(plan.notify):
        if not _ROUTE.fullmatch(notice.to):
            asked = "an address like https://hooks.example.org/rollouts, or block:<type>/<name>"
            todo = "give a webhook's address, or a Prefect block, e.g. block:slack-webhook/on-call"
            yield Finding(("notify", i, "to"), asked, show(notice.to), todo)
