"""What each request cost or was worth, by column of the exchanges: paired differences by the hour.

Both sides are scored off the answer path, so an exchange may carry what either answer cost
(``incumbent_cost``, ``candidate_cost``) or was worth (``incumbent_value``, ``candidate_value``). Tails are
heavy: an amount counts up to a cap, a frozen quantile of the incumbent's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headgate.compare.cells import Cells, cells_of
from headgate.compare.pairs import Floats, Mask
from headgate.compare.stays import column_micros
from headgate.errors import InputError
from headgate.evidence import Entry, EvidenceRow, RateSum, Source, UnitSum
from headgate.plan.applies import MONEY, columns_of, is_unpaired
from headgate.plan.model import Gate, Metric, Plan
from headgate.stats.grid import STEPS, counts_of


def money_rows(
    plan: Plan, exchanges: pa.Table, entries: Sequence[Entry], part: str, caps: Mapping[str, float]
) -> list[EvidenceRow]:
    """Return hourly sums of every paired gate on an amount.

    Parameters
    ----------
    exchanges
        Table of exchanges, any order, each request once. The columns of an amount are optional.
    entries
        All stays so far, in order of time.
    part
        Which window these exchanges are; each window is counted once.
    caps
        Per gate the cap frozen before this window: see `headgate.compare.caps`. A gate's own goes first.

    Returns
    -------
    list of EvidenceRow
        Per gate a `UnitSum` of the candidate's capped cost minus the incumbent's (of values: the
        incumbent's minus the candidate's, so that larger is worse), on a grid of 2**-12 x the cap, and a
        `RateSum` of the candidate's amounts beyond the cap. A request of which either amount is null,
        no finite number, or a cost below 0 is left out and counted as unpaired. No row without the
        columns, or without a cap.

    Raises
    ------
    InputError
        If a column holds no numbers.
    """
    rows: list[EvidenceRow] = []
    gates = [g for g in plan.gates if g.metric in MONEY and g.payoff is None and not is_unpaired(g, plan)]
    if not gates or not exchanges.num_rows:
        return rows
    cells = cells_of(entries, column_micros(exchanges["at"]))
    for gate in gates:
        cap = caps.get(gate.name) if gate.cap is None else gate.cap
        if cap is None or not set(columns_of(gate)) <= set(exchanges.column_names):
            continue
        amounts = [_numbers(exchanges, column) for column in columns_of(gate)]
        (incumbent, above0), (candidate, above1) = (usable_amounts(gate, side, cap) for side in amounts)
        paired = np.isfinite(incumbent) & np.isfinite(candidate)
        difference = np.where(paired, candidate - incumbent, 0.0)
        for (hour, entry), here in _by_cell(cells):
            pairs = here[paired[here]]
            stay = entry.entry, entry.share_bp, Source.SHADOW, part
            either = int((above0[pairs] | above1[pairs]).sum())
            one = _unit_sum(difference[pairs] / cap * STEPS, cap, len(here) - len(pairs), either)
            rows.append(EvidenceRow(gate.name, None, hour, *stay, one))
            if len(pairs):
                rate = RateSum(len(pairs), int(above1[pairs].sum()))
                rows.append(EvidenceRow(f"{gate.name}-capped", None, hour, *stay, rate))
    return rows


def _by_cell(cells: Cells) -> Iterator[tuple[tuple[datetime, Entry], npt.NDArray[np.intp]]]:
    """Yield each hour of a stay with the places of its requests."""
    order = np.argsort(cells.of, kind="stable")
    ends = np.cumsum(np.bincount(cells.of, minlength=len(cells.keys)))
    yield from zip(cells.keys, np.split(order, ends[:-1]), strict=True)


def usable_amounts(gate: Gate, amounts: Floats, cap: float | None) -> tuple[Floats, Mask]:
    """Return amounts as capped losses, NaN where one is of no use, and which are beyond the cap.

    A value may be negative and counts from -cap to cap; what is worth more is less of a loss.
    """
    usable = np.isfinite(amounts) & ((amounts >= 0) | (gate.metric is Metric.VALUE))
    beyond = usable & (np.abs(np.where(usable, amounts, 0.0)) > (np.inf if cap is None else cap))
    sign = -1.0 if gate.metric is Metric.VALUE else 1.0
    counted = amounts if cap is None else np.clip(amounts, -cap, cap)
    return np.where(usable, sign * counted, np.nan), beyond


def _numbers(exchanges: pa.Table, name: str) -> Floats:
    column = exchanges[name]
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise InputError(
            f"exchanges: asked {name!r} as numbers; found {kind}; convert it where it is written"
        )
    return np.asarray(column.cast(pa.float64(), safe=False), dtype=np.float64)


def _unit_sum(steps: Floats, cap: float, unpaired: int, capped: int) -> UnitSum:
    return UnitSum(
        counts_of(np.ceil(steps)), counts_of(np.floor(steps)), unpaired=unpaired, scale=cap, capped=capped
    )
