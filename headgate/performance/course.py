"""How the serving model has fared so far: its cohorts one after the other, judged as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headgate.performance.bins import Binned
from headgate.performance.estimating import Calibration, learnt
from headgate.performance.monitored import Monitored, Word
from headgate.performance.question import Question
from headgate.performance.risk import LEVEL_BLOCKS, Alarm, Claim, Level, level_of, watched
from headgate.performance.trend import Trend, trend_of

#: What scores mean is learnt from cohorts this old at most.
MEMORY = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Course:
    """What the cohorts so far say together.

    Attributes
    ----------
    word, reasons
        `Word.FINE`, `Word.DEGRADED`, `Word.TOO_FEW` or `Word.NO_LABELS`, and why.
    level
        How good the model was in its first blocks; None before there are enough.
    risk
        Whether it is worse than that now; None without a level.
    check
        Whether estimates miss the truth by more than the tolerance, either way; None before any was checked.
    """

    word: Word
    reasons: tuple[str, ...]
    level: Level | None
    risk: Alarm | None
    check: Alarm | None
    trend: Trend

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        level = self.level and {"mean": self.level.mean, "blocks": self.level.blocks}
        return {
            "reasons": list(self.reasons),
            "level": level,
            "risk": self.risk and self.risk.to_json(),
            "check": self.check and self.check.to_json(),
            "trend": self.trend.to_json(),
        }


def course_of(question: Question | None, cohorts: Sequence[Mapping[str, Any]]) -> Course:
    """Return how the model has fared by these cohorts' bodies, in order of time.

    Parameters
    ----------
    question
        The loss that is watched; None: no gate of the plan holds answers against outcomes.
    """
    blocks = blocks_of(cohorts)
    trend = trend_of(blocks)
    if question is None:
        nothing = "no gate of the plan holds answers against outcomes: only inputs and scores are watched"
        return Course(Word.TOO_FEW, (nothing,), None, None, None, trend)
    level = level_of([loss for _, loss in blocks])
    risk = _risk(question, level, blocks) if level else None
    check = _check(question, level, cohorts) if level else None
    word, reasons = _told(question, cohorts, level, risk, check)
    return Course(word, reasons, level, risk, check, trend)


def blocks_of(cohorts: Iterable[Mapping[str, Any]]) -> list[tuple[datetime, float]]:
    """Return start and loss of every block with labels."""
    return [
        (datetime.fromisoformat(block["at"]), block["loss"])
        for body in cohorts
        for block in body["sums"]["blocks"]
        if block["loss"] is not None
    ]


def calibration_of(cohorts: Iterable[Monitored], now: datetime) -> Calibration | None:
    """Return what scores mean by the labels of the last ninety days; None with too few."""
    recent = (one.body["sums"]["bins"] for one in cohorts if now - one.until <= MEMORY)
    return learnt(Binned.from_json(bins) for bins in recent if bins is not None)


def errors_of(cohorts: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return by how much each estimate that could be checked was off: realised minus estimated."""
    checked = ((body["sums"]["loss"], body["estimated"]) for body in cohorts)
    return [real - told for real, told in checked if real is not None and told is not None]


def _risk(question: Question, level: Level, blocks: Sequence[tuple[datetime, float]]) -> Alarm:
    ceiling = level.mean + question.tolerance
    later = [(at, loss - ceiling) for at, loss in blocks[LEVEL_BLOCKS:]]
    return watched(later, Claim.about(level, question.tolerance))


def _check(question: Question, level: Level, cohorts: Sequence[Mapping[str, Any]]) -> Alarm | None:
    """Bet on either side; the likelier breach is told. Estimates are off by as much as blocks differ."""
    off = [
        (datetime.fromisoformat(body["sums"]["blocks"][0]["at"]), body["sums"]["loss"] - body["estimated"])
        for body in cohorts
        if body["sums"]["loss"] is not None and body["estimated"] is not None
    ]
    if not off:
        return None
    slack = question.tolerance
    claim = Claim.about(level, slack)
    sides = [watched([(at, sign * error - slack) for at, error in off], claim) for sign in (1, -1)]
    return max(sides, key=lambda one: (one.raised, one.log_m))


def _told(
    question: Question,
    cohorts: Sequence[Mapping[str, Any]],
    level: Level | None,
    risk: Alarm | None,
    check: Alarm | None,
) -> tuple[Word, tuple[str, ...]]:
    last = cohorts[-1]["sums"] if cohorts else None
    if last is not None and last["answered"] and not last["labelled"]:
        return Word.NO_LABELS, (f"none of {last['answered']:,} answers has a label, and all should by now",)
    if level is None or risk is None:
        return Word.TOO_FEW, ("too few blocks with labels to say how good the model is",)
    was = f"{question.metric} was {level.mean:.4g} in its first {level.blocks} blocks"
    reasons = []
    if check is not None and check.raised and check.since is not None:
        reasons.append(
            f"estimates have missed the truth by more than {question.tolerance:g} since "
            f"{check.since:%Y-%m-%d}: what a score means has changed; do not rely on them"
        )
    if risk.raised and risk.since is not None:
        since = [loss for at, loss in blocks_of(cohorts) if at >= risk.since]
        now = sum(since) / len(since)
        worse = (
            f"{was}; since {risk.since:%Y-%m-%d} it is {now:.4g}, worse by more than {question.tolerance:g}"
        )
        return Word.DEGRADED, (worse, *reasons)
    calm = f"{was}; no sign that it is worse by more than {question.tolerance:g}"
    return Word.FINE, (f"{calm}: log M {risk.log_m:.1f}, alarm at {risk.threshold:.1f}", *reasons)
