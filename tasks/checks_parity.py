"""What a doctor looks at of parity: whether there is a record, and whether the server tells its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from headgate.adapters import store
from headgate.adapters.goldens import as_served, golden_of, ref_of
from headgate.adapters.models import metadata_of
from headgate.errors import HeadgateError, ModelError
from headgate.parity import Golden
from headgate.parity.wire import FINGERPRINT
from headgate.plan import Plan
from headgate.plan.parity import ParityCheck
from headgate.ports import Side
from tasks import wiring
from tasks.checks_here import open_rollouts
from tasks.checkup import Finding, missing, ok, warning

_DOCS = "docs/parity.md"


def golden_examples() -> Iterator[Finding]:
    """Look at the models that open plans with a key `parity` ask for; no golden example is sent."""
    for rollout in open_rollouts():
        engine = wiring.build().engine
        plan, last = store.plan_of(engine, rollout.plan_hash), store.last_tick(engine, rollout.id)
        if plan.parity is None:
            continue
        frozen = last.state.versions if last is not None else None
        for side in map(Side, plan.parity.of):
            version = frozen[side is Side.CANDIDATE] if frozen else ref_of(plan, side).version
            yield _of(f"parity of {rollout.id}, {side.value}", as_served(plan, side, version), side)


def _of(what: str, plan: Plan, side: Side) -> Finding:
    asked = plan.parity or ParityCheck()
    wired = wiring.build()
    try:
        golden = golden_of(asked, ref_of(plan, side), wired.shelf, wired.settings.home)
    except HeadgateError as err:
        return missing(what, str(err), f"how to record one: {_DOCS}")
    recorded = f"{golden.rows} golden examples of {golden.version}"
    if asked.compare == "answers":
        return ok(what, f"{recorded}; the answers alone are compared")
    if golden.recipe is None:
        todo = f"write `compare: answers`, or record it from a server that tells its steps ({_DOCS})"
        return missing(what, f"{recorded}; the record knows nothing of its steps", todo)
    return _told(what, plan, side, golden, recorded)


def _told(what: str, plan: Plan, side: Side, golden: Golden, recorded: str) -> Finding:
    """Hold what the server says of itself against the record."""
    try:
        about = asyncio.run(metadata_of(plan, ref_of(plan, side)))
    except ModelError:
        return ok(what, recorded)  # that it does not answer is told of the models
    told = about.parameters.get(FINGERPRINT)
    if not isinstance(told, str) or not told:
        todo = f"let its metadata tell them, or write `compare: answers` ({_DOCS})"
        return warning(what, f"{recorded}; {ref_of(plan, side).url} tells nothing of its steps", todo)
    if told != golden.fingerprint:
        found = f"{recorded}, with steps {(golden.fingerprint or '')[:12]}; its server tells {told[:12]}"
        return warning(what, found, f"`headgate parity check PLAN --side {side.value}` names the difference")
    return ok(what, f"{recorded}; its server tells the recorded steps")
