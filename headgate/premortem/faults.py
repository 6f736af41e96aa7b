"""The faults: pure functions from a table of exchanges to a table of exchanges.

No row comes or goes and their order stays. A fault changes what its description says and nothing else,
and only in requests from its onset on. The same table and target give the same fault.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare.losses import losses
from headgate.compare.stays import column_micros, micros
from headgate.plan.model import Gate, Metric
from headgate.ports import Side, Status
from headgate.premortem.fault import Inject
from headgate.premortem.target import TENTH, Target, floats
from headgate.premortem.worse import worsen
from headgate.routing import FULL_BP, bucket
from headgate.tables import SEGMENT
from headgate.tables.columns import INSTANT

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

ERRORS = 0.05
SLOWER = 1.3
SKEW = 0.1
#: A split that history did not record is written as this one.
_HALF = FULL_BP // 2
_LATE = timedelta(days=1)


def begun(table: pa.Table, target: Target) -> Mask:
    """Return which requests came at the onset or later, shape (n,)."""
    after: Mask = column_micros(table["at"]) >= micros(target.onset)
    return after


def in_segment(table: pa.Table, target: Target) -> Mask:
    """Return which requests are in the segment that one fault is confined to, shape (n,)."""
    if target.segment is not None:
        column, value = target.segment
        return np.asarray(pc.fill_null(pc.equal(table[SEGMENT + column], value), False), dtype=np.bool_)
    return _buckets(table, f"segment-{target.seed}") < TENTH * FULL_BP


def nothing(table: pa.Table, _target: Target, _dice: np.random.Generator) -> pa.Table:
    """Leave the history as it is."""
    return table


def equal(table: pa.Table, target: Target, dice: np.random.Generator) -> pa.Table:
    """Swap both sides' answers in half of the blocks: neither side is better than the other."""
    if dice.random() < 0.5:
        return table
    swapped = table
    here = begun(table, target)
    for name in ("prediction", "status", "latency_ms", "cost", "value"):
        ours, theirs = f"candidate_{name}", f"incumbent_{name}"
        if {ours, theirs} <= set(table.column_names):
            swapped = _with(swapped, ours, table[theirs], here)
            swapped = _with(swapped, theirs, table[ours], here)
    return swapped


def worse(times: float, *, segment: bool = False) -> Inject:
    """Return the fault of a candidate that is worse by the margin so many times over."""

    def inject(table: pa.Table, target: Target, dice: np.random.Generator) -> pa.Table:
        here = begun(table, target)
        if segment:
            here &= in_segment(table, target)
        return _worsened(table, target, here, times * (target.segment_d if segment else target.d), dice)

    return inject


def errors(table: pa.Table, target: Target, dice: np.random.Generator) -> pa.Table:
    """Let the candidate fail on a twentieth of its requests."""
    failed = begun(table, target) & _answered(table, Side.CANDIDATE) & (dice.random(table.num_rows) < ERRORS)
    status = pa.array(np.full(table.num_rows, Status.ERROR.value))
    nobody = pa.nulls(table.num_rows, table["candidate_prediction"].type)
    return _with(_with(table, "candidate_status", status, failed), "candidate_prediction", nobody, failed)


def slow(table: pa.Table, target: Target, _dice: np.random.Generator) -> pa.Table:
    """Let every answer of the candidate take longer."""
    times = floats(table, "candidate_latency_ms")
    return _with(table, "candidate_latency_ms", pa.array(times * SLOWER), begun(table, target))


def late_in_bad_cases(table: pa.Table, target: Target, dice: np.random.Generator) -> pa.Table:
    """Make the candidate worse by the margin, and its labels late wherever it did worse."""
    gate, plan = target.gate, target.plan
    if gate is None:
        return table
    made = worse(1)(table, target, dice)
    label = floats(made, "label")
    ours, theirs = (floats(made, f"{side}_prediction") for side in (Side.CANDIDATE, Side.INCUMBENT))
    usable = np.isfinite(label) & np.isfinite(ours) & np.isfinite(theirs)
    bad = np.zeros(len(label), dtype=np.bool_)
    bad[usable] = losses(gate, plan, ours[usable], label[usable]) > losses(
        gate, plan, theirs[usable], label[usable]
    )
    block = timedelta(hours=1) if plan.unit.block == "none" else plan.unit.block
    closing = column_micros(made["at"]) + micros_of(block + plan.outcomes.maturity + _LATE)
    return _with(made, "known_at", pa.array(closing, INSTANT), bad & begun(made, target))


