"""Whether people take the answers: how many they looked at and overruled, how long it took (M22)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from headgate.ports import Side
from headgate.review.case import JUDGED, Queued, Ruling
from headgate.stats.display import rate_interval


@dataclass(frozen=True, slots=True)
class Judged:
    """Answers that people looked at, and how many of them they overruled."""

    judged: int
    overridden: int

    @property
    def rate(self) -> float | None:
        """The share overruled; None where nobody looked: silence is not approval."""
        return self.overridden / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the rate is, however often it is looked at (95 %)."""
        return rate_interval(self.judged, self.overridden) if self.judged else None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; what is not known is null."""
        return asdict(self) | {"rate": self.rate, "interval": self.interval and list(self.interval)}


@dataclass(frozen=True, slots=True)
class Adoption:
    """How a service's answers are taken.

    Attributes
    ----------
    since, until
        Cases put in between are told of.
    put
        How many that are.
    waiting, oldest_hours
        Cases that wait now, whenever they were put, and for how long the oldest does.
    rulings
        Of the decided ones, by `Ruling`.
    reviewers
        How many people decided any.
    sampled
        Of the plain sample of the candidate's answers: speaks for all of its answers.
    sides, reasons, strata
        By who answered, by why a person was asked, by what was drawn from. Cases that were looked for
        because something was odd about them are overruled more often than others.
    hours
        Median time from the queue to a decision, in hours; None without one.
    """

    since: datetime | None
    until: datetime
    put: int
    waiting: int
    rulings: Mapping[str, int]
    reviewers: int
    sampled: Judged
    sides: Mapping[str, Judged]
    reasons: Mapping[str, Judged]
    strata: Mapping[str, Judged]
    hours: float | None
    oldest_hours: float | None

    @property
    def judged(self) -> Judged:
        """All answers that people looked at, whoever gave them and whyever they were asked."""
        return Judged(
            sum(one.judged for one in self.sides.values()), sum(one.overridden for one in self.sides.values())
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; what is not known is null."""
        groups = {
            name: {key: one.to_json() for key, one in getattr(self, name).items()}
            for name in ("sides", "reasons", "strata")
        }
        return {
            "since": self.since and self.since.isoformat(),
            "until": self.until.isoformat(),
            "put": self.put,
            "waiting": self.waiting,
            "rulings": dict(self.rulings),
            "reviewers": self.reviewers,
            "sampled": self.sampled.to_json(),
            **groups,
            "hours": self.hours,
            "oldest_hours": self.oldest_hours,
        }


def adoption_of(
    cases: Sequence[Queued],
    sampled: Iterable[bool],
    now: datetime,
    *,
    backlog: tuple[int, datetime | None],
    since: datetime | None = None,
) -> Adoption:
    """Return how answers are taken.

    Parameters
    ----------
    cases
        Of one service, with what was said of them last.
    sampled
        Per case whether it is in the plain sample: see `headgate.review.sampling.in_sample`.
    backlog
        How many cases wait, and since when the oldest does: it may have been put before ``since``.
    """
    waiting, oldest = backlog
    decided = [case for case in cases if case.decided is not None]
    took = [_hours(case.waited(now)) for case in decided]
    in_sample = [case for case, mine in zip(cases, sampled, strict=True) if mine]
    return Adoption(
        since=since,
        until=now,
        put=len(cases),
        waiting=waiting,
        rulings=dict(Counter(case.decided.ruling.value for case in decided if case.decided)),
        reviewers=len({case.decided.reviewer for case in decided if case.decided}),
        sampled=_judged(case for case in in_sample if case.case.side is Side.CANDIDATE),
        sides=_by(cases, lambda case: case.case.side.value if case.case.side else "nobody"),
        reasons=_by(cases, lambda case: case.case.reason.value),
        strata=_by(cases, lambda case: case.stratum or "not drawn"),
        hours=median(took) if took else None,
        oldest_hours=None if oldest is None else _hours(now - oldest),
    )


def _by(cases: Sequence[Queued], key: Any) -> dict[str, Judged]:
    groups: dict[str, list[Queued]] = {}
    for case in cases:
        groups.setdefault(key(case), []).append(case)
    return {name: _judged(group) for name, group in sorted(groups.items())}


def _judged(cases: Iterable[Queued]) -> Judged:
    said = [case.decided.ruling for case in cases if case.decided and case.decided.ruling in JUDGED]
    return Judged(len(said), sum(ruling is Ruling.OVERRIDDEN for ruling in said))


def _hours(span: timedelta) -> float:
    return round(span / timedelta(hours=1), 3)
