"""The new model held against another on the same held-out requests, by the statistics of the gates.

The new model stands where a candidate does, the other where an incumbent does; blocks, margins and segments
are the plan's. What is judged is the model trained on the part before the held-out time, so that neither has
seen it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from headgate.compare.caps import Caps
from headgate.compare.losses import capped, losses
from headgate.compare.pairs import batch_from
from headgate.compare.quality import paired_rows
from headgate.compare.stays import EPOCH, column_micros
from headgate.errors import InputError
from headgate.evidence import BlockSum, Entry, EvidenceRow, Standing
from headgate.gates.judging import judge
from headgate.plan.applies import LARGER_IS_BETTER, is_loss
from headgate.plan.model import Exclude, Gate, Plan
from headgate.ports import Status
from headgate.report.formats import number
from headgate.tables import SEGMENT
from headgate.training.compared import SERVING, Against, Floats, Opponent, Seen
from headgate.training.window import Span, block_of
from headgate.verdicts import Role, Scorecard


def measuring(plan: Plan) -> Plan:
    """Return the plan as held-out time is judged: its losses alone, paired, all of them labelled.

    Where outcomes depend on the decision the rows that are left were all decided without the candidate, so
    both models can be asked about them.
    """
    gates = tuple(
        gate.model_copy(update={
            "role": Role.GUARDRAIL, "min_samples": 1, "unpaired": False, "ratio": None, "applies": None,
            "from_": 0.0
        })
        for gate in plan.gates if is_loss(gate) and gate.margin is not None
    )  # fmt: skip
    if not gates:
        raise InputError(
            f"asked a gate of {plan.name} that holds answers against outcomes, with a margin; found none; "
            "add one, e.g. {name: quality, metric: brier, margin: 0.005}"
        )
    kept = {gate.name for gate in gates}
    segments = plan.segments
    if segments is not None:
        held = {name: margin for name, margin in segments.gates.items() if name in kept}
        segments = segments.model_copy(update={"gates": held}) if held else None
    outcomes = plan.outcomes.model_copy(
        update={"depends_on_decision": False, "missing": Exclude(exclude="every request here is labelled")}
    )
    unit = plan.unit.model_copy(update={"block": block_of(plan), "independent": False})
    return plan.model_copy(
        update={"gates": gates, "segments": segments, "outcomes": outcomes, "unit": unit, "slices": ()}
    )


def hold_against(
    plan: Plan,
    span: Span,
    held: pa.Table,
    new: Floats,
    other: Opponent,
    segments: Mapping[str, tuple[str, ...]],
) -> Against:
    """Return how the new model compares with another on held-out requests.

    Parameters
    ----------
    held
        As `headgate.training.guards.Usable` has them: n requests.
    new
        The new model's answers, shape (n,).
    segments
        Per column the values above the plan's floor: see `above_the_floor`.
    """
    asked = measuring(plan)
    stay = Entry(0, 0, 0, span.held)
    found, caps = list[EvidenceRow](), Caps()
    rows = _as_exchanges(plan, held, new, other.answers)
    pairs = 0
    for block, part in _blocks(rows, block_of(plan)):
        batch = batch_from(
            asked, part, block, (stay,), segments, salt="", exposed_before=np.zeros(part.num_rows, np.bool_)
        )
        pairs += int(batch.paired.sum())
        found += paired_rows(asked, batch, block, stay, caps.frozen)
        caps = caps.after(asked, batch)
    standing = Standing(0, 0, 0, span.held, span.now, segments=dict(segments) or None)
    card = judge(asked, found, standing)
    blocks = {gate.name: _block_values(found, gate.name) for gate in asked.gates}
    return Against(
        role=other.role,
        version=other.version,
        verdicts=card.verdicts,
        losses=_losses(asked, held, new, other.answers, segments, caps.frozen),
        pairs=pairs,
        blocks=max((len(values) for values in blocks.values()), default=0),
        seen={name: _seen(found, name, values) for name, values in blocks.items() if len(values)},
        worse=tuple(_worse(asked, card, other)),
    )


def above_the_floor(plan: Plan, held: pa.Table) -> dict[str, tuple[str, ...]]:
    """Return per segment column the values that make up enough of the held-out requests."""
    found: dict[str, tuple[str, ...]] = {}
    if plan.segments is None:
        return found
    for name in plan.segments.by:
        counts = held[SEGMENT + name].value_counts().to_pylist()
        least = plan.segments.floor * held.num_rows
        values = (one["values"] for one in counts if one["counts"] >= least)
        found[name] = tuple(sorted(value for value in values if value is not None))
    return found


def _worse(plan: Plan, card: Scorecard, other: Opponent) -> Iterator[str]:
    """Say what is worse: proved, or measured to be what the plan calls bad."""
    against = f"than {other.version}, which {'serves' if other.role == SERVING else 'came beside it'}"
    if card.failed:
        yield f"{card.failed} is proved to be worse {against}"
    gates = {gate.name: gate for gate in plan.gates}
    for row in card.verdicts:
        if row.estimate is None or not row.applies:  # below the floor a segment is shown and not held
            continue
        gate = gates[row.gate]
        by = -row.estimate if gate.metric in LARGER_IS_BETTER else row.estimate
        bad = max(_margin(plan, gate, row.segment), 0.0)
        if by >= bad:
            where = f"{row.gate}[{row.segment}]" if row.segment else row.gate
            yield f"{where} is worse {against}, by {number(by)}; {number(bad)} is what the plan calls bad"


def _margin(plan: Plan, gate: Gate, segment: str | None) -> float:
    of_segments = plan.segments.gates if plan.segments and segment else {}
    return of_segments.get(gate.name, gate.margin or 0.0)


def _as_exchanges(plan: Plan, held: pa.Table, new: Floats, other: Floats) -> pa.Table:
    """Return held-out requests as exchanges: the new model is the candidate, the other the incumbent."""
    label = held[plan.outcomes.label].cast(pa.float64())
    kept = [
        "request_id",
        "entity",
        "at",
        "known_at",
        *(n for n in held.column_names if n.startswith(SEGMENT)),
    ]
    columns: dict[str, Any] = {name: held[name] for name in kept} | {"label": label}
    for side, answers in (("candidate", new), ("incumbent", other)):
        there = np.isfinite(answers)
        columns[f"{side}_prediction"] = pa.array(answers, mask=~there)
        columns[f"{side}_status"] = pa.array(
            np.where(there, Status.OK.value, Status.ERROR.value), pa.string()
        )
    # What is known late is known all the same: the window's labels are mature.
    columns["known_at"] = held["at"]
    return pa.table(columns).sort_by([("entity", "ascending"), ("request_id", "ascending")])


def _blocks(rows: pa.Table, length: timedelta) -> Iterator[tuple[tuple[datetime, datetime], pa.Table]]:
    """Yield every block that has requests, in order of time."""
    size = length // timedelta(microseconds=1)
    numbers = column_micros(rows["at"]) // size
    for number_ in np.unique(numbers).tolist():
        start = EPOCH + number_ * length
        yield (start, start + length), rows.filter(pa.array(numbers == number_))


def _block_values(rows: Sequence[EvidenceRow], gate: str) -> Floats:
    """Return the blocks' mean differences over all requests."""
    found = [row.sums for row in rows if row.gate == gate and row.segment is None]
    return np.array([sums.observed for sums in found if isinstance(sums, BlockSum) and sums.entities])


