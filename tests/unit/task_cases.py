"""Rollouts as a tick finds them, in a store of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from headgate.adapters import store
from headgate.plan import Plan
from headgate.rollout.state import Phase, State
from tasks import wiring
from tasks.ledger import Case, case_of
from tests.builders import APRIL, plan

OPENED_BY = "operator@example.org"


def opened(at: Any = APRIL, **changes: Any) -> Case:
    """Open a rollout of the small plan with these keys changed."""
    of: Plan = plan(**changes)
    return case_of(store.open_rollout(wiring.build().engine, of, at, OPENED_BY))


def standing_at(case: Case, phase: Phase, **fields: Any) -> Case:
    """Return the case as if its last row had it in this phase, with these fields of its state."""
    state: State = replace(case.state, phase=phase, **fields)
    return replace(case, last=replace(case.last, state=state))
