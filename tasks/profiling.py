"""Looks at one window: its answers, its profile, what it is held against, and whether it drifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from headgate.adapters.store import monitoring
from headgate.alerts.monitoring import window_alerts
from headgate.drift import Policy, Report, Role, State, judge
from headgate.performance import Kind, Monitored, Span, Word, due, estimated, window_sums
from headgate.performance.course import calibration_of, errors_of
from headgate.performance.labelled import LABEL, REACHED, newly_mature, rate_of
from headgate.performance.schedule import aligned, starts
from headgate.profile import Comparison
from headgate.report.formats import lasting
from tasks import wiring
from tasks.direct import task
from tasks.performing import about, close_cohorts
from tasks.references import DECISION, SCORE, Reference, profile_of, reference_of, told_apart, what_matters
from tasks.retrying import OUTSIDE
from tasks.watching import LEARNING, Past, Watched, answers_of, past_of

#: Requests without which a window says nothing.
FEWEST = 30
_WEEK = timedelta(days=7)


@task(name="find the windows that are due", **OUTSIDE)
def due_windows(watched: Watched, now: datetime) -> list[Span]:
    """Return the complete windows that nobody looked at yet, and the gaps between them, in order of time.

    The first begins four weeks before the model served alone, or with the first request there is.
    """
    wired, every, plan = wiring.build(), watched.watch.every, watched.plan
    last = monitoring.latest(wired.engine, watched.service, Kind.WINDOW, watched.version)
    begin = last.until if last else aligned(watched.since - LEARNING, every)
    column = plan.requests.at
    parts = wired.lake.stream_requests(plan, begin, now, [column]) if begin < now else ()
    came = [at for part in parts for at in starts(part.column(column), begin, every)]
    spans = due(begin, every, now, came)
    return spans[1:] if last is None and spans and spans[0].empty else spans


@task(name="look at a window", task_run_name="look at {span.since:%Y-%m-%d %H:%M}", **OUTSIDE)
def look_at(watched: Watched, span: Span, now: datetime) -> str:
    """Profile a window, hold it against its reference, estimate how good its answers are; return the verdict.

    Cohorts whose labels were mature by the window's end are measured before: the estimate is made with what
    was known then. The same window twice is once: what was found out first stands.
    """
    past = close_cohorts(watched, past_of(watched), min(span.until, now), now)
    word, body = (Word.NO_DATA, _nothing(span)) if span.empty else _seen(watched, span, past)
    found = Monitored(watched.service, Kind.WINDOW, span.since, span.until, watched.version, word, body, now)
    alerts = window_alerts(about(watched), found, past.windows)
    monitoring.record(wiring.build().engine, [found], alerts)
    return word


def _nothing(span: Span) -> dict[str, Any]:
    return {"rows": 0, "reasons": [f"no request came for {lasting(span.until - span.since)}"]}


def _seen(watched: Watched, span: Span, past: Past) -> tuple[Word, dict[str, Any]]:
    """Return the verdict on a window that has requests, and all that was seen."""
    served = answers_of(watched, span.since, span.until)
    sums = window_sums(watched.plan, served, watched.segments)
    body: dict[str, Any] = {"rows": sums.rows, "sums": sums.to_json(), "estimate": None, "drift": None}
    profile = profile_of(watched, past, span, served)
    if span.since < watched.since:
        return Word.LEARNING, body | {
            "reasons": [f"before {watched.version} served alone: learnt from, not judged"]
        }
    body["estimate"] = _estimate(watched, past, span, sums.bins)
    if sums.rows < FEWEST:
        return Word.TOO_FEW, body | {"reasons": [f"too few: {sums.rows} requests, {FEWEST} are needed"]}
    reference = reference_of(watched, past, span.since)
    if reference is None:
        nothing = (
            f"nothing to hold it against: {watched.watch.reference} has no window, and the shelf no profile"
        )
        return Word.NO_REFERENCE, body | {"reasons": [nothing]}
    matters = _matters(watched, past)
    mature = newly_mature(
        past.cohorts, past.windows, watched.since, span.until, watched.plan.outcomes.maturity
    )
    beside = reference.beside(profile, rate_of(mature))
    report = _judged(watched, span, past, reference, beside, matters)
    body |= {
        REACHED: mature[-1].until.isoformat() if mature else None,
        "matters": matters,
        "reference": reference.named,
        "drift": report.to_record(),
        "state": None if report.state is None else report.state.to_json(),
        "reasons": [report.said],
    }
    return _word(report), body


def _matters(watched: Watched, past: Past) -> dict[str, float]:
    """Return how much each input matters to the score: found out once, then carried from window to window.

    Also where that is nothing (`{}`): it rests on four weeks of requests, which are read once.
    """
    for one in reversed(past.windows):
        if "matters" in one.body:
            found: dict[str, float] = one.body["matters"]
            return found
    return what_matters(watched, past)


def _judged(
    watched: Watched,
    span: Span,
    past: Past,
    reference: Reference,
    beside: Comparison,
    matters: Mapping[str, float],
) -> Report:
    plan = watched.plan
    roles: dict[str, Role] = {SCORE: Role.SCORE, DECISION: Role.PREDICTION, LABEL: Role.LABEL}
    roles |= dict.fromkeys(plan.segments.by if plan.segments else (), Role.SEGMENT)
    policy = Policy.of(watched.watch, roles=roles, importance=matters)
    state = State(reference.calibration, *_carried(past.windows))
    apart = told_apart(watched, span) if _asked_anew(past, span) else None
    window = (span.since, span.until)
    return judge(beside, policy, state, together=apart, window=window)


def _asked_anew(past: Past, span: Span) -> bool:
    """Say whether the classifier is asked: once a week is enough for what it costs."""
    return not any(
        (one.body["drift"] or {}).get("multivariate", {}).get("judged") and span.since - one.since < _WEEK
        for one in past.full[-50:]
    )


def _carried(before: Sequence[Monitored]) -> tuple[Any, ...]:
    """Return how far the year of windows is, and its evidence: the budget is this model's, per year.

    What proved a drift proves nothing once it is over: the next one has to be proved anew, with what is left
    of the year's capital.
    """
    judged = [one for one in before if one.body.get("state")]
    if not judged:
        return ()
    state = State.from_json(judged[-1].body["state"])
    over = len(judged) > 1 and judged[-2].verdict == Word.DRIFT and judged[-1].verdict != Word.DRIFT
    return state.windows, state.until, {} if over else state.courses, state.shifts


def _estimate(watched: Watched, past: Past, span: Span, bins: Any) -> dict[str, Any] | None:
    """Return how good the answers probably are, by what the labels known before the window ended say."""
    known = calibration_of(past.cohorts, span.until)
    if known is None or bins is None:
        return None
    found = estimated(bins, known, watched.question, errors_of([one.body for one in past.cohorts]))
    return None if found is None else found.to_json()


def _word(report: Report) -> Word:
    if not report.judged:
        return Word.TOO_FEW
    if report.alarm:
        return Word.DRIFT
    return Word.MOVED if report.drifted or report.together.drifted else Word.QUIET