def _seen(rows: Sequence[EvidenceRow], gate: str, values: Floats) -> Seen:
    every = [row.sums.observed for row in rows if row.gate == gate and isinstance(row.sums, BlockSum)]
    return Seen(float(np.mean(values)), float(np.mean(values**2)), float(np.abs(every).max()))


def _losses(
    plan: Plan,
    held: pa.Table,
    new: Floats,
    other: Floats,
    segments: Mapping[str, tuple[str, ...]],
    caps: Mapping[str, float],
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return both models' mean loss over the requests that both answered: for people to read."""
    label = np.asarray(held[plan.outcomes.label].cast(pa.float64()))
    both = np.isfinite(new) & np.isfinite(other) & np.isfinite(label)
    parts = {"": both}
    for column, values in segments.items():
        named = np.asarray(held[SEGMENT + column].to_numpy(zero_copy_only=False), dtype=object)
        parts |= {f"{column}={value}": both & (named == value) for value in values}
    found = {}
    for gate in plan.gates:
        cap = caps.get(gate.name, gate.cap)
        for name, part in parts.items():
            if part.any():
                mine, theirs = (
                    float(np.mean(capped(losses(gate, plan, side[part], label[part]), cap)))
                    for side in (new, other)
                )
                found[gate.name, name] = (mine, theirs)
    return found
