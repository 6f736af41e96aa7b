"""Who serves, under which plan, and where its answers are: what the monitor of a service looks at."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from headgate.adapters import store
from headgate.adapters.models import HttpModel, client_for
from headgate.adapters.served import ServedWindow, as_served, serve
from headgate.adapters.store import monitoring
from headgate.errors import InputError, ModelUnavailable
from headgate.performance import Kind, Monitored, Question, question_of
from headgate.plan.model import ModelRef, Plan
from headgate.plan.renewal import DriftWatch
from headgate.ports import Side
from headgate.rollout.slices import outcome_of
from headgate.rollout.state import Outcome
from tasks import wiring
from tasks.closing import caps_of
from tasks.direct import task
from tasks.evidence import segments_of
from tasks.ledger import Case, case_of
from tasks.retrying import OUTSIDE

#: Before a model serves alone, so much of what it answered is what its own windows are held against.
LEARNING = timedelta(days=28)


@dataclass(frozen=True)
class Watched:
    """A service, the model that serves it, and the plan that says how it is watched.

    Attributes
    ----------
    rollout
        Whose plan that is: the last one that was promoted; before any was, the newest.
    ref
        The model that serves.
    since
        From when on it serves alone; what came before is learnt from.
    under_way
        The rollout is not done: the model is about to be replaced, and its gates judge.
    """

    service: str
    rollout: store.Rollout
    plan: Plan
    watch: DriftWatch
    ref: ModelRef
    since: datetime
    under_way: bool
    segments: Mapping[str, tuple[str, ...]]
    question: Question | None

    @property
    def version(self) -> str:
        """Version of the model that serves."""
        return self.ref.version

    @property
    def owner(self) -> str:
        """Name of the folder in which this model's answers and profiles are kept."""
        return f"served {self.service} {self.version}"


@task(name="find who serves", **OUTSIDE)
def find_served(service: str) -> Watched | None:
    """Return what the monitor of a service looks at; None where its plan has no key ``drift``.

    Raises
    ------
    InputError
        If no rollout of this service was ever opened: nobody knows its models then.
    """
    engine = wiring.build().engine
    rollouts = store.rollouts(engine, service)
    if not rollouts:
        known = ", ".join(store.services(engine)) or "none"
        raise InputError(
            f"asked to watch the service {service!r}; no rollout of it was ever opened; there are: {known}; "
            "open one with `headgate start PLAN`: its plan says which model serves"
        )
    cases = [case_of(one) for one in rollouts]
    promoted = [one for one in cases if _outcome(one) is Outcome.PROMOTED]
    case = (promoted or cases)[-1]
    if case.plan.drift is None:
        return None
    ref = case.plan.candidate if promoted else case.plan.incumbent
    ended = max(tick.at for tick in (case.last, *case.beside))
    begun = [one.rollout.opened_at for one in cases if one.plan.incumbent.version == ref.version]
    return Watched(
        service=service,
        rollout=case.rollout,
        plan=case.plan,
        watch=case.plan.drift,
        ref=ref,
        since=ended if promoted else begun[0],
        under_way=not case.rollout.done,
        segments=_segments(case),
        question=question_of(case.plan, caps_of(case, ended)),
    )


@dataclass(frozen=True)
class Past:
    """What was found out so far about the model that serves, in order of time."""

    windows: tuple[Monitored, ...] = ()
    cohorts: tuple[Monitored, ...] = ()

    @property
    def full(self) -> tuple[Monitored, ...]:
        """The windows in which requests came."""
        return tuple(one for one in self.windows if one.body["rows"])


def past_of(watched: Watched) -> Past:
    """Return what was found out so far about the model that serves."""
    engine, service, version = wiring.build().engine, watched.service, watched.version
    windows, cohorts = (
        tuple(monitoring.history(engine, service, kind, version=version))
        for kind in (Kind.WINDOW, Kind.COHORT)
    )
    return Past(windows, cohorts)


def answers_of(watched: Watched, since: datetime, until: datetime) -> pa.Table:
    """Return what the model answered to the requests of a window, as `headgate.performance.SERVED`.

    Shadow windows of rollouts have its answers, as candidate or as incumbent. Where they do not, it is asked
    again, off the answer path, and what it says is kept: the same window twice asks once.

    Raises
    ------
    ModelUnavailable
        If it does not answer most of them: a later run asks again.
    """
    lake, name = wiring.build().lake, window_name(since, until)
    kept = lake.find_exchanges(watched.owner, name)
    if kept is not None:
        return kept.table
    shadowed = _shadowed(watched, since, until)
    if shadowed is not None:
        return shadowed
    requests = lake.read_requests(watched.plan, since, until)
    asked = asyncio.run(_ask(watched, requests))
    answered = asked.counts.get("ok", 0)
    if asked.table.num_rows and answered < asked.table.num_rows / 2:
        raise ModelUnavailable(
            f"asked {watched.ref.url} for the {asked.table.num_rows} requests of {name}; it answered "
            f"{answered}; nothing was kept: mend its server, and the next run asks again"
        )
    return lake.keep_exchanges(watched.owner, name, asked.table, asked.counts).table


def window_name(since: datetime, until: datetime) -> str:
    """Return the name of a window's files."""
    return f"{since:%Y-%m-%dT%H%M}Z_{until:%Y-%m-%dT%H%M}Z"


def _shadowed(watched: Watched, since: datetime, until: datetime) -> pa.Table | None:
    """Return the answers of the model that a rollout's shadow windows have for all of this span."""
    wired = wiring.build()
    by = watched.plan.segments.by if watched.plan.segments else ()
    for rollout in reversed(store.rollouts(wired.engine, watched.service)):
        plan = store.plan_of(wired.engine, rollout.plan_hash)
        sides = {plan.candidate.version: Side.CANDIDATE, plan.incumbent.version: Side.INCUMBENT}
        side = sides.get(watched.version)
        if side is None or plan.slices or not _covers(store.windows(wired.engine, rollout.id), since, until):
            continue
        exchanges = wired.lake.read_exchanges(rollout.id, since, until)
        if {f"seg_{column}" for column in by} <= set(exchanges.column_names):
            return as_served(exchanges, side, by)
    return None


def _covers(windows: list[store.Window], since: datetime, until: datetime) -> bool:
    reached = since
    for window in windows:
        if window.start <= reached < window.end:
            reached = window.end
    return reached >= until


async def _ask(watched: Watched, requests: pa.Table) -> ServedWindow:
    plan = watched.plan
    async with client_for(watched.ref) as client:
        model = HttpModel(watched.ref, plan.serving, plan.answers, client, contract=plan.input)
        return await serve(requests, plan, model, watched.version)


def _outcome(case: Case) -> Outcome | None:
    return outcome_of(case.states) if case.rollout.done else None


def _segments(case: Case) -> dict[str, tuple[str, ...]]:
    """Return the segments that preflight froze; of several slices those of all."""
    found: dict[str, list[str]] = {}
    for one in (case, *case.each_open()):
        for column, values in segments_of(one).items():
            found[column] = list(dict.fromkeys([*found.get(column, []), *values]))
    return {column: tuple(values) for column, values in found.items()}
