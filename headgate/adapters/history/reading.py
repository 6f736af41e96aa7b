"""A history out of files: checked, cleaned, joined and sorted by DuckDB, one block of time in memory.

Sorting spills to a folder of its own when memory is short; the folder is removed, however the work ends.
"""

# ruff: noqa: S608 - SQL is built of our own names and of columns and texts quoted by `sources`
from __future__ import annotations

import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from headgate.adapters.history import cleaning
from headgate.adapters.history.loading import OWN, check_words, load_exchanges, load_outcomes
from headgate.adapters.history.sources import Source, find_source, literal, quoted
from headgate.errors import InputError
from headgate.plan.model import Plan
from headgate.tables import INSTANT, SEGMENT

#: Values of a segment column that are told apart; a column with more has the commonest ones.
MOST_VALUES = 1_000
_ROWS_AT_ONCE = 65_536
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)

Told = Callable[[str], None]


@contextmanager
def open_history(
    plan: Plan,
    exchanges: str,
    outcomes: str,
    *,
    memory: str = "384MB",
    tell: Told = lambda _: None,
) -> Iterator[Files]:
    """Check and clean the files, and return them as a `headgate.backtest.history.History`.

    Parameters
    ----------
    exchanges, outcomes
        A file, a folder or a pattern each; Parquet or CSV.
    memory
        What DuckDB may use; more is spilled to a temporary folder.
    tell
        Told what is being done.

    Raises
    ------
    InputError
        If the files are not as the contract says: names option, file and column.
    """
    tables = find_source("--exchanges", exchanges), find_source("--outcomes", outcomes)
    with tempfile.TemporaryDirectory(prefix="headgate-history-") as folder:
        con = duckdb.connect(config={"memory_limit": memory, "threads": 2, "temp_directory": folder})
        try:
            yield Files(con, plan, *tables, folder=Path(folder), tell=tell)
        except duckdb.Error as err:
            raise InputError(
                f"--exchanges {exchanges}: asked files that can be read to the end; found {err}; "
                "write them anew, or make room for temporary files"
            ) from err
        finally:
            con.close()


