"""The words of a judgement: verdicts per gate and the scorecard of all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """Worst first, so that ``worst`` can read down the list."""

    FAIL = "fail"
    ERROR = "error"
    NO_DATA = "no_data"
    INCONCLUSIVE = "inconclusive"
    PASS = "pass"  # noqa: S105 - a verdict, not a password


class Role(StrEnum):
    """What a gate may do."""

    GUARDRAIL = "guardrail"  # rolls back, and must pass to advance
    SIGNAL = "signal"  # pauses, and must pass to advance
    REPORT = "report"  # only tells


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """One gate's answer for all requests or for one segment, with what an operator reads.

    Attributes
    ----------
    applies
        Whether the gate counts on this step; where it does not, it is listed and not judged.
    estimate, lower, upper
        In the metric's own unit, None without data. ``lower``/``upper``: valid at any look, or None.
    log_e_advance, log_e_rollback
        Natural logarithms of the two e-processes now.
    log_threshold_advance, log_threshold_rollback
        What they are held against. For a guardrail the rollback threshold applies to the weighted
        mean over all guardrails; ``weight`` is this row's weight in it.
    samples
        Matured units: closed blocks, requests or entities (``unit``).
    needed
        Units still likely needed; None when that cannot be said.
    reason
        One sentence.
    design_effect, autocorrelation
        Of the block means; None where there are no blocks.
    """

    gate: str
    segment: str | None
    role: Role
    verdict: Verdict
    applies: bool
    estimate: float | None
    lower: float | None
    upper: float | None
    log_e_advance: float
    log_e_rollback: float
    log_threshold_advance: float
    log_threshold_rollback: float
    weight: float
    samples: int
    needed: int | None
    unit: str
    reason: str
    design_effect: float | None = None
    autocorrelation: float | None = None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All verdicts of one tick, and what follows from them together.

    Attributes
    ----------
    log_harm
        log of M, the weighted mean of the guardrails' rollback e-values.
    log_harm_threshold
        log(1/beta) of this attempt; ``failed`` names the guardrail when log_harm reaches it.
    failed
        Guardrail (``gate`` or ``gate[segment]``) that failed, or None.
    alarmed
        Signals whose own rollback e-value reached the threshold.
    split_alarm
        The traffic split is not as configured (sample ratio).
    matured_through
        End of the last closed block; None before the first, or when no gate uses blocks.
    """

    verdicts: tuple[GateVerdict, ...]
    log_harm: float
    log_harm_threshold: float
    failed: str | None
    alarmed: tuple[str, ...]
    split_alarm: bool
    matured_through: datetime | None

    def deciding(self) -> tuple[GateVerdict, ...]:
        """Return the verdicts that an advance needs: applicable guardrails and signals."""
        return tuple(v for v in self.verdicts if v.applies and v.role is not Role.REPORT)

    def passes(self) -> bool:
        """Return whether every applicable guardrail and signal passes, and there is a guardrail."""
        deciding = self.deciding()
        return any(v.role is Role.GUARDRAIL for v in deciding) and all(
            v.verdict is Verdict.PASS for v in deciding
        )

    def digest(self, versions: tuple[str, str]) -> str:
        """Return the hash an approval is bound to: which verdicts were seen, of which versions."""
        seen = sorted((v.gate, v.segment or "", v.verdict.value) for v in self.deciding())
        body = json.dumps([seen, list(versions)], separators=(",", ":"))
        return hashlib.sha256(body.encode()).hexdigest()


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict; no verdict at all is no data, never a pass."""
    seen = set(verdicts)
    return next((v for v in Verdict if v in seen), Verdict.NO_DATA)
