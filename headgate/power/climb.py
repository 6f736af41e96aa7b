"""Many made-up rollouts climb the same plan: dwell, labels, proofs, calendar, deadlines.

A tick an hour. Approvals are granted at once, preflight takes no time, nothing is paused, and no false
roll back is counted (their chance is at most the plan's ``roll_back_fine``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

import numpy as np
from numpy.typing import NDArray

from headgate.gates.questions import Question
from headgate.plan.applies import carries, needs_labels
from headgate.plan.calendar import OpenHours
from headgate.plan.model import Plan
from headgate.power.course import BoolArray, Course
from headgate.power.courses import Courses, questions_at
from headgate.stats.betting import FloatArray

HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTERS = 4
#: What can hold a step besides its gates.
DWELL, LABELS, CALENDAR = "dwell", "labels", "calendar"
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay of the ramp: a step, or the watch after the last one."""

    name: str
    share_bp: int
    dwell: float
    rises: bool
    watch: bool


@dataclass(frozen=True, slots=True, eq=False)
class Stayed:
    """What R runs did on one stay; hours, infinite where a run never got there or never left.

    Attributes
    ----------
    entered, left
        Hours since the rollout began, shape (R,).
    waits
        Per gate (and dwell, labels, calendar) the hours after entry at which it stopped holding, (R,).
    samples
        Per gate the units counted by then, shape (R,); NaN where it never passed.
    """

    stay: Stay
    entered: FloatArray
    left: FloatArray
    waits: dict[str, FloatArray]
    samples: dict[str, FloatArray]
    units: dict[str, str]


def stays(plan: Plan) -> list[Stay]:
    """Return the steps of a ramp and the watch."""
    last = len(plan.steps) - 1
    found = [
        Stay(f"{step.percent:g} %", step.share_bp, step.dwell / HOUR, i < last, watch=False)
        for i, step in enumerate(plan.steps)
    ]
    return [*found, Stay("watch", plan.steps[last].share_bp, plan.watch / HOUR, rises=False, watch=True)]


def open_hours(plan: Plan, start: datetime, hours: int) -> BoolArray:
    """Return for each hour since the start whether the share may rise in it (at any quarter)."""
    calendar = OpenHours.of(plan.calendar)
    quarter = HOUR / _QUARTERS
    return np.array(
        [
            any(calendar.is_open(start + h * HOUR + q * quarter) for q in range(_QUARTERS))
            for h in range(hours)
        ]
    )


def climb(courses: Courses, start: datetime) -> list[Stayed]:
    """Return what every run did on every stay.

    Parameters
    ----------
    courses
        Of one plan (of one slice) in one world.
    start
        When the rollout begins (aware UTC); a whole hour.
    """
    plan = courses.plan
    most = ceil(plan.deadline.rollout / HOUR)
    is_open = open_hours(plan, start, most + 1)
    entered = np.zeros(courses.runs.count)
    story = []
    for stay in stays(plan):
        done = _live(courses, stay, entered, start, is_open)
        story.append(done)
        entered = done.left
    return story


def _live(courses: Courses, stay: Stay, entered: FloatArray, start: datetime, is_open: BoolArray) -> Stayed:
    plan = courses.plan
    hours = min(ceil(plan.deadline.step / HOUR), ceil(plan.deadline.rollout / HOUR))
    here = np.isfinite(entered)
    since = np.where(here, entered, 0).astype(np.int64)
    offsets = np.arange(hours + 1)
    asked = [q for q in questions_at(plan, courses.known, stay.share_bp) if q.applies]
    conditions = {DWELL: np.broadcast_to(offsets >= stay.dwell, (len(since), hours + 1))}
    if (stay.rises or stay.watch) and any(needs_labels(q.gate) for q in asked):
        ready = _labels_ready(plan, stay, since, start)
        conditions[LABELS] = since[:, None] + offsets >= ready[:, None]
    counts: dict[str, tuple[Course, Ints]] = {}
    for question in asked:
        course, counted = _seen(courses, question, stay, since, offsets, start)
        passes = np.pad(course.passes(question), ((0, 0), (1, 0)))
        conditions[question.name] = np.take_along_axis(passes, counted, axis=1)
        counts[question.name] = course, counted
    if stay.rises:
        conditions[CALENDAR] = is_open[np.minimum(since[:, None] + offsets, len(is_open) - 1)]
    together = np.logical_and.reduce(list(conditions.values()))
    in_time = since[:, None] + offsets < len(is_open)
    at = _first(together & in_time)
    waits = {name: np.where(here, _first(met), np.nan) for name, met in conditions.items()}
    return Stayed(
        stay,
        entered,
        np.where(here, entered + at, np.inf),
        waits,
        {name: _samples(*counts[name], waits[name]) for name in counts},
        {name: course.unit for name, (course, _) in counts.items()},
    )


def _seen(
    courses: Courses, question: Question, stay: Stay, since: Ints, offsets: Ints, start: datetime
) -> tuple[Course, Ints]:
    """Return a question's course and how many of its batches count at each hour of the stay, (R, H)."""
    plan = courses.plan
    deadline = plan.deadline
    if carries(question.gate, plan):
        course = courses.of(question, stay.share_bp, deadline.rollout / HOUR)
        return course, course.counted(since[:, None] + offsets + _into_block(course, start))
    course = courses.of(question, stay.share_bp, deadline.step / HOUR)
    if course.span == 1.0:
        return course, np.broadcast_to(course.counted(offsets), (len(since), len(offsets)))
    # Blocks that began before the plane confirmed the share do not count.
    into = (since + _into_block(course, start)) % course.span
    begins = np.where(into > 0, course.span - into, 0)
    return course, course.counted(offsets - begins[:, None])


def _into_block(course: Course, start: datetime) -> float:
    """Return how far into a block the rollout begins, hours; the block it begins in counts."""
    return ((start - _EPOCH) / HOUR) % course.span


def _labels_ready(plan: Plan, stay: Stay, since: Ints, start: datetime) -> FloatArray:
    """Return when the labels of a stay's cohort are complete, hours since the start, shape (R,)."""
    span = 1.0 if plan.unit.block == "none" else plan.unit.block / HOUR
    began = (start - _EPOCH) / HOUR
    ends = began + since + stay.dwell
    blocks = np.ceil(ends / span) if stay.watch else np.floor(ends / span)
    return np.asarray(blocks * span - began + plan.outcomes.maturity / HOUR)


def _first(met: BoolArray) -> FloatArray:
    return np.where(met.any(axis=1), met.argmax(axis=1), np.inf)


def _samples(course: Course, counted: Ints, wait: FloatArray) -> FloatArray:
    units = np.pad(np.broadcast_to(course.units, (len(wait), course.batches)), ((0, 0), (1, 0)))
    known = np.isfinite(wait)
    column = np.where(known, wait, 0).astype(np.int64)
    batch = np.take_along_axis(counted, column[:, None], axis=1)
    return np.where(known, np.take_along_axis(units, batch, axis=1)[:, 0], np.nan)
