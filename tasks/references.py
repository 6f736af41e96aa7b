"""Profiles of windows, and what a window is held against: the training's rows, or other windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from headgate.adapters.lake import Lake
from headgate.adapters.profiles import find_profile, keep_profile
from headgate.drift import Calibration, ToldApart, calibrate, draw, importance, tell_apart
from headgate.performance import Monitored, Span, Word
from headgate.performance.answers import answered, floats, threshold_of
from headgate.performance.bins import Floats, Mask
from headgate.performance.labelled import LABEL, rate_of
from headgate.performance.seasons import season_before
from headgate.plan.model import Plan
from headgate.ports import PROFILE, SAMPLE, SCORES
from headgate.profile import Comparison, Profile, compare, from_bytes, merge, take
from tasks import wiring
from tasks.parts import profile_requests
from tasks.watching import LEARNING, Past, Watched, answers_of, window_name

#: What the model said, as columns beside those of the request.
SCORE, DECISION = "score", "decision"
_WEEK = timedelta(days=7)
#: Rows with a score from which on it is said how much an input matters.
_FEWEST_SCORED = 500


@dataclass(frozen=True)
class Reference:
    """What a window is held against.

    Attributes
    ----------
    inputs, answers
        Profile of the requests, and of what the model said to them; often one and the same.
    calibration
        What windows do among themselves without drift.
    named
        In words.
    labels
        Mature outcomes of that time; None where too few were known to say how their rate moves by itself.
    """

    inputs: Profile
    answers: Profile
    calibration: Calibration
    named: str
    labels: Profile | None = None

    def beside(self, window: Profile, labels: Profile | None = None) -> Comparison:
        """Return the window beside the reference: requests, answers, and the outcomes that became mature."""
        inputs = compare(_only(self.inputs, said=False), _only(window, said=False))
        said = compare(_only(self.answers, said=True), _only(window, said=True))
        came = () if self.labels is None else compare(self.labels, labels or Profile({}, 0)).columns
        return replace(inputs, columns=(*inputs.columns, *said.columns, *came))


def profile_of(watched: Watched, past: Past, span: Span, served: pa.Table) -> Profile:
    """Return the profile of a window's requests and of what was said to them; taken once, then kept."""
    lake, name = wiring.build().lake, window_name(span.since, span.until)
    kept = find_profile(lake, watched.owner, name)
    if kept is not None:
        return kept
    like = _like(watched, past)
    inputs = profile_requests(watched.plan, span.since, span.until, _columns(watched.plan), like)
    said = take(_said(watched.plan, served), like=like, columns=_said_columns(watched.plan))
    whole = replace(inputs, columns={**inputs.columns, **said.columns})
    return keep_profile(lake, watched.owner, name, whole)


def reference_of(watched: Watched, past: Past, at: datetime) -> Reference | None:
    """Return what a window that begins at ``at`` is held against; None while there is nothing.

    A rolling reference moves on once a week: the windows of a week are held against the same.

    Where the plan asks for the training's profile and the shelf has none of this version, the four weeks
    before the model served alone take its place; likewise where a season has no year before it.
    """
    moved = at - (at - watched.since) % _WEEK if at > watched.since else at
    before = [one for one in past.full if one.until <= moved]
    learnt = [one for one in before if one.verdict == Word.LEARNING]
    lately = [one for one in before if moved - one.since <= LEARNING]
    last_year = season_before(before, moved)
    shelf = training_profile(watched)
    match watched.watch.reference:
        case "training" if shelf is not None:
            chosen, named = learnt, f"the training of {watched.version}"
        case "training":
            chosen, named = learnt, "the four weeks before it served alone (no training profile on the shelf)"
        case "season" if last_year:
            shelf, chosen, named = None, last_year, "the same season a year before"
        case "season" | "rolling":
            shelf, chosen, named = None, lately, "the four weeks before the window"
    whole, calibration = _learnt(
        wiring.build().lake, watched.owner, tuple(window_name(o.since, o.until) for o in chosen)
    )
    inputs = shelf or whole
    if inputs is None:
        return None
    answers = _answers(watched, inputs, whole)
    labels, calibration = _with_labels(calibration, past, chosen)
    return Reference(inputs, answers, calibration, named, labels)


def _answers(watched: Watched, inputs: Profile, whole: Profile | None) -> Profile:
    """Return what the model's answers are held against.

    Those kept with the inputs, else what it said before it served alone, else what was said to held-out
    requests when it was trained.
    """
    for one in (inputs, whole):
        if one is not None and SCORE in one.columns:
            return one
    return training_scores(watched) or inputs


def _with_labels(
    calibration: Calibration, past: Past, chosen: Sequence[Monitored]
) -> tuple[Profile | None, Calibration]:
    """Return the outcomes of the chosen windows' time, and the calibration with how their rate moves.

    Days differ in nothing as much as in their outcomes: where too few are known to say how much, the rate is
    not judged.
    """
    if not chosen:
        return None, calibration
    inside = [one for one in past.cohorts if chosen[0].since <= one.since and one.until <= chosen[-1].until]
    blocks = [rate for one in inside if (rate := rate_of([one])) is not None]
    whole = rate_of(inside)
    own = Calibration() if whole is None else calibrate(blocks, whole)
    if LABEL not in own.columns:
        return None, calibration
    return whole, replace(
        calibration,
        columns={**calibration.columns, **own.columns},
        levels={**calibration.levels, **own.levels},
        worst={**calibration.worst, **own.worst},
    )


