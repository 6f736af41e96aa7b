"""Which files were meant, of which kind they are, and what columns they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headgate.errors import InputError

_KINDS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}
_TODO = "name a Parquet or CSV file, a folder of them, or a pattern like data/2013-*.parquet"


@dataclass(frozen=True, slots=True)
class Source:
    """Files of one table.

    Attributes
    ----------
    option
        How the user named them, for errors: ``--exchanges``.
    schemas
        Per Parquet file its columns; empty for CSV.
    """

    option: str
    path: str
    kind: str
    files: tuple[Path, ...]
    schemas: Mapping[Path, pa.Schema]

    def error(self, asked: str, found: str, todo: str, file: Path | None = None) -> InputError:
        """Return an error that names the option and the file."""
        return InputError(f"{self.option} {file or self.path}: asked {asked}; found {found}; {todo}")

    def reader(self) -> str:
        """Return the SQL that reads all files, columns by name; CSV as text."""
        names = ", ".join(literal(_no_pattern(str(file))) for file in self.files)
        if self.kind == "parquet":
            return f"read_parquet([{names}], union_by_name=true, hive_partitioning=false)"
        return (
            f"read_csv([{names}], union_by_name=true, hive_partitioning=false, all_varchar=true, header=true)"
        )


def find_source(option: str, path: str) -> Source:
    """Return the files that a path means: a file, a folder (searched deep) or a pattern.

    Raises
    ------
    InputError
        If there are none, they are of two kinds, or one of them is no Parquet.
    """
    files = _files(Path(path))
    known = [file for file in files if _kind(file)]
    if not known:
        found = f"{files[0].name}" if files else "no such file"
        raise InputError(f"{option} {path}: asked Parquet or CSV; found {found}; {_TODO}")
    kinds = {_kind(file) for file in known}
    if len(kinds) > 1:
        raise InputError(
            f"{option} {path}: asked files of one kind; found Parquet and CSV; name one, e.g. {path}/*.csv"
        )
    kind = kinds.pop()
    source = Source(option, path, kind, tuple(known), {})
    empty = [file for file in known if not file.stat().st_size]
    if empty:
        raise source.error("rows", "an empty file", "remove the file or write it anew", empty[0])
    if kind == "csv":
        return source
    return Source(option, path, kind, tuple(known), {file: _schema(source, file) for file in known})


def literal(text: str) -> str:
    """Return a text as SQL writes it.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def quoted(column: str) -> str:
    """Return a column's name as SQL writes it.

    Examples
    --------
    >>> quoted("at")
    '"at"'
    """
    return '"' + column.replace('"', '""') + '"'


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        inside = (file for file in path.rglob("*") if file.is_file())
        # Names that begin so are left by writers for themselves: _SUCCESS, .crc
        return sorted(file for file in inside if _kind(file) and not file.name.startswith((".", "_")))
    if path.exists():
        return [path]
    fixed = [part for part in path.parts if not set(part) & set("*?[")]
    root = Path(*path.parts[: _first_pattern(path)]) if fixed else Path()
    pattern = str(Path(*path.parts[_first_pattern(path) :])) if _first_pattern(path) < len(path.parts) else ""
    return sorted(file for file in root.glob(pattern) if file.is_file()) if pattern and root.is_dir() else []


def _first_pattern(path: Path) -> int:
    return next((i for i, part in enumerate(path.parts) if set(part) & set("*?[")), len(path.parts))


def _kind(file: Path) -> str:
    return _KINDS.get(Path(file.name.removesuffix(".gz")).suffix.lower(), "")


def _schema(source: Source, file: Path) -> pa.Schema:
    try:
        return pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as err:
        raise source.error("a Parquet file", str(err), "write it anew", file) from err


def _no_pattern(path: str) -> str:
    """Return a path in which the signs of patterns stand for themselves."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)
