"""What the rates and the latency share: requests are counted, unless those of one hour fail together.

`headgate.stats.hours` says when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headgate.gates.finding import Finding, Trail
from headgate.gates.questions import Question
from headgate.stats.betting import FloatArray
from headgate.stats.blocks import autocorrelation
from headgate.stats.hours import FEWEST_EVENTS, FEWEST_HOURS, Hours, held, shocks


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One of the two e-processes: log E by requests and by the hour, and both units' counts."""

    by_request: FloatArray
    by_hour: FloatArray
    requests: FloatArray
    hours: Hours

    def trail(self, *, hourly: bool, log_e: FloatArray) -> Trail:
        """Return the trail with the units that count."""
        return Trail(log_e, np.cumsum(self.hours.seen if hourly else self.requests).astype(np.float64))


def by_unit(
    question: Question, advance: Evidence, harm: Evidence, batch: str = "hour", alike: str = "fail together"
) -> Finding:
    """Return both trails in the unit that counts, and say which and why.

    The design effect is that of all the rollout's hours, for both: how requests hang together is no
    news of this step. All hours are judged as it is now.

    Parameters
    ----------
    batch
        What one batch of the evidence is called: an hour, or a block where labels are waited for.
    alike
        What requests do that share their batch's shocks.
    """
    batches = "batches" if batch == "batch" else f"{batch}s"
    found = shocks(harm.hours).now()
    known, hourly = bool(found.known[0]), bool(found.shared[0])
    log_advance = held(advance.by_request, advance.by_hour, found, harm=False)
    log_harm = held(harm.by_request, harm.by_hour, found, harm=True)
    notes = []
    if hourly:
        notes.append(
            f"counts {batches}: requests of one {batch} {alike}, design effect {float(found.effect[0]):.1f}"
        )
    elif not known and harm.by_request[-1] >= question.log_rollback > log_harm[-1]:
        notes.append(
            f"by requests harm has log E {harm.by_request[-1]:.1f}, by the {batch} {log_harm[-1]:.1f}: both "
            f"must show it until {FEWEST_HOURS} {batches} and {FEWEST_EVENTS} events tell whether requests "
            f"of one {batch} {alike}"
        )
    return Finding(
        advance.trail(hourly=hourly, log_e=log_advance),
        harm.trail(hourly=hourly, log_e=log_harm),
        unit=batches if hourly else "requests",
        requests=int(np.sum(advance.requests)),
        notes=tuple(notes),
        design_effect=float(found.effect[0]) if known else None,
        autocorrelation=autocorrelation(harm.hours.value[harm.hours.seen].tolist()) if known else None,
    )


def column(sums: Sequence[object], name: str) -> FloatArray:
    """Return one field of each of T sums, shape (T,)."""
    return np.array([getattr(s, name) for s in sums], dtype=np.float64)
