"""What must hold before the candidate sees its first request, and what is frozen by then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from headgate.adapters import store
from headgate.contract import check
from headgate.errors import HeadgateError, PlaneUnavailable
from headgate.evidence import EvidenceRow
from headgate.plan.model import ALL, Segments
from headgate.plan.planes import PLANES, measured_on_a_mirror
from headgate.rollout.ranking import prospects_of, rank_words
from headgate.rollout.state import Check
from headgate.routing import HASH
from headgate.tables import clean_requests
from headgate.tables.slices import slice_of
from tasks import wiring
from tasks.evidence import SEGMENTS, fact_of
from tasks.guard_check import guard_checks
from tasks.ledger import Case
from tasks.load_check import load_checks
from tasks.signing import signed_checks
from tasks.traffic import route_of

#: How much history before the rollout the checks look at.
LOOK_BACK = timedelta(days=28)


def preflight(case: Case, versions: tuple[str | None, str | None], now: datetime) -> tuple[Check, ...]:
    """Make every check; one that cannot be made has failed, and says why.

    Freezes the segments above the floor, by their shares of the requests in the look-back.
    """
    checks = [
        _version(case, side, found) for side, found in zip(("incumbent", "candidate"), versions, strict=True)
    ]
    checks.append(_made("plane", lambda: _plane(case)))
    checks += guard_checks(case.plan)
    history = _history(case)
    if isinstance(history, Check):
        return (*checks, history, *load_checks(case, now), *signed_checks(case, now))
    checks.append(_made("requests", lambda: _requests(case, history)))
    checks.append(_made("outcomes", lambda: _outcomes(case)))
    if case.plan.slices:
        checks.append(_made("slices", lambda: _slices(case, history)))
    if case.plan.segments:
        checks.append(_made("segments", lambda: _segments(case, history, now)))
    return (*checks, *load_checks(case, now), *signed_checks(case, now))


def _made(name: str, make: Callable[[], Check]) -> Check:
    try:
        return make()
    except HeadgateError as err:
        return Check(name, passed=False, reason=str(err))


def _version(case: Case, side: str, found: str | None) -> Check:
    asked = getattr(case.plan, side).version
    if found is None:
        return Check(
            side, passed=None, reason=f"its server does not answer at {getattr(case.plan, side).url}"
        )
    if found != asked:
        return Check(
            side, passed=False, reason=f"the plan asks version {asked}; its server answers as {found}"
        )
    return Check(side, passed=True, reason=f"the {side} answers as {found}")


def _plane(case: Case) -> Check:
    plane = wiring.build().plane_of(case.rollout.service)
    can = plane.capabilities()
    if can.kind in PLANES and can.kind != case.plan.plane.kind:
        reason = (
            f"the plan asks for {case.plan.plane.kind}; the callers of {case.rollout.service} are served by "
            f"{can.kind}; write `plane: {{kind: {can.kind}}}`, or put the other one there (docs/traffic.md)"
        )
        return Check("plane", passed=False, reason=reason)
    if can.hash != HASH:
        reason = f"{can.kind} assigns by {can.hash}; guard, backtest and provider by {HASH}"
        return Check("plane", passed=False, reason=reason)
    if measured_on_a_mirror(case.plan) and not can.mirror:
        return Check("plane", passed=False, reason=f"a gate needs a mirror; {can.kind} has none")
    if case.plan.slices and not can.slices:
        return Check("plane", passed=False, reason=f"the plan has slices; {can.kind} knows none")
    ramps = [case.plan.steps, *(part.steps for part in case.plan.slices)]
    fine = [step.percent for steps in ramps for step in steps if step.share_bp % can.step_bp]
    if fine:
        return Check("plane", passed=False, reason=f"{can.kind} cannot set {fine} %")
    try:
        plane.reconcile(route_of(case, case.state))
        plane.observe()
    except PlaneUnavailable as err:
        return Check("plane", passed=None, reason=str(err))  # says nothing about the candidate: wait for it
    return Check("plane", passed=True, reason=f"{can.kind} is up")


def _history(case: Case) -> pa.Table | Check:
    start = case.state.opened_at - LOOK_BACK
    try:
        return wiring.build().lake.read_requests(case.plan, start, case.state.opened_at)
    except HeadgateError as err:
        return Check("requests", passed=False, reason=str(err))


def _requests(case: Case, history: pa.Table) -> Check:
    if not history.num_rows:
        return Check(
            "requests",
            passed=False,
            reason=f"no request in the {LOOK_BACK.days} days before; is requests.path the live log?",
        )
    rejected = 0
    if case.plan.input:
        usable = clean_requests(history, case.plan).table
        rejected = usable.num_rows - int(check(usable, case.plan.input).mask_ok.sum())
    return Check(
        "requests",
        passed=True,
        reason=f"{history.num_rows} requests in {LOOK_BACK.days} days, {rejected} outside the contract, "
        f"{wiring.build().lake.undated_requests(case.plan)} in all without a time",
    )


def _outcomes(case: Case) -> Check:
    opened = case.state.opened_at
    found = wiring.build().lake.read_outcomes(case.plan, known_before=opened, known_after=opened - LOOK_BACK)
    return Check("outcomes", passed=True, reason=f"{found.num_rows} outcomes in {LOOK_BACK.days} days")


def _slices(case: Case, history: pa.Table) -> Check:
    """Say how many requests each slice has, and which one the earlier evidence would let go first."""
    counts = Counter(slice_of(case.plan, history).to_pylist())
    empty = [name for name in case.plan.slice_names if not counts[name]]
    if empty:
        return Check(
            "slices",
            passed=False,
            reason=f"no request of the {LOOK_BACK.days} days before is in {', '.join(empty)}; "
            "a slice without requests never proves anything: correct its `where`, or remove it",
        )
    shares = {name: counts[name] / history.num_rows for name in case.plan.slice_names}
    order = rank_words(prospects_of(case.plan, _earlier_evidence(case), shares))
    return Check("slices", passed=True, reason=f"slices by value and risk: {'; '.join(order.values())}")


def _earlier_evidence(case: Case) -> list[EvidenceRow]:
    """Return the evidence of the service's last rollout before this one that had the very same slices."""
    engine = wiring.build().engine
    asked = [(part.name, part.where) for part in case.plan.slices]
    for rollout in reversed(store.rollouts(engine, case.rollout.service)):
        if rollout.id == case.rollout.id:
            continue
        slices = store.plan_of(engine, rollout.plan_hash).slices
        if [(part.name, part.where) for part in slices] == asked:
            return store.evidence(engine, rollout.id)
    return []


def _segments(case: Case, history: pa.Table, now: datetime) -> Check:
    """Freeze the segments above the floor, within every slice by its own requests."""
    asked = case.plan.segments
    assert asked is not None  # noqa: S101 - the caller looked
    engine, told = wiring.build().engine, []
    whose = slice_of(case.plan, history)
    for name in case.plan.slice_names:
        frozen = _above_the_floor(asked, history.filter(pc.equal(whose, name)))
        kept = store.freeze(engine, case.rollout.id, fact_of(SEGMENTS, name), frozen, now)
        listed = "; ".join(
            f"{column}: {', '.join(values) or 'none above the floor'}" for column, values in kept.items()
        )
        told.append(listed if name == ALL else f"{name}: {listed}")
    return Check("segments", passed=True, reason=f"segments frozen: {'; '.join(told)}")


def _above_the_floor(asked: Segments, history: pa.Table) -> dict[str, list[str]]:
    frozen: dict[str, list[str]] = {}
    for column in asked.by:
        counts = pc.value_counts(history[column].cast(pa.string())).to_pylist()
        least = asked.floor * history.num_rows
        frozen[column] = sorted(
            c["values"] for c in counts if c["values"] is not None and c["counts"] >= least
        )
    return frozen
