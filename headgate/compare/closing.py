"""Everything a closed batch of time says about the gates that need labels or the live split's arms.

Live flows and the backtest both end here, so that the same exchanges give the same sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from headgate.compare.calibration import calibration_rows
from headgate.compare.overrides import override_rows
from headgate.compare.pairs import Batch
from headgate.compare.quality import paired_rows
from headgate.compare.stays import stay_at
from headgate.compare.unpaired import unpaired_rows
from headgate.evidence import Entry, EvidenceRow
from headgate.plan.model import Plan


def closed_rows_of(
    plan: Plan,
    batch: Batch,
    span: tuple[datetime, datetime],
    entries: Sequence[Entry],
    caps: Mapping[str, float],
) -> list[EvidenceRow]:
    """Return the sums of one closed block (or hour, under ``block: none``).

    Parameters
    ----------
    batch
        The span's requests with the labels known when it closed: see `headgate.compare.pairs`.
    span
        [start, end), aware UTC.
    entries
        All stays so far; the one in force at the span's start is the span's.
    caps
        Per capped gate the largest loss counted: see `headgate.compare.caps`. A gate whose cap is not
        frozen yet has no rows.

    Raises
    ------
    EvidenceError
        If there are no entries.
    """
    stay = stay_at(entries, span[0])
    return [
        *paired_rows(plan, batch, span, stay, caps),
        *calibration_rows(plan, batch, span, stay),
        *unpaired_rows(plan, batch, span, stay, caps),
        *override_rows(plan, batch, span, stay),
    ]
