"""What history says about the traffic and the models, so that a forecast has to guess less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import sqrt

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.backtest.history import History
from headgate.compare.caps import Caps
from headgate.compare.latency import limits, needed, quantile_of
from headgate.compare.money import money_rows
from headgate.compare.pairs import Batch, batch_from
from headgate.compare.quality import paired_rows
from headgate.compare.rates import window_rows
from headgate.errors import InputError
from headgate.evidence import BlockSum, Entry, EvidenceRow, RateSum, UnitSum
from headgate.plan.model import Gate, Metric, Plan
from headgate.power.assumptions import Assumptions, Measured
from headgate.power.losses import FEWEST_MEASURED
from headgate.stats.grid import STEPS
from headgate.tables.slices import slice_of

Floats = npt.NDArray[np.float64]
HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def measure(plan: Plan, history: History, rate: float | None = None) -> Assumptions:
    """Return what history says; every exchange is looked at as shadow would see it.

    Parameters
    ----------
    plan
        The whole plan, with its slices.
    history
        Exchanges joined with their outcomes.
    rate
        Requests per day to forecast for; None: as many as history had.

    Raises
    ------
    InputError
        If the history is shorter than a day.
    """
    length = (history.last_at - history.first_at) / timedelta(days=1)
    if length < 1:
        raise InputError(
            f"--exchanges: asked at least a day of history to measure from; found {length * 24:.1f} hours; "
            "give a longer one, or the figures themselves"
        )
    seen = _Seen(plan, segments_above_floor(plan, history))
    for table in history.blocks():
        seen.add(table)
    known = seen.assumptions(history, length)
    return known if rate is None else replace(known, rate=rate, measured=known.measured - {"rate"})


def segments_above_floor(plan: Plan, history: History) -> dict[str, tuple[str, ...]]:
    """Return per segment column of the plan the values above its floor, as preflight would freeze them."""
    if plan.segments is None:
        return {}
    least = plan.segments.floor * history.rows
    return {
        column: tuple(sorted(value for value, n in history.segments.get(column, {}).items() if n >= least))
        for column in plan.segments.by
    }


@dataclass(slots=True)
class _Seen:
    """What has been counted so far; lives only inside `measure`."""

    plan: Plan
    segments: Mapping[str, tuple[str, ...]]
    caps: Caps = field(default_factory=Caps)
    blocks: dict[tuple[str, str | None], list[float]] = field(default_factory=dict)
    moments: dict[str, list[float]] = field(default_factory=dict)
    rates: dict[str, list[int]] = field(default_factory=dict)
    latencies: list[tuple[Floats, Floats]] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)
    slices: dict[str, int] = field(default_factory=dict)
    entities: set[str] = field(default_factory=set)

    def add(self, table: pa.Table) -> None:
        """Count one block of exchanges."""
        plan = self.plan
        length = HOUR if plan.unit.block == "none" else plan.unit.block
        first: datetime = pc.min(table["at"]).as_py()
        start = _EPOCH + (first - _EPOCH) // length * length
        span, stay = (start, start + length), Entry(0, 0, 0, start)
        nobody = np.zeros(table.num_rows, dtype=np.bool_)
        batch = batch_from(plan, table, span, (stay,), self.segments, salt=plan.name, exposed_before=nobody)
        rows = paired_rows(plan, batch, span, stay, self.caps.frozen)
        rows += window_rows(plan, table, (stay,), "history")
        rows += money_rows(plan, table, (stay,), "history", self.caps.frozen)
        for row in rows:
            self._row(row)
        self.caps = self.caps.after(plan, batch)
        self._answers(batch)
        self.entities.update(pc.unique(table["entity"]).to_pylist())
        if plan.slices:
            for part in pc.value_counts(slice_of(plan, table).cast(pa.string())).to_pylist():
                if part["values"] is not None:
                    self.slices[part["values"]] = self.slices.get(part["values"], 0) + part["counts"]
        if {"incumbent_latency_ms", "candidate_latency_ms"} <= set(table.column_names):
            order = np.argsort(batch.at, kind="stable")
            pair = (_floats(table, f"{side}_latency_ms")[order] for side in ("incumbent", "candidate"))
            self.latencies.append(tuple(pair))  # type: ignore[arg-type]  # two of them

    def _row(self, row: EvidenceRow) -> None:
        match row.sums:
            case BlockSum(entities=entities, observed=observed) if entities:
                self.blocks.setdefault((row.gate, row.segment), []).append(observed)
            case UnitSum(worst=worst, scale=scale) if row.segment is None:
                found = self.moments.setdefault(row.gate, [0.0, 0.0, 0.0])
                for index, count in worst:
                    value = index / STEPS * scale
                    for place, added in enumerate((count, count * value, count * value * value)):
                        found[place] += added
            case RateSum(n=n, x=x):
                pooled = self.rates.setdefault(row.gate, [0, 0])
                pooled[0] += n
                pooled[1] += x

    def _answers(self, batch: Batch) -> None:
        pairs, label = batch.paired, batch.label
        decided = [self._decisions(side[pairs]) for side in (batch.incumbent, batch.candidate)]
        known = np.isfinite(label)
        for name, number in (
            ("pairs", int(pairs.sum())),
            ("differ", int((decided[0] != decided[1]).sum())),
            ("labels", int(known.sum())),
            ("positive", float(np.sum(label[known] == 1))),
            ("unlabelled", int((pairs & ~known & batch.drawn).sum())),
        ):
            self.counts[name] = self.counts.get(name, 0.0) + number

    def _decisions(self, answers: Floats) -> Floats:
        if self.plan.prediction.kind == "probability":
            return (answers >= self.plan.prediction.threshold).astype(np.float64)
        return answers

    def assumptions(self, history: History, days: float) -> Assumptions:
        """Return everything that was counted, as shares and rates."""
        count = self.counts
        shares = {
            f"{column}={value}": history.segments[column][value] / history.rows
            for column, values in self.segments.items()
            for value in values
        }
        found = {
            "disagreement": _share(count["differ"], count["pairs"]),
            "missing": _share(count["unlabelled"], count["pairs"]) if count["labels"] else None,
            "base_rate": _share(count["positive"], count["labels"])
            if self.plan.prediction.kind != "number"
            else None,
        }
        told = {name: value for name, value in found.items() if value is not None}
        return Assumptions(
            rate=history.rows / days,
            entities=len(self.entities) / days,
            segments=shares,
            slices={name: n / history.rows for name, n in self.slices.items()},
            gates={gate.name: self._gate(gate) for gate in self.plan.all_gates},
            measured=frozenset({"rate", "entities", "segments", "slices", *told}),
            **told,
        )

    def _sd(self, gate: Gate) -> float | None:
        n, total, squares = self.moments.get(gate.name, (0.0, 0.0, 0.0))
        spread = squares / n - (total / n) ** 2 if n else 0.0
        return sqrt(spread) if spread > 0 else None

    def _gate(self, gate: Gate) -> Measured:
        blocks = {
            segment: tuple(values)
            for (name, segment), values in self.blocks.items()
            if name == gate.name and len(values) >= FEWEST_MEASURED
        }
        n, x = self.rates.get(gate.name, (0, 0))
        cap = self.caps.frozen.get(gate.name)
        return Measured(blocks, x / n if n else None, self._slow(gate), self._sd(gate), cap)

    def _slow(self, gate: Gate) -> tuple[float, float] | None:
        """Return how often the candidate passed both limits, with tau frozen as the judge freezes it."""
        if gate.metric is not Metric.LATENCY or gate.quantile is None or not self.latencies:
            return None
        incumbent, candidate = (np.concatenate(side) for side in zip(*self.latencies, strict=True))
        first, times = incumbent[np.isfinite(incumbent)], candidate[np.isfinite(candidate)]
        least = needed(gate.quantile)
        if len(first) < least or not len(times):
            return None
        advance, harm = limits(gate, quantile_of(first[:least].tolist(), gate.quantile))
        return float(np.mean(times > advance)), float(np.mean(times > harm))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _floats(table: pa.Table, column: str) -> Floats:
    return np.asarray(table[column].cast(pa.float64()), dtype=np.float64)