def skewed_split(table: pa.Table, target: Target, _dice: np.random.Generator) -> pa.Table:
    """Send the candidate a tenth more entities than the split says."""
    names, here = set(table.column_names), begun(table, target)
    drawn = _buckets(table, f"skew-{target.seed}") / FULL_BP
    if not {"served_by", "share_bp"} <= names:
        side = np.where(drawn < 0.5 * (1 + SKEW), Side.CANDIDATE.value, Side.INCUMBENT.value)
        n = table.num_rows
        table = table.append_column("served_by", pa.nulls(n, pa.string()))
        table = table.append_column("share_bp", pa.nulls(n, pa.int32()))
        table = _with(table, "served_by", pa.array(side.tolist(), pa.string()), here)
        return _with(table, "share_bp", pa.array(np.full(n, _HALF, dtype=np.int32)), here)
    share = np.nan_to_num(floats(table, "share_bp")) / FULL_BP
    split = here & (share > 0) & (share < 1)
    more = drawn < SKEW * share / np.maximum(1 - share, 1e-9)
    theirs = np.asarray(pc.fill_null(pc.equal(table["served_by"], Side.INCUMBENT.value), False), np.bool_)
    side = pa.array([Side.CANDIDATE.value] * table.num_rows, pa.string())
    return _with(table, "served_by", side, split & more & theirs)


def dropped_feature(table: pa.Table, target: Target, _dice: np.random.Generator) -> pa.Table:
    """Let the candidate answer the block's mean, or its most frequent label, whatever it is asked."""
    here = begun(table, target) & _answered(table, Side.CANDIDATE)
    answers = floats(table, "candidate_prediction")
    if not here.any():
        return table
    if target.plan.prediction.kind == "label":
        values, counts = np.unique(answers[here], return_counts=True)
        same = float(values[counts.argmax()])
    else:
        same = float(answers[here].mean())
    return _with(table, "candidate_prediction", pa.array(np.full(len(answers), same)), here)


def wrong_rows(table: pa.Table, target: Target, dice: np.random.Generator) -> pa.Table:
    """Give every request of a block the candidate's answer to another one."""
    here = np.flatnonzero(begun(table, target) & _answered(table, Side.CANDIDATE))
    answers = floats(table, "candidate_prediction")
    moved = answers.copy()
    moved[here] = answers[dice.permutation(here)]
    changed = np.zeros(len(answers), dtype=np.bool_)
    changed[here] = True
    return _with(table, "candidate_prediction", pa.array(moved), changed)


def _worsened(table: pa.Table, target: Target, here: Mask, d: float, dice: np.random.Generator) -> pa.Table:
    gate = target.gate
    if gate is None:
        return table
    if gate.metric is Metric.COST or (gate.metric is Metric.VALUE and gate.payoff is None):
        return _dearer(table, gate, here, d)
    answers, label = floats(table, "candidate_prediction"), floats(table, "label")
    usable = here & np.isfinite(answers) & np.isfinite(label) & _answered(table, Side.CANDIDATE)
    made = answers.copy()
    made[usable] = worsen(gate, target.plan, answers[usable], label[usable], d, dice).answers
    return _with(table, "candidate_prediction", pa.array(made), usable)


def _dearer(table: pa.Table, gate: Gate, here: Mask, d: float) -> pa.Table:
    column, sign = ("candidate_cost", 1) if gate.metric is Metric.COST else ("candidate_value", -1)
    if column not in table.column_names:
        return table
    return _with(table, column, pa.array(floats(table, column) + sign * d), here)


def _answered(table: pa.Table, side: Side) -> Mask:
    return np.asarray(pc.fill_null(pc.equal(table[f"{side}_status"], Status.OK.value), False), np.bool_)


def _buckets(table: pa.Table, salt: str) -> npt.NDArray[np.int64]:
    """Return each request's bucket by its entity, 0 to 9,999, shape (n,)."""
    codes = table["entity"].combine_chunks().dictionary_encode()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.combine_chunks()
    each = np.array([bucket(salt, str(name)) for name in codes.dictionary.to_pylist()], dtype=np.int64)
    return each[np.asarray(codes.indices)] if len(each) else np.zeros(table.num_rows, dtype=np.int64)


def _with(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray, where: Mask) -> pa.Table:
    """Return the table with other values in one column, where the mask says; its type stays."""
    old = table[column]
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    new = pc.if_else(pa.array(where), values.cast(old.type), old.combine_chunks())
    return table.set_column(table.schema.get_field_index(column), table.schema.field(column), new)


def micros_of(length: timedelta) -> int:
    """Return a duration in microseconds."""
    return length // timedelta(microseconds=1)
