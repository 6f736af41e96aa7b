"""A window of requests scored by the one model that serves, off the answer path.

After a promotion nobody scores windows for a rollout any more, and the plane's log has no scores: whoever
watches the model asks it again. Nothing here ever reaches a caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from headgate.adapters.scoring import (
    Batches,
    answer_columns,
    ask,
    count_answers,
    only_version,
    segment_column,
    sent,
)
from headgate.contract import check
from headgate.performance import SERVED
from headgate.plan.model import Plan
from headgate.ports import Model, Side
from headgate.tables import REQUESTS, SEGMENT, clean_requests

#: One side's columns of exchanges, and what they are called here.
_COLUMNS = ("prediction", "status", "version", "cost")


@dataclass(frozen=True, slots=True)
class ServedWindow:
    """What one model said to a window, as `headgate.performance.SERVED`, and what was counted."""

    table: pa.Table
    counts: dict[str, int]


async def serve(requests: pa.Table, plan: Plan, model: Model, version: str) -> ServedWindow:
    """Score one window of requests with the serving model.

    Parameters
    ----------
    requests
        As the request log has them.
    version
        Which should answer; an answer of another one is invalid.

    Raises
    ------
    InputError
        If a column the plan names is missing or cannot be what it says.
    """
    cleaned = clean_requests(requests, plan)
    table = cleaned.table
    counts = Counter({"read": requests.num_rows, **cleaned.counts})
    allowed, reasons = np.ones(table.num_rows, dtype=np.bool_), {}
    if plan.input is not None:
        checked = check(table, plan.input)
        allowed, reasons = checked.mask_ok, checked.row_reasons
        counts.update({f"input.{reason}": n for reason, n in checked.reasons.items()})
    rows = np.flatnonzero(allowed)
    batches = Batches(sent(table.take(pa.array(rows)), plan), plan.serving.batch)
    answers = (await ask(batches, {Side.INCUMBENT: model}, plan, None))[Side.INCUMBENT]
    known = [only_version(version, answer, Side.INCUMBENT, counts) for answer in answers]
    columns = answer_columns(Side.INCUMBENT, known, rows, table.num_rows)
    counts.update(count_answers(Side.INCUMBENT, known)[0])
    rejected = [None if ok else reasons.get(row) for row, ok in enumerate(allowed.tolist())]
    columns["reject_reason"] = pa.array(rejected, pa.string())
    by = plan.segments.by if plan.segments else ()
    columns |= {SEGMENT + column: segment_column(table, column) for column in by}
    columns |= {name: table[name] for name in REQUESTS.names}
    made = as_served(pa.table(columns), Side.INCUMBENT, by)
    counted = {name.removeprefix(f"{Side.INCUMBENT}_"): count for name, count in counts.items()}
    return ServedWindow(made, counted)


def as_served(exchanges: pa.Table, side: Side, by: Sequence[str]) -> pa.Table:
    """Return one side of exchanges as answers of the model that serves."""
    found: dict[str, Any] = {name: exchanges[name] for name in REQUESTS.names}
    for name in _COLUMNS:
        if (column := f"{side}_{name}") in exchanges.column_names:
            found[name] = exchanges[column]
    found["reject_reason"] = exchanges["reject_reason"]
    found |= {SEGMENT + column: exchanges[SEGMENT + column] for column in by}
    more = [name for name in found if name not in SERVED.names]
    return pa.table({name: found[name] for name in (*SERVED.names, *more)})
