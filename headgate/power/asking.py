"""The forecast of one plan: three kinds of candidates, made up many times, judged as real ones are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np

from headgate.gates.questions import Question
from headgate.plan.applies import RATES, carries
from headgate.plan.model import Plan
from headgate.power.advice import advise, refuse, split_shares
from headgate.power.assumptions import Assumptions
from headgate.power.climb import Stayed, climb
from headgate.power.course import HOURS_A_DAY, Runs, first
from headgate.power.courses import Courses, questions_at
from headgate.power.forecast import (
    Forecast,
    GateForecast,
    MarginForecast,
    StepForecast,
    WorldForecast,
)
from headgate.power.guesses import told
from headgate.power.operation import requests_per_day
from headgate.power.spread import spread
from headgate.power.worlds import World, in_words, true_rate
from headgate.routing import FULL_BP
from headgate.stats.betting import FloatArray

HOUR = timedelta(hours=1)

Progress = Callable[[str], None]


def forecast(
    plan: Plan,
    known: Assumptions,
    start: datetime,
    runs: Runs | None = None,
    progress: Progress = lambda _done: None,
) -> list[Forecast]:
    """Return the forecast of a plan; one per slice where it has slices.

    Parameters
    ----------
    plan
        A plan that passed the lint.
    known
        What is known about traffic and models; the rest is guessed, and the forecast says so.
    start
        When the rollout would open (aware UTC); decides what the calendar costs.
    runs
        How many made-up rollouts, and their seed.
    progress
        Told what is being done.

    Raises
    ------
    InputError
        If something is needed that can neither be found nor guessed.
    """
    runs = runs or Runs()
    start = start.replace(minute=0, second=0, microsecond=0)
    return [
        _of_slice(plan, name, known.of_slice(plan, name), start, runs, progress) for name in plan.slice_names
    ]


def _of_slice(
    whole: Plan, name: str, known: Assumptions, start: datetime, runs: Runs, progress: Progress
) -> Forecast:
    plan = whole.of_slice(name)
    worlds = []
    for world in (World.EQUAL, World.BETTER):
        progress(f"{name}: {runs.count} rollouts of a candidate that is {world.value}")
        courses = Courses(plan, known, world, runs)
        worlds.append(_world(courses, climb(courses, start)))
    progress(f"{name}: candidates just at a margin")
    margins = _at_margin(plan, known, runs)
    progress(f"{name}: from which share gates can be proved")
    shares = split_shares(plan, known, runs)
    better = worlds[-1]
    return Forecast(
        plan=whole.name,
        plan_hash=whole.hash,
        slice=name,
        start=start,
        runs=runs.count,
        seed=runs.seed,
        assumptions=told(known, whole),
        worlds=tuple(worlds),
        at_margin=tuple(margins),
        shares=tuple(shares),
        advice=tuple(advise(plan, known, better, shares)),
        refusals=tuple(refuse(plan, known, better, shares, runs)),
    )


def _world(courses: Courses, story: list[Stayed]) -> WorldForecast:
    plan, known, world = courses.plan, courses.known, courses.world
    asked = {q.name: q for step in plan.steps for q in questions_at(plan, known, step.share_bp)}
    ended = story[-1].left
    return WorldForecast(
        world=world.value,
        means={name: in_words(q.gate, q.limit, world, known) for name, q in asked.items()},
        promoted=float(np.isfinite(ended).mean()),
        days=spread(ended / HOURS_A_DAY),
        steps=tuple(_step(done, courses) for done in story),
    )


def _step(done: Stayed, courses: Courses) -> StepForecast:
    here = np.isfinite(done.entered)
    name, held_by = _bottleneck(done)
    return StepForecast(
        name=done.stay.name,
        percent=done.stay.share_bp * 100 / FULL_BP,
        days=spread((done.left - np.where(here, done.entered, 0))[here] / HOURS_A_DAY),
        until=spread(done.left / HOURS_A_DAY),
        entered=float(here.mean()),
        left=float(np.isfinite(done.left).mean()),
        bottleneck=name,
        held_by=held_by,
        gates=tuple(_gate(done, courses, gate) for gate in done.units),
    )


def _gate(done: Stayed, courses: Courses, name: str) -> GateForecast:
    here = np.isfinite(done.entered)
    known, share_bp = courses.known, done.stay.share_bp
    rate = next((g for g in courses.plan.all_gates if g.name == name and g.metric in RATES), None)
    events = None
    if rate is not None:
        events = true_rate(rate, courses.world, known) * requests_per_day(rate, known, share_bp)
    return GateForecast(
        gate=name,
        unit=done.units[name],
        samples=spread(_or_never(done.samples[name][here])),
        days=spread(_or_never(done.waits[name][here]) / HOURS_A_DAY),
        proved=float(np.isfinite(done.waits[name][here]).mean()) if here.any() else 0.0,
        events_per_day=events,
    )


def _bottleneck(done: Stayed) -> tuple[str, float]:
    """Return what held the stay last in most runs, and in which share of them."""
    here = np.isfinite(done.entered)
    if not here.any():
        return "", 0.0
    names = list(done.waits)
    last = np.stack([done.waits[name][here] for name in names]).argmax(axis=0)
    counts = np.bincount(last, minlength=len(names))
    return names[int(counts.argmax())], float(counts.max() / counts.sum())


def _or_never(values: FloatArray) -> FloatArray:
    return np.where(np.isnan(values), np.inf, values)


def _at_margin(plan: Plan, known: Assumptions, runs: Runs) -> list[MarginForecast]:
    """Return for each gate what becomes of a candidate that is just bad on it and fine otherwise."""
    courses = Courses(plan, known, World.AT_MARGIN, runs)
    found: dict[str, MarginForecast] = {}
    for step in plan.steps:
        for question in questions_at(plan, known, step.share_bp):
            if question.applies and question.name not in found:
                found[question.name] = _margin(courses, question, step.share_bp)
    return list(found.values())


def _margin(courses: Courses, question: Question, share_bp: int) -> MarginForecast:
    plan = courses.plan
    length = plan.deadline.rollout if carries(question.gate, plan) else plan.deadline.step
    course = courses.of(question, share_bp, length / HOUR)
    within = course.closing() <= plan.deadline.step / HOUR
    passed, harmed = first(course.passes(question) & within), first(course.rolls_back(question) & within)
    stuck = min(course.batches, len(within))
    closing = np.append(course.closing(), np.inf)
    wrongly = (passed < stuck) & (passed < harmed)
    ended = (harmed < stuck) & ~wrongly
    return MarginForecast(
        gate=question.name,
        percent=share_bp * 100 / FULL_BP,
        means=in_words(question.gate, question.limit, World.AT_MARGIN, courses.known),
        wrongly=float(wrongly.mean()),
        rolled_back=float(ended.mean()),
        expired=float((~wrongly & ~ended).mean()),
        days=spread(np.where(ended, closing[harmed], np.inf) / HOURS_A_DAY),
    )
