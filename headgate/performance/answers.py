"""What the serving model said in one window, before any outcome is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare.pairs import parts_of
from headgate.performance.bins import Binned, Floats, Mask, binned
from headgate.plan.model import Plan
from headgate.ports import Status
from headgate.tables import REQUESTS

#: Answers of the one model that serves; ``seg_<column>`` and ``cost`` follow where there are any.
SERVED = pa.schema(
    [
        *REQUESTS,
        pa.field("prediction", pa.float64()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("version", pa.string()),
        pa.field("reject_reason", pa.string()),
    ]
)

#: Segments told of, the largest first.
MOST_PARTS = 24


@dataclass(frozen=True, slots=True)
class WindowSums:
    """Sums over the requests of one window.

    Attributes
    ----------
    rows
        Requests; ``statuses`` says how many met which fate.
    rejects
        Why the input contract refused requests, by reason.
    bins
        Scores of what was answered; None where the models answer numbers.
    confidence
        Mean of max(p, 1 - p); None where nothing was answered, or no probability.
    mean
        Mean of the answers; None where nothing was answered.
    cost, costed
        Mean cost of an answer, and how many answers told theirs; None where none did.
    parts
        By segment (``column=value``): requests, and how many of them were answered.
    """

    rows: int
    statuses: Mapping[str, int]
    rejects: Mapping[str, int]
    bins: Binned | None
    confidence: float | None
    mean: float | None
    cost: float | None
    costed: int
    parts: Mapping[str, tuple[int, int]]

    @property
    def answered(self) -> int:
        """Requests that got a good answer."""
        return self.statuses.get(Status.OK.value, 0)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; what is not known is null."""
        return {
            "rows": self.rows,
            "statuses": dict(self.statuses),
            "rejects": dict(self.rejects),
            "bins": None if self.bins is None else self.bins.to_json(),
            "confidence": self.confidence,
            "mean": self.mean,
            "cost": self.cost,
            "costed": self.costed,
            "parts": {name: list(counts) for name, counts in self.parts.items()},
        }


def window_sums(plan: Plan, served: pa.Table, segments: Mapping[str, tuple[str, ...]]) -> WindowSums:
    """Return the sums of a window.

    Parameters
    ----------
    served
        As `SERVED`, in any order.
    segments
        Per column of ``segments.by`` the values told of; others are ``other``.
    """
    ok = answered(served)
    answers = floats(served["prediction"])[ok]
    costs = floats(served["cost"])[ok] if "cost" in served.column_names else np.zeros(0)
    costs = costs[np.isfinite(costs)]
    numbers = plan.prediction.kind == "number"
    sure = np.maximum(answers, 1 - answers)
    return WindowSums(
        rows=served.num_rows,
        statuses=_counted(served["status"]),
        rejects=_counted(served["reject_reason"]),
        bins=None if numbers else binned(answers, threshold_of(plan)),
        confidence=mean_of(sure) if plan.prediction.kind == "probability" else None,
        mean=mean_of(answers),
        cost=mean_of(costs),
        costed=len(costs),
        parts={
            name: (int(here.sum()), int((here & ok).sum()))
            for name, here in largest(parts_of(plan, served, segments)).items()
        },
    )


def answered(served: pa.Table) -> Mask:
    """Return which requests got a good answer, shape (n,)."""
    return np.asarray(pc.equal(served["status"], Status.OK.value), dtype=np.bool_)


def threshold_of(plan: Plan) -> float:
    """Return from which score on a decision is positive; labels are decisions already."""
    return plan.prediction.threshold if plan.prediction.kind == "probability" else 0.5


def largest(parts: Mapping[str | None, Mask]) -> dict[str, Mask]:
    """Return the largest segments that anything is in, without that of all requests."""
    sized = [(name, here) for name, here in parts.items() if name is not None and here.any()]
    return dict(sorted(sized, key=lambda one: (-int(one[1].sum()), one[0]))[:MOST_PARTS])


def floats(column: pa.ChunkedArray) -> Floats:
    """Return a column as numbers, NaN where there is none; shape (n,)."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def mean_of(values: npt.NDArray[np.float64]) -> float | None:
    """Return the mean; None of nothing, or where it is no finite number."""
    found = float(values.mean()) if len(values) else None
    return found if found is not None and np.isfinite(found) else None


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    return dict(sorted(Counter(value for value in column.to_pylist() if value is not None).items()))