class Files:
    """A `headgate.backtest.history.History` over files. Made by `open_history`."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        plan: Plan,
        exchanges: Source,
        outcomes: Source,
        *,
        folder: Path,
        tell: Told,
    ) -> None:
        self._con, self._plan = con, plan
        cleaning.statuses(con)
        tell("checking the columns")
        columns = load_exchanges(con, plan, exchanges, folder)
        load_outcomes(con, plan, outcomes, folder)
        tell("looking for ids that come twice")
        repeated = cleaning.one_per_request(con, "exchanges")
        check_words(con, exchanges, columns)
        tell("cleaning")
        found = cleaning.clean_exchanges(con, plan, columns)
        if not found.rows:
            raise exchanges.error("exchanges that can be used", "none", "name other files")
        self._bounds = found.first_us, found.last_us
        self.rows = found.rows
        counts = {**repeated, **found.counts, **cleaning.clean_outcomes(con, plan)}
        if not cleaning.number(con, "select count(*) from outcomes_raw"):
            raise outcomes.error("outcomes", "none", "name other files")
        counts |= cleaning.settle_outcomes(con, self._closes())
        tell("counting segments")
        self.segments = self._count_segments(counts)
        self._counts = counts
        self._fates: Mapping[int, int] | None = None
        self._find_giants()

    @property
    def first_at(self) -> datetime:
        """Time of the first exchange."""
        return _EPOCH + self._bounds[0] * _MICRO

    @property
    def last_at(self) -> datetime:
        """Time of the last exchange."""
        return _EPOCH + self._bounds[1] * _MICRO

    @property
    def outcomes(self) -> int:
        """Usable outcomes of these exchanges, those known too late included."""
        fates = self._told_fates()
        return fates.get(_USED, 0) + fates.get(_LATE, 0)

    @property
    def data_quality(self) -> Mapping[str, int]:
        """What was wrong, and how often."""
        fates = self._told_fates()
        usable = cleaning.number(self._con, "select count(*) from outcomes")
        counts = self._counts | {
            "outcomes.before_request": fates.get(_BEFORE, 0),
            "outcomes.after_closing": fates.get(_LATE, 0),
            "outcomes.unknown_request": usable - sum(n for fate, n in fates.items() if fate != _NONE),
        }
        return {reason: count for reason, count in sorted(counts.items()) if count}

    def blocks(self) -> Iterator[pa.Table]:
        """Yield one table per block of time: see `headgate.backtest.history.History`."""
        con = self._con.cursor()  # one of its own: several replays may read at once, and some stop early
        try:
            yield from self._cut(con.sql(self._query()).to_arrow_reader(_ROWS_AT_ONCE))
        finally:
            con.close()

    def _cut(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        """Yield whole blocks out of what comes in order of blocks, and count what became of outcomes."""
        fates: Counter[int] = Counter()
        waiting: list[pa.Table] = []
        block: int | None = None
        told = map(partial(_counted, fates), _ahead(iter(batches)))
        try:
            for batch in told:
                table = pa.Table.from_batches([batch])
                numbers = np.asarray(table["block"])
                cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
                for start, end in pairwise(cuts):
                    if waiting and numbers[start] != block:
                        yield self._finished(waiting)
                        waiting = []
                    block = int(numbers[start])
                    waiting.append(table.slice(start, end - start))
            if waiting:
                yield self._finished(waiting)
        finally:
            # Whoever stops early still wants to know what was wrong with the rest; the join is done.
            if self._fates is None:
                deque(told, maxlen=0)
                self._fates = fates

    def _finished(self, pieces: list[pa.Table]) -> pa.Table:
        table = pa.concat_tables(pieces).drop_columns(["block", "fate"]).combine_chunks()
        names = []
        arrays = []
        for name, column in zip(table.column_names, table.columns, strict=True):
            if name in ("at", "known_at"):
                column = column.cast(INSTANT)
            elif pa.types.is_dictionary(column.type):
                column = column.cast(pa.string())
            names.append(name.removeprefix(OWN))
            arrays.append(column)
        return pa.table(arrays, names=names)

    def _count_segments(self, counts: dict[str, int]) -> dict[str, dict[str, int]]:
        found = {}
        for name in self._plan.segments.by if self._plan.segments else ():
            column = quoted(SEGMENT + name)
            rows = self._con.sql(
                f"select {column} v, count(*) n from exchanges where v is not null "
                "group by v order by n desc, v"
            ).fetchall()
            if len(rows) > MOST_VALUES:
                counts[f"segment_{name}_values_not_told_apart"] = len(rows) - MOST_VALUES
            found[name] = {str(value): int(n) for value, n in rows[:MOST_VALUES]}
            words = ", ".join(literal(value) for value in found[name]) or "''"
            self._con.execute(f"create type {quoted('kind_of_' + SEGMENT + name)} as enum ({words})")
        return found

    def _find_giants(self) -> None:
        """Count the requests of an entity that makes more than a fifth of them: it counts as one unit."""
        most = cleaning.number(
            self._con, "select max(n) from (select count(*) n from exchanges group by hash(entity))"
        )
        if most > self.rows / 5 and self.rows > 5:
            self._counts["one_entity_above_a_fifth"] = most

    # ------------------------------------------------------------ joining

    def _length_us(self) -> int:
        block = self._plan.unit.block
        return (timedelta(hours=1) if block == "none" else block) // _MICRO

    def _closes(self) -> str:
        """Return the SQL that says when the block of ``at_us`` closes."""
        length, maturity = self._length_us(), self._plan.outcomes.maturity // _MICRO
        return f"((e.at_us // {length} + 1) * {length} + {maturity})"

    def _joined(self) -> tuple[str, str]:
        fate = (
            f"case when o.known_at is null then {_NONE} when o.known_at < e.at_us then {_BEFORE} "
            f"when o.known_at > {self._closes()} then {_LATE} else {_USED} end::utinyint"
        )
        return fate, "from exchanges e left join outcomes o using (request_id)"

    def _query(self) -> str:
        """Return the query of a whole replay, with short codes in place of words: they are what is sorted."""
        fate, joined = self._joined()
        columns = []
        for name in self._con.sql("select * from exchanges limit 0").columns:
            if name.startswith(SEGMENT):
                columns.append(f"try_cast(e.{quoted(name)} as {quoted('kind_of_' + name)}) {quoted(name)}")
            else:
                columns.append('e.at_us "at"' if name == "at_us" else f"e.{quoted(name)}")
        timely = f"({fate}) = {_USED}"
        told = self._con.sql("select * exclude (request_id) from outcomes limit 0").columns
        columns += [f"case when {timely} then o.{name} end {name}" for name in told]
        return (
            f"select e.at_us // {self._length_us()} block, {fate} fate, {', '.join(columns)} {joined} "
            "order by block, e.entity, e.request_id"
        )

    def _told_fates(self) -> Mapping[int, int]:
        """Return what became of the outcomes; a replay that ended early did not see them all."""
        if self._fates is None:
            fate, joined = self._joined()
            rows = self._con.sql(f"select {fate} fate, count(*) {joined} group by fate").fetchall()
            self._fates = {int(fate): int(n) for fate, n in rows}
        return self._fates


#: What became of a request's outcome.
_NONE, _USED, _BEFORE, _LATE = range(4)


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield what comes, with the next one being fetched meanwhile: DuckDB needs no Python for that."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _counted(fates: Counter[int], batch: pa.RecordBatch) -> pa.RecordBatch:
    found = np.bincount(np.asarray(batch["fate"]), minlength=4)
    fates.update(dict(enumerate(found.tolist())))
    return batch
