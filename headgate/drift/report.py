"""What was found: per column, of all columns together, and what it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import exp
from typing import Any

from headgate.drift.policy import Role
from headgate.drift.state import State
from headgate.profile import ColumnComparison


class Cause(StrEnum):
    """What a drift comes from, as far as the data can tell."""

    DATA = "data"  # the requests themselves
    MIX = "mix"  # as many kinds of requests as before, in other shares
    LABEL_RATE = "label_rate"  # outcomes are more or less frequent
    PIPELINE = "pipeline"  # something on the way broke: mend it, do not train on it


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, the columns that show it, and a sentence."""

    cause: Cause
    columns: tuple[str, ...]
    said: str


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """One column.

    Attributes
    ----------
    role
        What it is to the model.
    judged
        Whether anything was decided; if not, ``reason`` says why.
    drifted
        Named as drifted: sure enough among all columns, and large enough to matter.
    effect
        Size of the larger of its effects, on the scale of the PSI; None where there is none.
    log_e
        Log of the evidence so far; None where there is none.
    since
        Start of the window with which the evidence began to grow.
    broken
        It looks like plumbing rather than the world, and why; empty otherwise.
    """

    comparison: ColumnComparison
    role: Role
    judged: bool
    drifted: bool
    reason: str
    effect: float | None = None
    log_e: float | None = None
    since: datetime | None = None
    broken: str = ""

    @property
    def name(self) -> str:
        """The column."""
        return self.comparison.name

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: the distances as compared, and the verdict."""
        c = self.comparison
        return {
            "name": c.name,
            "kind": c.kind.value,
            "psi": c.psi,
            "js": c.js,
            "ks": c.ks,
            "wasserstein": c.wasserstein,
            "chi2_p": c.chi2_p,
            "missing_reference": c.missing_reference,
            "missing_current": c.missing_current,
            "unseen_share": c.unseen_share,
            "drifted": self.drifted,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Together:
    """What a classifier says that tries to tell the window's rows from the reference's.

    Attributes
    ----------
    auc
        On rows it was not trained on; None if it could not be asked.
    tolerated
        What the reference's own parts reach, or the policy's allowance.
    """

    judged: bool
    drifted: bool
    reason: str
    auc: float | None = None
    tolerated: float | None = None
    rows_reference: int = 0
    rows_current: int = 0
    log_e: float | None = None
    since: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "judged": self.judged,
            "drifted": self.drifted,
            "auc": self.auc,
            "auc_tolerated": self.tolerated,
            "rows_reference": self.rows_reference,
            "rows_current": self.rows_current,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """A window's verdicts.

    Attributes
    ----------
    columns
        In the order of the comparison.
    together
        All columns at once.
    findings
        What it comes from; empty without drift.
    alarming
        Drifted columns that matter to what the service says; an alarm is raised for these. ``*`` stands for
        all columns together.
    state
        What the next window is judged with; None where a window was judged for itself.
    """

    columns: tuple[ColumnVerdict, ...]
    together: Together
    rows_reference: int
    rows_current: int
    findings: tuple[Finding, ...] = ()
    alarming: tuple[str, ...] = ()
    state: State | None = field(default=None, repr=False)

    @property
    def drifted(self) -> tuple[ColumnVerdict, ...]:
        """The columns that drifted."""
        return tuple(one for one in self.columns if one.drifted)

    @property
    def judged(self) -> bool:
        """Whether anything at all could be judged."""
        return any(one.judged for one in self.columns)

    @property
    def drifted_share(self) -> float | None:
        """Drifted columns among those judged; None if none was."""
        judged = sum(one.judged for one in self.columns)
        return len(self.drifted) / judged if judged else None

    @property
    def alarm(self) -> bool:
        """Whether somebody should be told now."""
        return bool(self.alarming)

    @property
    def worth_training_on(self) -> bool:
        """Whether a retraining would answer it: something other than a broken pipeline alarms."""
        broken = {one.name for one in self.columns if one.broken}
        return any(name not in broken for name in self.alarming)

    @property
    def since(self) -> datetime | None:
        """When what drifted began to, as far as is known."""
        times = [one.since for one in self.drifted]
        times += [self.together.since] if self.together.drifted else []
        return min((at for at in times if at is not None), default=None)

    @property
    def said(self) -> str:
        """All of it in a sentence or two."""
        if not self.judged:
            return f"too few: {self.rows_current:,} rows against {self.rows_reference:,}; nothing was judged"
        if not self.drifted and not self.together.drifted:
            return f"no drift in {sum(one.judged for one in self.columns)} columns"
        told = [finding.said for finding in self.findings]
        return "; ".join(told) or "drift"

    def to_json(self) -> dict[str, Any]:
        """Return the report as `headgate drift --json` writes it."""
        return {
            "columns": [one.to_json() for one in self.columns],
            "multivariate": {
                **self.together.to_json(),
                "alarm": self.alarm,
                "said": self.said,
                "attribution": [
                    {"cause": f.cause.value, "columns": list(f.columns), "said": f.said}
                    for f in self.findings
                ],
            },
            "drifted_share": self.drifted_share,
            "rows_reference": self.rows_reference,
            "rows_current": self.rows_current,
        }

    def to_record(self) -> dict[str, Any]:
        """Return the report for keeping: as `to_json`, with effects, evidence, since when, and the alarm."""
        return {
            **self.to_json(),
            "alarm": self.alarm,
            "alarming": list(self.alarming),
            "worth_training_on": self.worth_training_on,
            "said": self.said,
            "since": self.since.isoformat() if self.since else None,
            "effects": {
                one.name: {
                    "role": one.role.value,
                    "effect": one.effect,
                    "evidence": _evidence(one.log_e),
                    "since": one.since.isoformat() if one.since else None,
                }
                for one in self.columns
                if one.effect is not None
            },
        }


def _evidence(log_e: float | None) -> float | None:
    return None if log_e is None else exp(min(log_e, 690.0))
