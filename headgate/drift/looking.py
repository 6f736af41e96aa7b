"""One look at a window: the evidence about every column, carried on from the windows before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log, sqrt

import numpy as np

from headgate.drift.bursts import log_bursts
from headgate.drift.classifier import ToldApart
from headgate.drift.effects import Aspect, Effect, effects, shift
from headgate.drift.evidence import log_leads, log_mean, log_tilts
from headgate.drift.policy import Policy, Role
from headgate.drift.state import Course, State
from headgate.errors import EvidenceError
from headgate.profile import ColumnComparison, Comparison
from headgate.stats.betting import FloatArray

#: Name of all columns together among the columns.
TOGETHER = "*"
#: A reference is a sample: windows share its error, which by this many standard errors does not add up.
_OWN_ERROR = 3.0
#: What a burst is proved with, of a column's stake: it needs little, and the others miss it little.
_ON_BURSTS = 0.1

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look saw.

    Attributes
    ----------
    log_e
        Log of the evidence about every column of the family, and about all together.
    sizes
        How large each aspect's effect is, recent windows weighing most; only of what could be judged now.
    since
        When the evidence of each aspect began to grow.
    state
        For the next look.
    """

    log_e: Mapping[str, float]
    sizes: Mapping[str, Mapping[Aspect, float]]
    since: Mapping[str, Mapping[Aspect, datetime | None]]
    state: State


