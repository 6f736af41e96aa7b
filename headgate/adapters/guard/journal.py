"""What the guard writes down: first a line each in a file that survives its death, then Parquet.

A line is with the operating system before the caller is answered, so that a guard that is killed leaves
every line; whoever starts next in the same folder turns what was left into Parquet. A file of lines becomes
one Parquet file of the same name, so that doing it twice is doing it once.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from headgate.adapters.places import Place
from headgate.errors import InputError

_LOG = logging.getLogger(__name__)
#: A file is turned into Parquet when it has so many lines, or is so old (seconds) and has any.
MOST_LINES = 20_000
OLDEST = 60.0
_OPEN = ".open.jsonl"
_FULL = ".full.jsonl"


class Journal:
    """One kind of rows, of one guard.

    Parameters
    ----------
    folder
        Where the lines are; this guard's alone.
    name
        What its files begin with: no other guard may use it for the same ``target``.
    schema
        Columns and types of the Parquet files.
    target
        Folder of the Parquet files.
    """

    def __init__(self, folder: Path, name: str, schema: pa.Schema, target: Place) -> None:
        self._folder = folder
        self._name = name
        self._schema = schema
        self._target = target
        folder.mkdir(parents=True, exist_ok=True)
        self._lines = 0
        self._since = time.monotonic()
        self._file: int | None = None
        self.failed = 0
        self.cut()  # what a guard before this one left

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row. A disk that refuses never keeps a caller from an answer: it is counted and logged."""
        line = orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE)
        try:
            if self._file is None:
                self._file = os.open(self._path(_OPEN), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                self._since = time.monotonic()
            os.write(self._file, line)
            self._lines += 1
        except OSError as err:
            self.failed += 1
            _LOG.warning("guard journal %s: a line was not written: %s", self._name, err.strerror)

    @property
    def is_due(self) -> bool:
        """Whether the lines should become Parquet now."""
        return self._lines >= MOST_LINES or (self._lines > 0 and time.monotonic() - self._since >= OLDEST)

    def cut(self) -> None:
        """Begin a new file of lines; the one so far is full. Quick: only names change."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._lines = 0
        if (path := self._path(_OPEN)).exists():
            stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
            path.rename(self._path(f"-{stamp}{_FULL}"))

    def publish(self) -> int:
        """Turn every full file into Parquet; return how many rows. What cannot be kept now stays as it is."""
        rows = 0
        for path in sorted(self._folder.glob(f"{self._name}-*{_FULL}")):
            try:
                table = _table(path.read_bytes().splitlines(), self._schema)
                if table.num_rows:
                    final = self._target / f"{path.name.removesuffix(_FULL)}.parquet"
                    final.put_once(partial(pq.write_table, table, compression="zstd"))
                path.unlink()
            except OSError as err:
                _LOG.warning("guard journal %s: not turned into Parquet yet: %s", path.name, err)
                return rows
            except (pa.ArrowException, ValueError, TypeError):  # of another plan: its columns had other types
                _LOG.exception("guard journal %s: cannot be turned into Parquet; left as .bad", path.name)
                path.rename(path.with_suffix(".bad"))
                continue
            rows += table.num_rows
        return rows

    def close(self) -> None:
        """Turn all there is into Parquet."""
        self.cut()
        self.publish()

    def _path(self, rest: str) -> Path:
        return self._folder / f"{self._name}{rest}"


def _table(lines: Sequence[bytes], schema: pa.Schema) -> pa.Table:
    """Return the rows; a line that was cut short by a power failure is left out."""
    rows = []
    for line in lines:
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            _LOG.warning("guard journal: a line of %d bytes is cut short and left out", len(line))
    return pa.table([_column([row.get(f.name) for row in rows], f.type) for f in schema], schema=schema)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        # From text, in UTC: whoever wrote the line has seen to the zone.
        values = [None if value is None else datetime.fromisoformat(value) for value in values]
    if pa.types.is_floating(kind):
        values = [float("nan") if value == _NAN else value for value in values]
    return pa.array(values, kind)


#: What is no number where one must be: NaN in the log, so that it is refused there too.
_NAN = "NaN"


def keeper_of(kind: pa.DataType) -> Callable[[Any], Any]:
    """Return what makes of a value what a log of this type can keep.

    What has another type is kept so that it is refused there too.

    Examples
    --------
    >>> keeper_of(pa.float64())(3), keeper_of(pa.float64())("x"), keeper_of(pa.string())(3)
    (3.0, 'NaN', None)
    """
    if pa.types.is_floating(kind):
        return _number
    if pa.types.is_boolean(kind):
        return lambda value: value if type(value) is bool else None
    return _moment if pa.types.is_timestamp(kind) else _text


def _number(value: Any) -> Any:
    if value is None:
        return None
    return float(value) if type(value) in (int, float) else _NAN


def _moment(value: Any) -> str | None:
    aware = isinstance(value, datetime) and value.tzinfo is not None
    return value.astimezone(UTC).isoformat() if aware else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def own_folder(folder: Path) -> IO[bytes]:
    """Make a folder this guard's alone, for as long as the returned file is open.

    Raises
    ------
    InputError
        If another guard has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        lock.close()
        raise InputError(
            f"asked {folder} for this guard alone; another guard works in it; give each a name of its own "
            "with --replica"
        ) from err
    return lock
