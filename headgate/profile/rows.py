"""Where rows come from: Parquet files, folders of them, datasets, tables and streams, as record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from headgate.errors import InputError
from headgate.profile.arrays import kind_of
from headgate.profile.columns import Kind

if TYPE_CHECKING:
    import pyarrow.dataset as ds  # it imports pandas, which takes longer than to profile a small window

    Rows: TypeAlias = Iterable[pa.RecordBatch] | ds.Dataset | pa.Table | Path

#: Rows of a batch.
BLOCK = 1 << 17
#: Rows of a head, how many heads there are at most, and of how many row groups each is one.
_HEAD, _HEADS, _GROUPS = 4_096, 3, 4
#: Bytes that are read of a column at a time, so that a large row group need not be in memory.
_READ = 1 << 20


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


class ParquetFiles:
    """A Parquet file, or every one in a folder."""

    again = True

    def __init__(self, path: Path) -> None:
        files = sorted(_inside(path)) if path.is_dir() else [path]
        if not files:
            raise InputError(f"{path}: asked Parquet files; found none in this folder; name another")
        self._files = [_opened(file) for file in files]
        for opened in self._files:
            once_each(opened.schema.names, str(opened.path))
        self.names = tuple(dict.fromkeys(name for file in self._files for name in file.schema.names))
        self.total: int | None = sum(file.metadata.num_rows for file in self._files)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield all rows, file by file."""
        for file in self._files:
            yield from file.batches(columns, None, BLOCK)

    def heads(self, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Return the first rows of some row groups that lie evenly apart.

        To read any row of a row group costs a page of every column: not for the sake of a few of them.
        """
        groups = [(file, i) for file in self._files for i in range(file.metadata.num_row_groups)]
        heads = min(len(groups) // _GROUPS, _HEADS)
        if heads < 2:
            return []
        chosen = groups[:: len(groups) // heads][:heads]
        return [batch for file, group in chosen for batch in file.batches(columns, group, _HEAD, most=1)]


@dataclass(frozen=True, slots=True)
class _Opened:
    path: Path
    schema: pa.Schema
    metadata: pq.FileMetaData

    def batches(
        self, columns: Sequence[str], group: int | None, size: int, most: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield batches of the columns that are there; of one row group if it is named."""
        wanted = [name for name in columns if name in self.schema.names]
        groups = None if group is None else [group]
        texts = [name for name in wanted if kind_of(self.schema.field(name).type) is Kind.CATEGORY]
        try:
            with pq.ParquetFile(
                self.path, metadata=self.metadata, read_dictionary=texts, pre_buffer=False, buffer_size=_READ
            ) as file:
                if not wanted:  # Arrow would give no batches at all, and their rows are to be counted
                    yield pa.record_batch({"": pa.nulls(self.metadata.num_rows)})
                    return
                if not self.metadata.num_rows:
                    yield _nothing(self.schema, wanted)
                # One thread: another costs more processor time and memory than it saves; partitions scale.
                for number, batch in enumerate(
                    file.iter_batches(size, row_groups=groups, columns=wanted, use_threads=False)
                ):
                    if number == most:
                        return
                    yield batch
        except (pa.ArrowException, OSError) as err:
            raise _unreadable(self.path, err) from err


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
        heads = min(len(fragments) // _GROUPS, _HEADS)
        if heads < 2:
            return []
        chosen = fragments[:: len(fragments) // heads][:heads]
        tables = [fragment.head(_HEAD, columns=self._there(columns)) for fragment in chosen]
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
            yield _nothing(self._table.schema, wanted)
        yield from self._table.select(wanted).to_batches(max_chunksize=BLOCK)

    def heads(self, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Return the first rows of some places that lie evenly apart."""
        if self._table.num_rows < BLOCK:
            return []
        wanted = self._table.select([name for name in columns if name in self.names])
        places = range(0, wanted.num_rows, wanted.num_rows // _HEADS + 1)
        return [batch for place in places for batch in wanted.slice(place, _HEAD).to_batches()]


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


def once_each(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Return the names.

    Raises
    ------
    InputError
        If one is there twice: nobody could say which is meant.
    """
    names = tuple(names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{where}: asked each column once; found {', '.join(twice)} twice; rename one of them"
        )
    return names


def _nothing(schema: pa.Schema, names: Sequence[str]) -> pa.RecordBatch:
    """Return a batch without rows: which columns there are is known all the same."""
    return pa.RecordBatch.from_pylist([], schema=pa.schema([schema.field(name) for name in names]))


def _inside(path: Path) -> Iterator[Path]:
    # Names that begin so are left by writers for themselves: _SUCCESS, .crc
    for file in path.rglob("*"):
        if file.suffix in {".parquet", ".pq"} and not file.name.startswith((".", "_")) and file.is_file():
            yield file


def _opened(path: Path) -> _Opened:
    try:
        with pq.ParquetFile(path) as file:
            return _Opened(path, file.schema_arrow, file.metadata)
    except FileNotFoundError:
        raise InputError(
            f"{path}: asked a Parquet file or folder; found nothing there; name another"
        ) from None
    except (pa.ArrowException, OSError) as err:
        raise _unreadable(path, err) from err


def _unreadable(path: Path, err: Exception) -> InputError:
    found = " ".join(str(err).split())  # Arrow's messages have lines of their own
    return InputError(f"{path}: asked a Parquet file; found {found}; write it anew or name another")
