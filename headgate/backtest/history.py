"""What a replay reads: exchanges of the past with what is known of each, one block of time at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol

import pyarrow as pa


class History(Protocol):
    """Cleaned exchanges joined with their outcomes. Reading it twice gives the same tables."""

    @property
    def first_at(self) -> datetime:
        """Time of the first exchange, aware UTC."""
        ...

    @property
    def last_at(self) -> datetime:
        """Time of the last exchange, aware UTC."""
        ...

    @property
    def rows(self) -> int:
        """Usable exchanges."""
        ...

    @property
    def outcomes(self) -> int:
        """Usable outcomes of these exchanges, those known too late to be judged included."""
        ...

    @property
    def data_quality(self) -> Mapping[str, int]:
        """What was wrong, and how often: {reason: count}, in order of reasons; nothing at 0."""
        ...

    @property
    def segments(self) -> Mapping[str, Mapping[str, int]]:
        """Per segment column of the plan how many exchanges have which value."""
        ...

    def blocks(self) -> Iterator[pa.Table]:
        """Yield one table per block (or hour, under ``block: none``) that has exchanges, in order of time.

        Rows are sorted by (entity, request id). Columns: ``request_id``, ``entity``, ``at``,
        ``incumbent_prediction``, ``candidate_prediction``, ``incumbent_status``, ``candidate_status``,
        ``label`` and ``known_at`` (null without an outcome); where the files have them also
        ``incumbent_latency_ms`` and ``candidate_latency_ms``, ``…_cost``, ``…_value``, ``served_by``,
        ``share_bp``, ``overridden``; ``seg_<column>`` per segment column of the plan, and by its own name
        every column that its slices ask for.
        """
        ...
