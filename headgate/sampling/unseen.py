"""What a set of requests never saw: values, ranges and gaps that the real stream has and the set has not.

A sample of n requests always misses something: of a continuous column the stream is above the largest
and below the smallest of n random ones once in n + 1 requests each, and a value of share p is missed with
chance (1 - p)^n. So every finding stands beside what a *random* set of the same size would have missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.errors import InputError
from headgate.profile.arrays import floats_in
from headgate.sampling.seen import Cover, Kind, Seen, kind_of

Rows = npt.NDArray[np.bool_]

_EXAMPLES = 5


class Gap(StrEnum):
    """What was never seen."""

    VALUE = "value"
    BELOW = "below"
    ABOVE = "above"
    MISSING = "missing"
    NOT_FINITE = "not_finite"
    COLUMN = "column"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the stream has and the set never saw.

    Attributes
    ----------
    rows, share
        Requests of the stream that have it, and their share of all.
    by_chance
        The share that a random set of the same size would miss on average; None where that is unknown.
    examples
        The commonest values, or the most extreme number.
    """

    column: str
    gap: Gap
    rows: int
    share: float
    by_chance: float | None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a set never saw of a stream.

    Attributes
    ----------
    rows_set, rows_stream
        Requests in each.
    rows_any, share_any
        Requests of the stream with at least one value the set never saw.
    findings
        The largest share first.
    """

    rows_set: int
    rows_stream: int
    rows_any: int
    share_any: float
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Missed:
    """Counts of one column while the stream passes."""

    by_gap: Counter[Gap] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    known_words: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    low: float = np.inf
    high: float = -np.inf


def never_saw(batches: Iterable[pa.RecordBatch], known: Cover, columns: Sequence[str]) -> Unseen:
    """Pass over the stream and return what the set never saw of these columns.

    Raises
    ------
    InputError
        If the stream has no rows.
    """
    missed: dict[str, _Missed] = {name: _Missed() for name in columns if name in known.columns}
    rows = odd = 0
    for batch in batches:
        rows += batch.num_rows
        anywhere = np.zeros(batch.num_rows, np.bool_)
        for name, counts in missed.items():
            seen = known.columns[name]
            column = _as(batch[name], seen.kind)
            anywhere |= (
                _numbers(column, seen, counts) if seen.kind is Kind.NUMBER else _words(column, seen, counts)
            )
        odd += int(anywhere.sum())
    if not rows:
        raise InputError("asked the real stream; found no request in that span; name another")
    found = [one for name, counts in missed.items() for one in _findings(name, counts, known, rows)]
    found += [Finding(name, Gap.COLUMN, rows, 1.0, 0.0) for name in columns if name not in known.columns]
    odd = rows if any(one.gap is Gap.COLUMN for one in found) else odd
    found.sort(key=lambda one: (-one.share, one.column, one.gap))
    return Unseen(known.rows, rows, odd, odd / rows, tuple(found))


def _as(column: pa.Array, kind: Kind) -> pa.Array:
    """Return a column of the stream as the set has it; what cannot be so is a value it never saw."""
    if kind is Kind.WORD or kind_of(column.type) is Kind.NUMBER:
        return column
    return pa.array([_number(value) for value in column.cast(pa.string()).to_pylist()], pa.float64())


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return np.nan


def _numbers(column: pa.Array, seen: Seen, counts: _Missed) -> Rows:
    missing = np.asarray(column.is_null(), np.bool_)
    values = floats_in(column)
    finite = np.isfinite(values) & ~missing
    low, high = (np.inf, -np.inf) if seen.low is None or seen.high is None else (seen.low, seen.high)
    gaps = {
        Gap.MISSING: missing if not seen.missing else None,
        Gap.NOT_FINITE: ~finite & ~missing if not seen.not_finite else None,
        Gap.BELOW: finite & (values < low),
        Gap.ABOVE: finite & (values > high) & ~(values < low),
    }
    counts.missing += int(missing.sum())
    if finite.any():
        counts.low = min(counts.low, float(values[finite].min()))
        counts.high = max(counts.high, float(values[finite].max()))
    return _counted(gaps, counts, len(values))


def _words(column: pa.Array, seen: Seen, counts: _Missed) -> Rows:
    missing = np.asarray(column.is_null(), np.bool_)
    counts.missing += int(missing.sum())
    coded = pc.dictionary_encode(column.cast(pa.string()))
    words = coded.dictionary.to_pylist()
    codes = np.asarray(coded.indices.fill_null(len(words)))
    new = np.array([word not in seen.words for word in words] + [False], np.bool_)
    for word, n in zip(words, np.bincount(codes, minlength=len(words) + 1).tolist(), strict=False):
        (counts.known_words if word in seen.words else counts.words)[word] += n
    gaps = {Gap.MISSING: missing if not seen.missing else None, Gap.VALUE: new[codes]}
    return _counted(gaps, counts, len(codes))


def _counted(gaps: Mapping[Gap, Rows | None], counts: _Missed, rows: int) -> Rows:
    anywhere = np.zeros(rows, np.bool_)
    for gap, mine in gaps.items():
        if mine is not None:
            counts.by_gap[gap] += int(mine.sum())
            anywhere |= mine
    return anywhere


def _findings(name: str, counts: _Missed, known: Cover, rows: int) -> list[Finding]:
    n = known.rows
    edge = 1 / (n + 1)
    chance: dict[Gap, Any] = {
        Gap.BELOW: edge,
        Gap.ABOVE: edge,
        Gap.MISSING: _missed_by_chance([counts.missing], rows, n),
        Gap.VALUE: _missed_by_chance([*counts.words.values(), *counts.known_words.values()], rows, n),
    }
    examples: dict[Gap, tuple[str, ...]] = {
        Gap.BELOW: (f"{counts.low:g}",),
        Gap.ABOVE: (f"{counts.high:g}",),
        Gap.VALUE: tuple(word for word, _ in counts.words.most_common(_EXAMPLES)),
    }
    return [
        Finding(name, gap, found, found / rows, chance.get(gap), examples.get(gap, ()))
        for gap, found in counts.by_gap.items()
        if found
    ]


def _missed_by_chance(counts: Iterable[int], rows: int, n: int) -> float:
    """Return the share of a stream that n random requests of it never saw, on average."""
    shares = np.fromiter(counts, dtype=np.float64) / rows
    return float((shares * (1 - shares) ** n).sum())
