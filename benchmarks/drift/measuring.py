"""False alarms over a simulated year, and days to notice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np

from benchmarks.drift.engine import NAME, Engine
from benchmarks.drift.rules import RULES, Measured
from benchmarks.drift.streams import CHANGES, REFERENCE_DAYS, Change, Window, days, together
from benchmarks.results import Figure, Section, table

_SEED = 20261121
#: Days looked at before a change begins, and after it until it counts as not noticed.
_BEFORE, _AFTER = 5, 40
_YEAR = 365
#: Rules need no history: fewer of their days, and years, tell how many of them alarm.
_RULE_DAYS, _RULE_YEARS = 60, 3


@dataclass(frozen=True, slots=True)
class _Alarms:
    """Per rule the share of years with any false alarm, and false alarms a year."""

    years: dict[str, float]
    a_year: dict[str, float]


def run(*, quick: bool) -> Section:
    """Measure."""
    years, runs, length = (1, 1, 20) if quick else (10, 6, _YEAR)
    alike = _alarms(years, length, shocks=False)
    shocked = _alarms(years, length, shocks=True)
    delays = _delays(runs, shocks=False)
    late = _delays(runs, shocks=True)
    allowed = 0.05 + 2 * np.sqrt(0.05 * 0.95 / years)
    worst = max(alike.years[NAME], shocked.years[NAME])
    noticed = [delays[change.name][NAME] for change in CHANGES]
    return Section(
        title="Drift: false alarms in a year, and days to notice",
        what="A service of 500 requests a day: 11 inputs, its score and its error on known outcomes. "
        "How often a year of daily windows in which nothing drifts raises any alarm, and how many days pass "
        "until a change is named. The other rules are what libraries and teams do by default.",
        how=f"{years} years and {runs} runs of each change, each with and without shared shocks, by the seed "
        f"{_SEED}; a reference of {REFERENCE_DAYS} days. "
        "Headgate is the real engine: profiles, comparison, verdicts at a yearly chance of 5 %. The rules "
        "look at the same columns, reimplemented as the libraries need minutes a year; they have no memory: "
        f"{_RULE_DAYS} days tell their year. A change named on the day it begins has a delay of 1; "
        f"{_AFTER} days without a name count as not noticed. A rule that alarms on most days anyway notices "
        "a change at once, and says nothing by it: where days share shocks all do, and only Headgate's delay "
        "is told.",
        figures=(
            Figure(
                "years with any false alarm, Headgate, the worse of days alike and days with shared shocks",
                100 * worst, "%", at_most=round(100 * allowed, 1), digits=1, binding=True,
            ),
            Figure(
                f"days to name a change, days alike, Headgate, median of the slowest of {len(CHANGES)}",
                None if any(d is None for d in noticed) else max(d for d in noticed if d is not None),
                "days", at_most=7, digits=1,
            ),
            Figure(
                "days to name an outage of one column, Headgate, the worse of days alike and shared shocks",
                None if late["outage"][NAME] is None or delays["outage"][NAME] is None
                else max(late["outage"][NAME] or 0, delays["outage"][NAME] or 0),
                "days", at_most=1, digits=1, binding=True,
            ),
        ),
        detail=_told(alike, shocked, delays, late),
    )  # fmt: skip


def _alarms(years: int, length: int, *, shocks: bool) -> _Alarms:
    ours: list[int] = []
    theirs: dict[str, list[float]] = {rule.name: [] for rule in RULES}
    for year in range(years):
        rng = np.random.default_rng([_SEED, int(shocks), year])
        engine, measured = _learned(rng, shocks=shocks)
        alarms = 0
        for day, window in enumerate(days(rng, length, shocks=shocks)):
            alarms += bool(engine.judge(window).drifted)
            if day < _RULE_DAYS and year < _RULE_YEARS:
                columns = measured.columns(window)
                for rule in RULES:
                    theirs[rule.name].append(float(rule.alarms(columns)))
        ours.append(alarms)
    chance = {name: fmean(seen) for name, seen in theirs.items()}
    return _Alarms(
        {NAME: fmean(a > 0 for a in ours), **{n: 1 - (1 - p) ** _YEAR for n, p in chance.items()}},
        {NAME: fmean(ours) * _YEAR / length, **{n: p * _YEAR for n, p in chance.items()}},
    )


def _delays(runs: int, *, shocks: bool) -> dict[str, dict[str, float | None]]:
    """Return per change and rule the median days from its beginning to the first alarm after it.

    A run has one reference for all changes. With shared shocks only Headgate is asked: the rules alarm on
    most days anyway.
    """
    names = [NAME] if shocks else [NAME, *(rule.name for rule in RULES)]
    found: dict[str, dict[str, list[float]]] = {c.name: {name: [] for name in names} for c in CHANGES}
    for run_ in range(runs):
        learned, measured = _learned(np.random.default_rng([_SEED, 2 + shocks, run_]), shocks=shocks)
        for at, change in enumerate(CHANGES):
            rng = np.random.default_rng([_SEED, 4 + shocks, at, run_])
            waits = _waits(replace(learned), measured, rng, change, names, shocks=shocks)
            for name, days_ in waits.items():
                found[change.name][name].append(days_)
    return {
        change: {
            name: None if (value := median(seen)) == float("inf") else value for name, seen in by.items()
        }
        for change, by in found.items()
    }


def _waits(
    engine: Engine,
    measured: Measured,
    rng: np.random.Generator,
    change: Change,
    names: list[str],
    *,
    shocks: bool,
) -> dict[str, float]:
    """Return how many days each rule takes to notice a change once; infinite where it does not."""
    waits, waiting = dict.fromkeys(names, float("inf")), set(names)
    for day, window in enumerate(days(rng, _BEFORE + _AFTER, shocks=shocks, change=change, onset=_BEFORE)):
        noticed = _noticed(engine, measured, window, waiting)
        if day < _BEFORE:
            continue
        waits |= dict.fromkeys(noticed, float(day - _BEFORE + 1))
        waiting -= noticed
        if not waiting:
            break
    return waits


def _noticed(engine: Engine, measured: Measured, window: Window, waiting: set[str]) -> set[str]:
    noticed = {NAME} if NAME in waiting and engine.judge(window).drifted else set()
    if waiting - {NAME}:
        columns = measured.columns(window)
        noticed |= {rule.name for rule in RULES if rule.name in waiting and rule.alarms(columns)}
    return noticed


def _learned(rng: np.random.Generator, *, shocks: bool) -> tuple[Engine, Measured]:
    reference = list(days(rng, REFERENCE_DAYS, shocks=shocks))
    whole = together(reference)
    return Engine.on(reference, whole), Measured(whole)


def _told(
    alike: _Alarms,
    shocked: _Alarms,
    delays: dict[str, dict[str, float | None]],
    shared: dict[str, dict[str, float | None]],
) -> str:
    whose = {NAME: "e-BH over columns and days", **{rule.name: rule.whose for rule in RULES}}
    wolf = [
        (
            name, whose[name], f"{100 * alike.years[name]:.0f} %", f"{alike.a_year[name]:.1f}",
            f"{100 * shocked.years[name]:.0f} %", f"{shocked.a_year[name]:.1f}",
        )
        for name in whose
    ]  # fmt: skip
    head = ("rule", "whose default", "years with a false alarm, days alike", "false alarms a year",
            "years, shared shocks", "alarms a year")  # fmt: skip
    late = [(name, *(_days(delays[change][name]) for change in delays)) for name in whose]
    late.insert(1, (f"{NAME}, shared shocks", *(_days(shared[change][NAME]) for change in delays)))
    said = "; ".join(f"{change.name}: {change.said}" for change in CHANGES)
    return (
        f"False alarms where nothing drifts:\n\n{table(head, wolf)}\n\nDays until a change is named, median "
        f"({said}):\n\n{table(('rule', *delays), late)}"
    )


def _days(delay: float | None) -> str:
    return f"not in {_AFTER}" if delay is None else f"{delay:g}"
