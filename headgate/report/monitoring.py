"""Where a watched service stands, for people and for scripts: all of it from what the monitor recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from headgate.performance.episodes import Episode, episode
from headgate.performance.monitored import Monitored, Word
from headgate.plan.reviewing import Review
from headgate.report.formats import NO_DATA, lasting, number, when
from headgate.review.adoption import Adoption

#: Words of a window or a cohort in which something was judged.
JUDGED = frozenset({Word.QUIET, Word.MOVED, Word.DRIFT})
MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Retrained:
    """A retraining, as the page lists it; ``accepted`` is None while it has not ended."""

    at: datetime
    trigger: str
    accepted: bool | None
    reason: str
    version: str = ""
    rollout: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """A service that is watched, and what was found out about it, in order of time.

    Attributes
    ----------
    since
        From when on this version serves alone.
    metric, tolerance
        The loss that is watched, and the change of it that counts as none; None where no gate has one.
    taken, review
        How people took the answers of late, and what the plan asks of them; None where it asks nobody.
    windows, cohorts, live
        Findings of each kind, those before ``since`` included.
    silent
        For how long no request has come; None: they come.
    """

    service: str
    model: str
    version: str
    since: datetime
    every: timedelta
    reference: str
    then: str
    now: datetime
    windows: Sequence[Monitored] = ()
    cohorts: Sequence[Monitored] = ()
    live: Sequence[Monitored] = ()
    retrainings: Sequence[Retrained] = ()
    silent: timedelta | None = None
    metric: str | None = None
    tolerance: float | None = None
    under_way: str = ""
    taken: Adoption | None = None
    review: Review | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def drift(self) -> Episode | None:
        """The drift that goes on; None: none does."""
        return episode(self.windows)

    @property
    def degraded(self) -> Episode | None:
        """The time of worse answers that goes on; None: none does."""
        return episode(self.cohorts)

    @property
    def judged(self) -> Monitored | None:
        """The newest window that was judged."""
        return next((one for one in reversed(self.windows) if one.verdict in JUDGED), None)

    @property
    def recent(self) -> Sequence[Monitored]:
        """The cohorts of the last thirty days."""
        return [one for one in self.cohorts if self.cohorts[-1].until - one.until < MONTH]


def word_of(watch: Watch) -> str:
    """Return how the service is doing in a word, the worst first."""
    if watch.silent is not None:
        return "no data"
    if watch.degraded is not None:
        return "degraded"
    if watch.drift is not None:
        return "drift"
    return "quiet" if watch.judged is not None else "nothing judged yet"


def sentences(watch: Watch) -> list[str]:
    """Return how the service is doing, a sentence each, what matters most first."""
    told = []
    if watch.silent is not None:
        told += _silence(watch, watch.silent)
    if (worse := watch.degraded) is not None:
        why, *more = watch.cohorts[-1].body["reasons"]
        told += [f"The model does worse: {why}.", *(f"{_capital(one)}." for one in more)]
    if (drift := watch.drift) is not None:
        whole = [name if name != "*" else "all columns together" for name in drift.columns]
        told.append(f"Drift since {drift.since:%Y-%m-%d} in {', '.join(whole)}: {drift.reason}.")
    last = watch.judged
    if last is not None and drift is None:
        against = last.body["reference"]
        told.append(
            f"{_capital(last.body['reasons'][0])}, by the window up to {when(last.until)}; held against "
            f"{against}."
        )
    if watch.cohorts and worse is None:
        told.append(f"{_capital(watch.cohorts[-1].body['reasons'][0])}.")
    if not watch.windows:
        told.append("Nothing was looked at yet: the first window is due when it is complete.")
    elif last is None:
        told.append(f"Nothing was judged yet: {watch.windows[-1].body['reasons'][0]}.")
    if watch.under_way:
        told.append(f"{watch.under_way} is under way: its gates judge, and nothing is retrained meanwhile.")
    return told


def _silence(watch: Watch, silent: timedelta) -> list[str]:
    """Say since when nothing comes, and what was looked at last: what follows is of that time."""
    since = when(watch.now - silent)
    told = [f"No request has come for {lasting(silent)}, since {since}: nothing is watched meanwhile."]
    full = [one for one in watch.windows if one.body["rows"]]
    if full:
        last = full[-1]
        word = last.verdict.replace("_", " ")
        told.append(
            f"The last window that was looked at, of {len(full):,}, ended {when(last.until)} ({word}); what "
            "follows is of that time."
        )
    return told


def standing_of(watch: Watch) -> dict[str, Any]:
    """Return where the service stands as plain JSON: what is not known is null."""
    last, cohort = watch.judged, watch.cohorts[-1] if watch.cohorts else None
    drift, worse = watch.drift, watch.degraded
    return {
        "service": watch.service,
        "version": watch.version,
        "serves_since": watch.since.isoformat(),
        "at": watch.now.isoformat(),
        "state": word_of(watch),
        "silent_days": None if watch.silent is None else watch.silent / timedelta(days=1),
        "window_until": watch.windows[-1].until.isoformat() if watch.windows else None,
        "windows": len(watch.windows),
        "drift": _episode(drift),
        "drifted_share": last.body["drift"]["drifted_share"] if last else None,
        "degraded": _episode(worse),
        "metric": watch.metric,
        "realised": cohort.body["sums"]["loss"] if cohort else None,
        "realised_until": cohort.until.isoformat() if cohort else None,
        "trend": cohort.body["trend"] if cohort else None,
        "estimated": last.body["estimate"] if last else None,
        "reasons": sentences(watch),
    }


def drifts(watch: Watch) -> list[dict[str, Any]]:
    """Return every drift there was, over or not: when it was noticed, its columns, why."""
    found: list[dict[str, Any]] = []
    for at in range(len(watch.windows)):
        now = episode(watch.windows[: at + 1])
        if now is None:
            continue
        entry = {"at": now.until.isoformat(), "columns": list(now.columns), "reason": now.reason}
        if found and found[-1]["at"] == entry["at"]:
            found[-1]["columns"] = entry["columns"]
        else:
            found.append(entry)
    return found


def facts_of(watch: Watch) -> dict[str, str]:
    """Return the facts at the top of the page, by their names."""
    last = watch.windows[-1] if watch.windows else None
    sums = last.body.get("sums") if last else None
    trend = watch.cohorts[-1].body["trend"] if watch.cohorts else None
    estimate = watch.judged.body["estimate"] if watch.judged else None
    live = watch.live[-1].body["all"] if watch.live else None
    told = {
        "newest window": f"{sums['rows']:,} requests" if sums else NO_DATA,
        "answered": _share(sums["statuses"].get("ok", 0), sums["rows"]) if sums else NO_DATA,
        "confidence": number(sums["confidence"]) if sums else NO_DATA,
        "cost per request": number(sums["cost"]) if sums else NO_DATA,
    }
    if watch.metric:
        told |= {
            f"{watch.metric}, 30 days": number(trend["mean"]) if trend else NO_DATA,
            "change to 30 days before": _change(trend) if trend else NO_DATA,
            f"{watch.metric}, estimated": number(estimate["loss"]) if estimate else NO_DATA,
        }
    told["latency, 95 %"] = f"{number(live['p95'])} ms" if live and live["p95"] is not None else NO_DATA
    return told


def _change(trend: Mapping[str, Any]) -> str:
    if trend["change"] is None:
        return NO_DATA
    return f"{number(trend['change'], signed=True)} \N{PLUS-MINUS SIGN} {number(trend['noise'])}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else NO_DATA


def _episode(found: Episode | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "since": found.since.isoformat(),
        "columns": list(found.columns),
        "reason": found.reason,
        "worth_training_on": found.trainable,
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
