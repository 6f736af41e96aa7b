"""Holds two profiles beside each other. Nothing here judges: `headgate.drift` does."""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat
from math import isfinite

import numpy as np

from headgate.errors import InputError
from headgate.profile.columns import (
    Boolean,
    Categorical,
    Cells,
    Column,
    Counts,
    Numeric,
    Opaque,
    Profile,
    Timestamp,
)
from headgate.profile.comparison import ColumnComparison, Comparison
from headgate.profile.distances import chi_square, jensen_shannon, kolmogorov_smirnov, pool, psi, wasserstein
from headgate.profile.grid import HIGHEST, LOWEST, edges, in_order, is_coarse
from headgate.profile.texts import keep_below

#: Cells of a number's distribution that PSI and JS are computed over: tenths of the reference.
_TENTHS = 10


def compare(reference: Profile, current: Profile) -> Comparison:
    """Return every column's distances; see `ColumnComparison`.

    Raises
    ------
    InputError
        If a column of numbers was not profiled on the reference's grid.
    """
    names = dict.fromkeys((*reference.columns, *current.columns))
    columns = tuple(_compare(name, reference, current) for name in names)
    return Comparison(columns, reference.rows, current.rows)


def _compare(name: str, reference: Profile, current: Profile) -> ColumnComparison:
    old, new = reference.columns.get(name), current.columns.get(name)
    column = old or new
    if column is None:
        raise AssertionError(name)
    common = ColumnComparison(
        name,
        column.kind,
        missing_reference=reference.missing(name) if old else None,
        missing_current=current.missing(name) if new or not current.rows else 1.0,
        out_of_contract_reference=_outside(old),
        out_of_contract_current=_outside(new),
        n_reference=_values(old),
        n_current=_values(new),
        changed=_changed(old, new, reference.rows, current.rows),
    )
    match old, new:
        case Numeric(), Numeric():
            return _numbers(common, old, new)
        case Categorical(), Categorical():
            return _texts(common, old, new)
        case Boolean(), Boolean():
            return _booleans(common, old, new)
        case Timestamp(), Timestamp() if common.changed is None:
            return _counted(common, old.hours, new.hours)
        case _:
            return common


def _changed(old: Column | None, new: Column | None, rows_old: int, rows_new: int) -> str | None:
    """Say what is wrong with the column itself; nothing where a window has no rows."""
    if not rows_old or not rows_new:
        return None
    if new is None:
        return "not there any more"
    if old is None:
        return "new"
    was, now = _type(old), _type(new)
    if was == now or not was or not now:  # nulls of no type go with every kind
        return None
    return f"was {was}, is {now}"


def _type(column: Column) -> str:
    match column:
        case Opaque():
            return " and ".join(sorted(column.types))
        case Timestamp() if column.naive:
            return "timestamp without a zone"
        case _:
            return column.kind.value


def _outside(column: Column | None) -> float | None:
    match column:
        case Numeric() | Categorical() if column.outside is not None and column.seen:
            return column.outside / column.seen
        case _:
            return None


def _values(column: Column | None) -> int:
    """Return how many values distances rest on."""
    match column:
        case None:
            return 0
        case Numeric():
            return column.seen - column.nan
        case _:
            return column.seen


def _numbers(common: ColumnComparison, old: Numeric, new: Numeric) -> ColumnComparison:
    common = replace(
        common,
        mean_reference=old.mean if old.finite else None,
        mean_current=new.mean if new.finite else None,
        spread_reference=old.spread,
        spread_current=new.spread,
        coarse=is_coarse(old),
    )
    if not common.n_reference or not common.n_current:
        return common
    if old.grid != new.grid:
        raise InputError(
            f"column {common.name!r}: asked both profiles on one grid; found centres {old.grid.centre:g} and "
            f"{new.grid.centre:g}; take the current profile like= the reference (`--like`)"
        )
    cells, before, after = _aligned(old, new)
    bins = _tenths(cells, before)
    binned = (_summed(bins, before), _summed(bins, after))
    return replace(
        common,
        psi=psi(*binned),
        js=jensen_shannon(*binned),
        ks=kolmogorov_smirnov(before, after),
        wasserstein=_moved(old, new, cells, before, after),
    )


def _aligned(old: Numeric, new: Numeric) -> tuple[Cells, Counts, Counts]:
    """Return all cells that one of the two has, and both counts of each."""
    cells = in_order(old.cells, new.cells)
    before, after = np.zeros(cells.size, np.int64), np.zeros(cells.size, np.int64)
    before[np.searchsorted(cells, old.cells)] = old.counts
    after[np.searchsorted(cells, new.cells)] = new.counts
    return cells, before, after


