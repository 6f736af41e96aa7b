"""Everything a closed batch of time says about the gates that need labels or the live split's arms.

Live flows and the backtest both end here, so that the same exchanges give the same sums.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from headgate.compare.calibration import calibration_rows
from headgate.compare.overrides import override_rows
from headgate.compare.pairs import Batch, batch_of
from headgate.compare.quality import paired_rows
from headgate.compare.stays import stay_at
from headgate.compare.unpaired import unpaired_rows
from headgate.evidence import Entry, EvidenceRow
from headgate.plan.model import Plan


def closed_rows(
    plan: Plan,
    exchanges: pa.Table,
    outcomes: pa.Table,
    span: tuple[datetime, datetime],
    entries: Sequence[Entry],
    segments: Mapping[str, tuple[str, ...]],
    *,
    salt: str,
    caps: Mapping[str, float],
    exposed: Collection[str],
) -> list[EvidenceRow]:
    """Return the sums of one closed block (or hour, under ``block: none``) of exchanges and outcomes.

    Parameters
    ----------
    exchanges
        At least those of the span, in any order; others are left out.
    outcomes
        As the outcome log has them, with the plan's column names, not cleaned yet: what contradicts
        an outcome after its block closed must not reach back into it. A label known later than the
        span's end plus the plan's maturity is missing, whenever this is called.
    span
        [start, end), aware UTC.
    entries
        All stays so far; the one in force at the span's start is the span's.
    segments
        Per column the values frozen at preflight; any other value counts as ``other``.
    salt
        Of the rollout's buckets.
    caps
        Per capped gate the largest loss counted: see `headgate.compare.caps`. A gate whose cap is not
        frozen yet has no rows.
    exposed
        Entities that were in a split (0 < share < 100 %) before the span began.

    Raises
    ------
    EvidenceError
        If there are no entries.
    InputError
        If the outcome log is not as the plan says.
    """
    batch = batch_of(plan, exchanges, outcomes, span, entries, segments, salt=salt, exposed=exposed)
    return closed_rows_of(plan, batch, span, entries, caps)


def closed_rows_of(
    plan: Plan,
    batch: Batch,
    span: tuple[datetime, datetime],
    entries: Sequence[Entry],
    caps: Mapping[str, float],
) -> list[EvidenceRow]:
    """Return the same of a batch that is read already."""
    stay = stay_at(entries, span[0])
    return [
        *paired_rows(plan, batch, span, stay, caps),
        *calibration_rows(plan, batch, span, stay),
        *unpaired_rows(plan, batch, span, stay, caps),
        *override_rows(plan, batch, span, stay),
    ]
