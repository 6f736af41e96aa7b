"""Parquet files, and every one in a folder, as record batches in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headgate.errors import InputError
from headgate.profile.arrays import kind_of
from headgate.profile.columns import Kind

#: Rows of a batch.
BLOCK = 1 << 17
#: Rows of a head, how many heads there are at most, and of how many row groups each is one.
HEAD, HEADS, GROUPS = 4_096, 3, 4
#: Bytes that are read of a column at a time, so that a large row group need not be in memory.
_READ = 1 << 20


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
        heads = min(len(groups) // GROUPS, HEADS)
        if heads < 2:
            return []
        chosen = groups[:: len(groups) // heads][:heads]
        return [batch for file, group in chosen for batch in file.batches(columns, group, HEAD, most=1)]


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
                    yield nothing(self.schema, wanted)
                # One thread: another costs more processor time and memory than it saves; partitions scale.
                for number, batch in enumerate(
                    file.iter_batches(size, row_groups=groups, columns=wanted, use_threads=False)
                ):
                    if number == most:
                        return
                    yield batch
        except (pa.ArrowException, OSError) as err:
            raise _unreadable(self.path, err) from err


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


def nothing(schema: pa.Schema, names: Sequence[str]) -> pa.RecordBatch:
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
