"""What can be wrong with a request, and what is told of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]

_LONGEST_SHOWN = 80


class Fault(StrEnum):
    """What can be wrong with one value."""

    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    NOT_A_NUMBER = "not_a_number"
    INFINITE = "infinite"
    BELOW_MIN = "below_min"
    ABOVE_MAX = "above_max"
    UNKNOWN_CATEGORY = "unknown_category"
    NAIVE_TIMESTAMP = "naive_timestamp"
    STALE = "stale"  # the source is older than the plan allows
    FROM_LATER = "from_later"  # the source is younger than the request: nobody could have known it
    UNKNOWN_ORIGIN = "unknown_origin"


@dataclass(frozen=True, slots=True)
class Breach:
    """The rows of one column with one fault."""

    column: str
    fault: Fault
    asked: str
    rows: Mask
    values: pa.ChunkedArray

    @property
    def reason(self) -> str:
        """What it is counted as."""
        return f"{self.column}.{self.fault}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What the contract says about n requests, in their order.

    Attributes
    ----------
    mask_ok
        n booleans: the request may be scored. Flagged requests may.
    flagged
        n booleans: scored, though something is odd about it.
    reasons
        ``column.fault`` and in how many requests it was found, rejected and flagged together.
    row_reasons
        Per odd row (position from 0) its reasons, separated by ``; ``.
    """

    mask_ok: Mask
    flagged: Mask
    reasons: dict[str, int]
    row_reasons: dict[int, str]
    _breaches: tuple[Breach, ...]

    def problem(self, row: int, hidden: Collection[str] = ()) -> dict[str, Any] | None:
        """Return what is wrong with one request as problem details (RFC 9457), None when nothing is.

        Values of ``hidden`` columns are not shown.
        """
        if row not in self.row_reasons:
            return None
        errors = [
            {
                "pointer": f"#/{breach.column}",
                "code": breach.fault.value,
                "detail": f"asked {breach.asked}; found {_shown(breach, row, hidden)}",
            }
            for breach in self._breaches
            if breach.rows[row]
        ]
        title = "The request is odd but was scored" if self.mask_ok[row] else "The request cannot be scored"
        return {"type": "about:blank", "title": title, "status": 422, "errors": errors}


def _shown(breach: Breach, row: int, hidden: Collection[str]) -> str:
    value = breach.values[row]
    if not value.is_valid:
        return "nothing"
    return f"a value that is not shown ({value.type})" if breach.column in hidden else _found(value)


def _found(value: pa.Scalar) -> str:
    text = repr(value.as_py())
    return f"{text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '…'} ({value.type})"