def training_profile(watched: Watched) -> Profile | None:
    """Return the profile kept with the serving model; None where the shelf has none of this version."""
    body = wiring.build().shelf.read(watched.ref.model, watched.version, PROFILE)
    return None if body is None else from_bytes(body)


def training_scores(watched: Watched) -> Profile | None:
    """Return the profile of what was said to held-out requests when the serving model was trained anew."""
    body = wiring.build().shelf.read(watched.ref.model, watched.version, SCORES)
    return None if body is None else from_bytes(body)


@lru_cache(maxsize=8)
def _learnt(lake: Lake, owner: str, names: tuple[str, ...]) -> tuple[Profile | None, Calibration]:
    """Return windows as one profile, and what they do among themselves; remembered, for it takes long."""
    blocks = [profile for name in names if (profile := find_profile(lake, owner, name)) is not None]
    if not blocks:
        return None, Calibration()
    whole = merge(*blocks)
    return whole, calibrate(blocks, whole)


def _like(watched: Watched, past: Past) -> Profile | None:
    """Return a profile whose grids all windows of this model share."""
    shelf = training_profile(watched)
    if shelf is not None:
        scores = training_scores(watched)
        return shelf if scores is None else replace(shelf, columns={**scores.columns, **shelf.columns})
    if not past.full:
        return None
    first = past.full[0]
    return find_profile(wiring.build().lake, watched.owner, window_name(first.since, first.until))


def told_apart(watched: Watched, span: Span) -> ToldApart | None:
    """Return how well rows of a window are told from those the model learned from.

    None where the reference is another, or the shelf has no sample of this version's training.
    """
    wired, plan = wiring.build(), watched.plan
    body = wired.shelf.read(watched.ref.model, watched.version, SAMPLE)
    if watched.watch.reference != "training" or body is None:
        return None
    reference = pa.ipc.open_file(pa.BufferReader(body)).read_all()
    wanted = [plan.requests.id, *_columns(plan)]
    rows = wired.lake.stream_requests(plan, span.since, span.until, list(dict.fromkeys(wanted)))
    return tell_apart(reference, draw(rows, key=plan.requests.id), _columns(plan), within=True)


def what_matters(watched: Watched, past: Past) -> dict[str, float]:
    """Return how much each input matters to the score, by what the model said before it served alone.

    Empty where too little was learnt: then no input alarms by itself while the scores are watched.
    """
    learnt = [one for one in past.full if one.verdict == Word.LEARNING]
    if not learnt:
        return {}
    plan, columns = watched.plan, _columns(watched.plan)
    wanted = list(dict.fromkeys([plan.requests.id, *columns]))
    came = wiring.build().lake.stream_requests(plan, learnt[0].since, learnt[-1].until, wanted)
    rows = draw(came, key=plan.requests.id)
    answers = (answers_of(watched, one.since, one.until) for one in learnt)
    said = pa.concat_tables([one.select(["request_id", "prediction"]) for one in answers])
    where = pc.index_in(rows[plan.requests.id], value_set=said["request_id"].combine_chunks())
    scored = rows.select(columns).append_column(SCORE, said["prediction"].take(where.combine_chunks()))
    scored = scored.filter(pc.is_finite(scored[SCORE]))
    return importance(scored, SCORE) if scored.num_rows >= _FEWEST_SCORED else {}


def _columns(plan: Plan) -> Sequence[str]:
    """Return the columns of a request that are profiled: what the model is sent, and the segments."""
    by = plan.segments.by if plan.segments else ()
    if plan.input is not None:
        return tuple(dict.fromkeys([*plan.input.columns, *by]))
    own = {plan.requests.id, plan.requests.at}
    return tuple(name for name in wiring.build().lake.request_columns(plan) if name not in own)


def _said_columns(plan: Plan) -> list[str]:
    return [SCORE] if plan.prediction.kind == "number" else [SCORE, DECISION]


def _said(plan: Plan, served: pa.Table) -> pa.Table:
    """Return what the model said: missing where it said nothing."""
    return said_of(plan, floats(served["prediction"]), ~answered(served))


def said_of(plan: Plan, scores: Floats, silent: Mask | None = None) -> pa.Table:
    """Return n answers as the columns that are watched; missing where ``silent``."""
    columns = {SCORE: pa.array(scores, mask=silent)}
    if plan.prediction.kind != "number":
        columns[DECISION] = pa.array(scores >= threshold_of(plan), mask=silent)
    return pa.table(columns)


def _only(profile: Profile, *, said: bool) -> Profile:
    columns = {name: one for name, one in profile.columns.items() if (name in (SCORE, DECISION)) == said}
    return replace(profile, columns=columns)