@dataclass(frozen=True, slots=True)
class Look:
    """A look: the year it belongs to, and its place in it.

    Attributes
    ----------
    before
        The state it starts from.
    starts
        Looks of the year.
    """

    policy: Policy
    before: State
    starts: int
    window: Window | None

    @staticmethod
    def of(policy: Policy, history: State | None, window: Window | None) -> Look:
        """Return the look at a window; without a history it is the only one.

        Raises
        ------
        EvidenceError
            If the window is not after the last one that the state was carried over.
        """
        if history is None:
            return Look(policy, State(), 1, window)
        if window and history.until and window[0] < history.until:
            raise EvidenceError(
                f"asked to judge a window from {window[0].isoformat()}; the state is already carried to "
                f"{history.until.isoformat()}: judge windows in order of time, each once"
            )
        return Look(policy, history.this_year(policy.windows), policy.windows, window)

    def at(self, comparison: Comparison, together: ToldApart | None) -> Looked:
        """Return what is seen at a window."""
        family = [c for c in comparison.columns if in_family(c, self.policy)]
        courses = {
            name: dict(self.before.courses.get(name, {})) for name in (*(c.name for c in family), TOGETHER)
        }
        seen: dict[str, list[Aspect]] = {}
        shifts: dict[str, float] = {}
        for column in family:
            found = self._after(column, comparison, shifts)
            courses[column.name].update({aspect.value: course for aspect, course in found.items()})
            seen[column.name] = [aspect for aspect in found if aspect is not Aspect.BURST]  # it has no size
        if together is not None:
            courses[TOGETHER][Aspect.TOGETHER.value] = self._together(together)
        until = self.window[1] if self.window else None
        state = State(self.before.calibration, self.before.windows + 1, until, courses, shifts)
        return Looked(
            {name: self._log_e(name, courses[name]) for name in courses},
            {n: {a: courses[n][a.value].size(a) for a in aspects} for n, aspects in seen.items()},
            {n: {Aspect(a): course.since for a, course in aspects.items()} for n, aspects in courses.items()},
            state,
        )

    def tolerated(self, together: ToldApart) -> float:
        """Return the AUC that windows may have: the policy's, or what the reference's own blocks reach."""
        known = (self.policy.auc_tolerated, self.before.calibration.auc, together.within_reference)
        return max(auc for auc in known if auc is not None)

    def _after(
        self, column: ColumnComparison, comparison: Comparison, shifts: dict[str, float]
    ) -> dict[Aspect, Course]:
        """Return the courses of a column's aspects after this window; its shift is put among ``shifts``."""
        name, found = column.name, {}
        judged = effects(column, comparison, self.policy.fewest)
        for aspect, effect in judged.items():
            log_e = self._log_e_of(name, aspect, effect)
            found[aspect] = self._course(name, aspect).after(log_e, effect.size, self.starts, self._since)
        moved = shift(column) if Aspect.VALUES in judged else None
        level = self.before.calibration.levels.get(name)
        if level is not None and moved is not None and self.starts > 1:
            level = level.of(comparison.rows_current)
            freed = level.freed(moved, None if self._gap else self.before.shifts.get(name))
            for aspect, sign in ((Aspect.RISE, 1.0), (Aspect.FALL, -1.0)):
                course = self._course(name, aspect)
                found[aspect] = course.after(
                    level.log_bets(sign * freed), sign * moved, self.starts, self._since
                )
            shifts[name] = moved
        worst = self.before.calibration.worst.get(name)
        bursts = log_bursts(column, comparison, worst) if judged and worst and self.starts > 1 else None
        if bursts is not None:
            course = self._course(name, Aspect.BURST)
            found[Aspect.BURST] = course.after(bursts, 0.0, self.starts, self._since)
        return found

    def _log_e_of(self, name: str, aspect: Aspect, effect: Effect) -> FloatArray:
        """Return the log e-values of one window's effect."""
        known, wander = self.before.calibration, self._wander(name, aspect, effect)
        log_e = log_tilts(effect.debiased, dof=effect.dof, n=effect.n, wander=wander)
        if self.starts > 1 and known.wander(name, aspect, effect.n_current) > self.policy.tolerated:
            # n blocks that wander say nothing of a tail beyond one in n + 1: no window may say more alone.
            return np.minimum(log_e, log(known.blocks + 1))
        return log_e

    def _together(self, together: ToldApart) -> Course:
        log_e = log_leads(together.auc, tolerated=self.tolerated(together), n=together.tested)
        return self._course(TOGETHER, Aspect.TOGETHER).after(log_e, together.auc, self.starts, self._since)

    def _course(self, name: str, aspect: Aspect) -> Course:
        return self.before.course(name, aspect)

    def _wander(self, name: str, aspect: Aspect, effect: Effect) -> float:
        known = self.before.calibration.wander(name, aspect, effect.n_current)
        by_error = _OWN_ERROR * sqrt(2 * effect.dof) / effect.n_reference if self.starts > 1 else 0.0
        return max(self.policy.tolerated, known, by_error)

    def _log_e(self, name: str, courses: Mapping[str, Course]) -> float:
        """Return the log of a column's evidence: the mean over all that can move in it, bursts with a tenth.

        What was never judged counts as 1, what everybody starts with.
        """
        if name == TOGETHER:
            aspects: tuple[Aspect, ...] = (Aspect.TOGETHER,)
        elif name in self.before.calibration.levels and self.starts > 1:
            aspects = (Aspect.VALUES, Aspect.MISSING, Aspect.RISE, Aspect.FALL)
        else:
            aspects = (Aspect.VALUES, Aspect.MISSING)
        windows = self.before.windows + 1

        def log_e(aspect: Aspect) -> float:
            course = courses.get(aspect.value)
            return 0.0 if course is None else course.log_e(windows, self.starts)

        moved = log_mean([log_e(aspect) for aspect in aspects])
        if name not in self.before.calibration.worst or self.starts == 1:
            return moved
        return float(np.logaddexp(log(_ON_BURSTS) + log_e(Aspect.BURST), log(1 - _ON_BURSTS) + moved))

    @property
    def _since(self) -> datetime | None:
        return self.window[0] if self.window else None

    @property
    def _gap(self) -> bool:
        """Whether windows are missing before this one: what was last says nothing about it."""
        if self.window is None or self.before.until is None:
            return False
        gap: timedelta = self.window[0] - self.before.until
        return gap >= self.policy.every


def in_family(column: ColumnComparison, policy: Policy) -> bool:
    """Say whether a column shares the budget: all that the reference has and nobody ignores."""
    return policy.role(column.name) is not Role.IGNORED and column.changed != "new"
