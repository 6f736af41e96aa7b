"""Takes a profile in one pass over rows, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from headgate.errors import InputError
from headgate.profile.arrays import kind_of, numbers_in, plain
from headgate.profile.columns import Column, Grid, Kind, Numeric, Profile, Timestamp, grids
from headgate.profile.grid import FINEST, cell_width, floor_of, is_coarse, lay_out, quantile
from headgate.profile.merging import add_columns
from headgate.profile.numbers import no_numbers
from headgate.profile.outcomes import Asked, Outcomes, OutcomeTally
from headgate.profile.rows import Source, open_rows
from headgate.profile.tallies import ColumnTally

if TYPE_CHECKING:
    from headgate.plan.sides import ColumnContract
    from headgate.profile.rows import Rows

#: Told the rows done and how many there are (None: not known beforehand).
Tell = Callable[[int, int | None], None]
#: Rows of one place that grids are laid out for.
_ENOUGH = 4_096


def take(
    rows: Rows,
    *,
    columns: Sequence[str] | None = None,
    like: Profile | None = None,
    at: str | None = None,
    contract: Mapping[str, ColumnContract] | None = None,
    tell: Tell | None = None,
) -> Profile:
    """Return the profile of a window.

    Parameters
    ----------
    rows
        A Parquet file, a folder of them (searched deep), a dataset, a table, or record batches.
    columns
        Which ones; all of them if None.
    like
        The reference, or an `outline`: its grids are used, so that the profiles can be compared finely and
        merged. Without it an outline of these very rows is used.
    at
        Column whose first and last time are the profile's ``since`` and ``until``.
    contract
        What values are allowed, as in the plan's ``input.columns``.
    tell
        Told how far it is, after every batch.

    Raises
    ------
    InputError
        If the files cannot be read, or a column that is asked for is nowhere (with ``like``: that is drift,
        and the comparison says so).
    """
    source = open_rows(rows)
    return _Survey(source, columns, at, contract, None).run(like, tell)[0]


def survey(
    rows: Rows,
    asked: Asked,
    *,
    columns: Sequence[str] | None = None,
    like: Profile | None = None,
    at: str | None = None,
    contract: Mapping[str, ColumnContract] | None = None,
    tell: Tell | None = None,
) -> tuple[Profile, Outcomes]:
    """Return the profile and the outcome sums of a window, in one pass. Parameters as of `take`."""
    profile, outcomes = _Survey(open_rows(rows), columns, at, contract, asked).run(like, tell)
    if outcomes is None:
        raise AssertionError("outcome sums were asked for")
    return profile, outcomes


def outline(rows: Rows, *, columns: Sequence[str] | None = None) -> Profile:
    """Return a profile without rows: kinds of columns, and grids that fit the first rows of some files.

    Take partitions of a reference ``like`` this, so that they merge. A stream loses its first batch to it.
    """
    source = open_rows(rows)
    wanted = _wanted(source, columns)
    seen, _ = _seen(source, wanted, source.batches(wanted))
    return _outline(seen, wanted)


class _Survey:
    """One pass, and a second one if the first shows that the grids do not fit."""

    def __init__(
        self,
        source: Source,
        columns: Sequence[str] | None,
        at: str | None,
        contract: Mapping[str, ColumnContract] | None,
        asked: Asked | None,
    ) -> None:
        self._source, self._at, self._asked = source, at, asked
        self._contract = contract or {}
        self._given = columns
        self._columns = source.names if columns is None else tuple(columns)

    def run(self, like: Profile | None, tell: Tell | None) -> tuple[Profile, Outcomes | None]:
        batches = self._source.batches(self._read())
        if like is not None:
            return self._pass(batches, grids(like), tell)
        _wanted(self._source, self._given)
        seen, batches = _seen(self._source, self._columns, batches)
        laid_out = grids(_outline(seen, self._columns))
        profile, outcomes = self._pass(batches, laid_out, tell)
        better = {
            name: _closer(column)
            for name, column in profile.columns.items()
            if isinstance(column, Numeric) and is_coarse(column)
        }
        # Rows that are sorted, say, begin with values that tell nothing about the others.
        if better and self._source.again:
            return self._pass(self._source.batches(self._read()), laid_out | better, tell)
        return profile, outcomes

    def _pass(
        self, batches: Iterable[pa.RecordBatch], laid_out: Mapping[str, Grid], tell: Tell | None
    ) -> tuple[Profile, Outcomes | None]:
        tallies: dict[str, ColumnTally] = {}
        times = ColumnTally(Grid(), None)
        outcomes = OutcomeTally(self._asked) if self._asked else None
        done = 0
        for batch in batches:
            for name, array in zip(batch.schema.names, batch.columns, strict=True):
                if name in self._profiled:
                    if name not in tallies:
                        tallies[name] = ColumnTally(laid_out.get(name, Grid()), self._contract.get(name))
                    tallies[name].add(array)
                if name == self._at:
                    times.add(array)
            if outcomes is not None:
                outcomes.add(batch)
            done += batch.num_rows
            if tell is not None:
                tell(done, self._source.total)
        states = {name: add_columns(name, tally.states()) for name, tally in tallies.items()}
        since, until = self._span(times, done)
        ordered = {name: states[name] for name in self._columns if name in states}
        return Profile(ordered | states, done, since, until), outcomes.state() if outcomes else None

    @property
    def _profiled(self) -> frozenset[str]:
        return frozenset(self._columns)

    def _read(self) -> tuple[str, ...]:
        also = self._asked.columns if self._asked else ()
        at = (self._at,) if self._at else ()
        return tuple(dict.fromkeys((*self._columns, *also, *at)))

    def _span(self, times: ColumnTally, rows: int) -> tuple[datetime | None, datetime | None]:
        if self._at is None or not rows:
            return None, None
        states = times.states()
        state = add_columns(self._at, states) if states else None
        if not isinstance(state, Timestamp):
            found = "no such column" if state is None else f"a column of the kind {state.kind}"
            raise InputError(f"--at {self._at}: asked a column of times; found {found}; name another")
        return state.least, state.most


def _wanted(source: Source, columns: Sequence[str] | None) -> tuple[str, ...]:
    if columns is None:
        return source.names
    lost = [name for name in columns if name not in source.names]
    if lost and source.names:
        raise InputError(
            f"columns: asked {', '.join(lost)}; found {', '.join(source.names)}; name columns that are there"
        )
    return tuple(columns)


def _seen(
    source: Source, columns: Sequence[str], batches: Iterator[pa.RecordBatch]
) -> tuple[list[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    """Return rows to lay grids out for, and all batches: where the first one serves, it is not lost."""
    if heads := source.heads(columns):
        return heads, batches
    first = next(batches, None)
    return ([], batches) if first is None else ([first], chain((first,), batches))


def _outline(seen: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Profile:
    parts: dict[str, list[pa.Array]] = {}
    for batch in seen:
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            if name in columns:
                parts.setdefault(name, []).append(plain(array.slice(0, _ENOUGH)))
    return Profile({name: _blank(arrays) for name, arrays in parts.items()}, 0)


def _blank(arrays: Iterable[pa.Array]) -> Column:
    """Return the state of a column before the first row: its kind, and the grid that fits what was seen."""
    numbers = [numbers_in(array) for array in arrays if kind_of(array.type) is Kind.NUMBER]
    values = np.concatenate(numbers).astype(np.float64) if numbers else np.zeros(0)
    if numbers:
        return no_numbers(lay_out(values[np.isfinite(values)]))
    tally = ColumnTally(Grid(), None)
    for array in arrays:
        tally.add(array.slice(0, 0))
    return add_columns("", tally.states())


def _closer(column: Numeric) -> Grid:
    """Return a grid around the median that a grid too coarse knows."""
    middle = quantile(column, 0.5)
    if middle is None:
        return column.grid
    width = cell_width(column, middle)
    return Grid(middle, floor_of(width) * FINEST)
