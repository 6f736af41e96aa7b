"""What one closed span says of a gate, as rows of evidence: one per segment, and one on what a cap cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from headgate.compare.pairs import Batch, Mask
from headgate.evidence import Entry, EvidenceRow, RateSum, Source
from headgate.evidence.sums import Sums
from headgate.plan.model import Gate, Plan


class ClosedRows:
    """Collects the rows of one gate over one closed span.

    Parameters
    ----------
    start
        Of the span: the batch.
    stay
        The one in force then.
    """

    def __init__(self, gate: Gate, start: datetime, stay: Entry, source: Source) -> None:
        self._gate, self._start, self._stay, self._source = gate, start, stay, source
        self.rows: list[EvidenceRow] = []

    def add(self, segment: str | None, sums: Sums, share_bp: int | None = None) -> None:
        """Add sums; of a share of their own where it is not that of the stay."""
        self._row(self._gate.name, segment, sums, share_bp)

    def add_capped(self, above: RateSum, share_bp: int | None = None) -> None:
        """Add how many of the candidate's losses are above the cap."""
        self._row(f"{self._gate.name}-capped", None, above, share_bp)

    def _row(self, name: str, segment: str | None, sums: Sums, share_bp: int | None) -> None:
        share = self._stay.share_bp if share_bp is None else share_bp
        where = (self._start, self._stay.entry, share, self._source, "batch")
        self.rows.append(EvidenceRow(name, segment, *where, sums))


def parts_asked(plan: Plan, gate: Gate, batch: Batch) -> Iterator[tuple[str | None, Mask]]:
    """Yield the parts of a batch that a gate is asked about: all requests, and segments where it has them."""
    segmented: Mapping[str, float] = plan.segments.gates if plan.segments else {}
    for segment, members in batch.parts.items():
        if segment is None or gate.name in segmented:
            yield segment, members
