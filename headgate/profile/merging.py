"""Adds profiles of partitions up to the profile of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from headgate.errors import EvidenceError
from headgate.profile.columns import Boolean, Categorical, Column, Numeric, Opaque, Profile, Timestamp
from headgate.profile.grid import add_cells
from headgate.profile.texts import add_texts


def merge(*profiles: Profile) -> Profile:
    """Return the profile of all rows together.

    Counts, ranges and cells are those of the whole exactly; means up to rounding. Profiles that are merged
    were taken ``like`` the same profile (or `outline`), else their grids differ.

    Raises
    ------
    EvidenceError
        If there is nothing to merge, or grids differ.
    """
    if not profiles:
        raise EvidenceError("merge: asked at least one profile; found none; name the partitions' profiles")
    names = dict.fromkeys(name for profile in profiles for name in profile.columns)
    columns = {
        name: add_columns(name, [p.columns[name] for p in profiles if name in p.columns]) for name in names
    }
    return Profile(
        columns,
        sum(profile.rows for profile in profiles),
        _earliest([profile.since for profile in profiles]),
        _latest([profile.until for profile in profiles]),
    )


def add_columns(name: str, parts: Sequence[Column]) -> Column:
    """Return the state of one column's parts together; parts of different kinds make it opaque.

    Raises
    ------
    EvidenceError
        If two parts count numbers on different grids.
    """
    # Nulls of no type go with everything, as do parts in which nothing is there.
    there = [part for part in parts if part.seen] or [part for part in parts if not _is_void(part)]
    if not there:
        return parts[0]
    if len(there) == 1:
        return there[0]
    match there[0]:
        case Numeric() if numbers := [part for part in there if isinstance(part, Numeric)]:
            if len(numbers) == len(there):
                return _add_numbers(name, numbers)
        case Categorical() if texts := [part for part in there if isinstance(part, Categorical)]:
            if len(texts) == len(there):
                return add_texts(texts)
        case Boolean() if flags := [part for part in there if isinstance(part, Boolean)]:
            if len(flags) == len(there):
                return Boolean(sum(p.seen for p in flags), sum(p.true for p in flags))
        case Timestamp() if times := [part for part in there if isinstance(part, Timestamp)]:
            if len(times) == len(there) and len({part.naive for part in times}) == 1:
                return _add_times(times)
    return Opaque(sum(part.seen for part in there), frozenset().union(*(_types(part) for part in there)))


def _add_numbers(name: str, parts: Sequence[Numeric]) -> Numeric:
    grid = parts[0].grid
    if any(part.grid != grid for part in parts):
        raise EvidenceError(
            f"merge: asked column {name!r} of every part on one grid; found centres "
            f"{', '.join(sorted({f'{part.grid.centre:g}' for part in parts}))}; take the parts with like= "
            "the reference, or like= one outline"
        )
    # From the first mean, not from 0: around 1e300 the square of that way is infinite, and times 0 no number.
    finite, mean, m2 = 0, next((part.mean for part in parts if part.finite), 0.0), 0.0
    for part in parts:
        if n := part.finite:
            gap, everything = part.mean - mean, finite + n
            m2 += part.m2 + gap * gap * (finite * n / everything)
            mean += gap * (n / everything)
            finite = everything
    cells, counts = add_cells([(part.cells, part.counts) for part in parts])
    return Numeric(
        grid,
        sum(part.seen for part in parts),
        sum(part.nan for part in parts),
        sum(part.below for part in parts),
        sum(part.above for part in parts),
        min((part.least for part in parts if part.least is not None), default=None),
        max((part.most for part in parts if part.most is not None), default=None),
        mean,
        m2,
        cells,
        counts,
        _sum([part.too_low for part in parts]),
        _sum([part.too_high for part in parts]),
    )


def _add_times(parts: Sequence[Timestamp]) -> Timestamp:
    return Timestamp(
        sum(part.seen for part in parts),
        _earliest([part.least for part in parts]),
        _latest([part.most for part in parts]),
        np.sum([part.hours for part in parts], axis=0, dtype=np.int64),
        parts[0].naive,
    )


def _is_void(part: Column) -> bool:
    return isinstance(part, Opaque) and not part.types


def _types(part: Column) -> frozenset[str]:
    match part:
        case Opaque():
            return part.types
        case Timestamp():
            return frozenset(("timestamp without a zone" if part.naive else "timestamp",))
        case Numeric() | Categorical() | Boolean():
            return frozenset((part.kind.value,))


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _earliest(times: Sequence[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def _latest(times: Sequence[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