def _tenths(cells: Cells, reference: Counts) -> Counts:
    """Return the bin of each cell: tenths of the reference, cut between cells where they come nearest.

    Where the reference has so few values that tenths coincide, what is below or above all of them has bins of
    its own: a constant column that becomes another constant has moved.
    """
    cumulative = np.cumsum(reference)
    there = np.flatnonzero(reference)
    wanted = np.arange(1, _TENTHS) / _TENTHS * cumulative[-1]
    right = np.clip(np.searchsorted(cumulative[there], wanted), 0, there.size - 1)
    left = np.clip(right - 1, 0, None)
    nearer = wanted - cumulative[there][left] < cumulative[there][right] - wanted
    cuts = np.unique(there[np.where(nearer, left, right)])
    cuts = cuts[cuts < there[-1]]
    if cuts.size < _TENTHS - 1:
        cuts = np.concatenate([[there[0] - 1], cuts, [there[-1]]])
    return np.searchsorted(cuts, np.arange(cells.size), side="left")


def _summed(bins: Counts, counts: Counts) -> Counts:
    summed = np.zeros(int(bins.max()) + 1, np.int64)
    np.add.at(summed, bins, counts)
    return summed


def _moved(old: Numeric, new: Numeric, cells: Cells, before: Counts, after: Counts) -> float | None:
    """Return the earth mover's distance of the finite values; None where a window has none."""
    ends = (old.least, new.least, old.most, new.most)
    if not old.finite or not new.finite or any(end is None for end in ends):
        return None
    before, after = _finite(old, cells, before), _finite(new, cells, after)
    low, high = edges(cells, old.grid)
    least, most = (f(e for e in pair if e is not None) for f, pair in ((min, ends[:2]), (max, ends[2:])))
    with np.errstate(over="ignore"):
        moved = wasserstein(before, after, np.clip(low, least, most), np.clip(high, least, most))
    return moved if isfinite(moved) else None


def _finite(column: Numeric, cells: Cells, counts: Counts) -> Counts:
    """Return the counts without the infinities, which share the outermost cells with what is too large."""
    if not column.below and not column.above:
        return counts
    return counts - np.where(cells == LOWEST, column.below, 0) - np.where(cells == HIGHEST, column.above, 0)


def _texts(common: ColumnComparison, old: Categorical, new: Categorical) -> ColumnComparison:
    if not old.seen or not new.seen:
        return common
    # Of too many values each window keeps those with the smallest hashes: compare what is below both limits.
    old, new = _below(old, new), _below(new, old)
    names = list(dict.fromkeys((*old.counts, *new.counts)))
    before = np.array([*map(old.counts.get, names, repeat(0)), old.other], np.int64)
    after = np.array([*map(new.counts.get, names, repeat(0)), new.other], np.int64)
    unseen = (before == 0) & (after > 0)
    kept = int(after[:-1].sum())
    away = after[:-1] / new.seen - before[:-1] / old.seen
    return replace(
        _counted(common, before, after),
        unseen_share=int(after[:-1][unseen[:-1]].sum()) / kept if kept else None,
        moved=names[int(np.abs(away).argmax())] if names and np.abs(away).max() > 0 else None,
    )


def _below(column: Categorical, other: Categorical) -> Categorical:
    return column if other.limit is None else keep_below(column, other.limit)


def _booleans(common: ColumnComparison, old: Boolean, new: Boolean) -> ColumnComparison:
    counts = [np.array([column.seen - column.true, column.true], np.int64) for column in (old, new)]
    return replace(
        _counted(common, *counts),
        mean_reference=old.true / old.seen if old.seen else None,
        mean_current=new.true / new.seen if new.seen else None,
    )


def _counted(common: ColumnComparison, before: Counts, after: Counts) -> ColumnComparison:
    """Return the distances of two counted columns without an order."""
    if not before.sum() or not after.sum():
        return common
    there = (before + after) > 0
    pooled = pool(before[there], after[there])
    test = chi_square(*pooled)
    return replace(
        common,
        psi=psi(*pooled),
        js=jensen_shannon(*pooled),
        chi2_p=None if test is None else test.p,
        chi2=None if test is None else test.statistic,
        chi2_dof=None if test is None else test.dof,
    )
