"""Where rows come from: Parquet files, folders of them, datasets, tables and streams, as record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import pyarrow as pa

from headgate.errors import InputError
from headgate.profile.files import BLOCK, GROUPS, HEAD, HEADS, ParquetFiles, nothing, once_each

if TYPE_CHECKING:
    import pyarrow.dataset as ds  # it imports pandas, which takes longer than to profile a small window

    Rows: TypeAlias = Iterable[pa.RecordBatch] | ds.Dataset | pa.Table | Path


class Source(Protocol):
    """Rows that can be counted.

    Attributes
    ----------
    names
        Columns there are, in order.
    total
        Rows there are; None if that is not known before they are read.
    again
        Whether they can be read a second time.
    """

    names: tuple[str, ...]
    total: int | None
    again: bool

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield all rows; a batch lacks the columns its part of the rows does not have."""
        ...

    def heads(self, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Return a few rows from some places; none where the first batch tells as much for less."""
        ...


def open_rows(rows: Rows) -> Source:
    """Return the rows as a source.

    Raises
    ------
    InputError
        If the files are not there, are no Parquet, or name a column twice.
    """
    match rows:
        case Path():
            return ParquetFiles(rows)
        case pa.Table():
            return InTable(rows)
        case _ if hasattr(rows, "scanner"):
            return Scanned(rows)
        case _:
            return Stream(rows)


class Scanned:
    """A dataset, on whatever file system it is."""

    again = True

    def __init__(self, dataset: ds.Dataset) -> None:
        self._dataset = dataset
        self.names = once_each(dataset.schema.names, "the dataset")
        self.total: int | None = None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield all rows."""
        scanner = self._dataset.scanner(
            columns=self._there(columns),
            batch_size=BLOCK,
            use_threads=False,
            batch_readahead=1,
            fragment_readahead=1,
        )
        try:
            yield from scanner.to_batches()
        except (pa.ArrowException, OSError) as err:
            raise InputError(f"the dataset: asked its rows; found {err}; write the file anew") from err

    def heads(self, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Return the first rows of some of its files."""
        fragments = list(self._dataset.get_fragments())
        heads = min(len(fragments) // GROUPS, HEADS)
        if heads < 2:
            return []
        chosen = fragments[:: len(fragments) // heads][:heads]
        tables = [fragment.head(HEAD, columns=self._there(columns)) for fragment in chosen]
        return [batch for table in tables for batch in table.to_batches()]

    def _there(self, columns: Sequence[str]) -> list[str]:
        return [name for name in columns if name in self.names]


class InTable:
    """A table in memory."""

    again = True

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.names = once_each(table.column_names, "the table")
        self.total: int | None = table.num_rows

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield all rows."""
        wanted = [name for name in columns if name in self.names]
        if not self._table.num_rows:
            yield nothing(self._table.schema, wanted)
        yield from self._table.select(wanted).to_batches(max_chunksize=BLOCK)

    def heads(self, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Return the first rows of some places that lie evenly apart."""
        if self._table.num_rows < BLOCK:
            return []
        wanted = self._table.select([name for name in columns if name in self.names])
        places = range(0, wanted.num_rows, wanted.num_rows // HEADS + 1)
        return [batch for place in places for batch in wanted.slice(place, HEAD).to_batches()]


class Stream:
    """Record batches, once."""

    again = False

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._first = next(self._batches, None)
        names = () if self._first is None else self._first.schema.names
        self.names = once_each(names, "the stream")
        self.total: int | None = None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the batches as they come."""
        first = () if self._first is None else (self._first,)
        for batch in chain(first, self._batches):
            yield batch.select([name for name in columns if name in batch.schema.names])

    def heads(self, columns: Sequence[str]) -> list[pa.RecordBatch]:  # noqa: ARG002 - as every source's
        """Return none: only the first rows can be seen beforehand."""
        return []
