"""What the two tables of a history must hold, column by column, and how each is read in SQL."""

# ruff: noqa: S608 - SQL is built of our own names and of columns and texts quoted by `sources`
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import duckdb
import pyarrow as pa

from headgate.adapters.history.sources import Source, quoted
from headgate.errors import InputError


class Kind(Enum):
    """What a column may hold: in words, in Arrow's types, and in SQL from text."""

    NAME = "text or whole numbers"
    TEXT = "text"
    NUMBER = "numbers"
    LABEL = "labels: numbers, true or false"
    TIME = "timestamps with a time zone"
    ANY = "any plain values"


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is read. ``name``: what it is called in the files; ``called``: by us, if otherwise."""

    name: str
    kind: Kind
    needed: bool = True
    called: str = ""

    @property
    def ours(self) -> str:
        """What we call it."""
        return self.called or self.name


_TODO_TIME = {
    "naive": "say which zone they are in where they are written, e.g. 2013-04-01T09:00:00Z",
    "mixed": "write all of them in one zone, e.g. UTC",
}


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


_FITS: dict[Kind, Callable[[pa.DataType], bool]] = {
    Kind.NAME: lambda kind: _is_text(kind) or bool(pa.types.is_integer(kind)),
    Kind.TEXT: _is_text,
    Kind.NUMBER: _is_number,
    Kind.LABEL: lambda kind: _is_number(kind) or bool(pa.types.is_boolean(kind)),
    Kind.TIME: lambda kind: bool(pa.types.is_timestamp(kind)) and kind.tz is not None,
    Kind.ANY: lambda kind: not pa.types.is_nested(kind),
}


def named(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    columns: tuple[Column, ...],
    in_plan: Mapping[str, str | None],
) -> tuple[Column, ...]:
    """Return the columns by the names the files have: ours, or else those the plan gives its own logs.

    Parameters
    ----------
    in_plan
        What the plan calls some of our columns; None where it has no name for one.
    """
    if source.kind == "parquet":
        there = {name for schema in source.schemas.values() for name in schema.names}
    else:
        there = set(asked(con, source, f"select * from {source.reader()} limit 0").columns)
    return tuple(
        replace(column, name=other, called=column.name)
        if column.name not in there and (other := in_plan.get(column.name)) in there and other is not None
        else column
        for column in columns
    )


def present(con: duckdb.DuckDBPyConnection, source: Source, columns: tuple[Column, ...]) -> frozenset[str]:
    """Return which of the columns the files have, once all of them are as agreed.

    Raises
    ------
    InputError
        If one that is needed is missing from any file, or one holds something else: names file and column.
    """
    if source.kind == "parquet":
        for file, schema in source.schemas.items():
            _check_schema(source, file, schema, columns)
        _one_zone(source, columns)
        every = {name for schema in source.schemas.values() for name in schema.names}
        return frozenset(column.name for column in columns if column.name in every)
    found = _csv_names(con, source, columns)
    here = tuple(column for column in columns if column.name in found)
    for column in here:
        _check_text(con, source, column)
    return frozenset(column.name for column in here)


def from_text(column: Column) -> str:
    """Return the SQL that reads a column of text as what it holds."""
    name = quoted(column.name)
    match column.kind:
        case Kind.NUMBER:
            return f"try_cast({name} as double)"
        case Kind.LABEL:
            return (
                f"case lower({name}) when 'true' then 1 when 'false' then 0 "
                f"else try_cast({name} as double) end"
            )
        case Kind.TIME:
            return f"try_cast({name} as timestamptz)"
        case _:
            return name


def _missing(source: Source, column: Column, names: list[str], file: Path) -> InputError:
    found = ", ".join(names) or "no columns"
    return source.error(f"a column {column.name!r}", found, "add it, or rename the one that holds it", file)


def _check_schema(source: Source, file: Path, schema: pa.Schema, columns: tuple[Column, ...]) -> None:
    for column in columns:
        indices = schema.get_all_field_indices(column.name)
        if not indices:
            if column.needed:
                raise _missing(source, column, schema.names, file)
            continue
        kind = schema.field(indices[0]).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if len(indices) > 1:
            raise source.error(f"one column {column.name!r}", "it twice", "keep one of them", file)
        if pa.types.is_null(kind) or _FITS[column.kind](kind):
            continue
        naive = column.kind is Kind.TIME and pa.types.is_timestamp(kind)
        found = f"naive timestamps ({kind})" if naive else str(kind)
        todo = _TODO_TIME["naive"] if naive else "convert it where it is written"
        raise source.error(f"column {column.name!r} as {column.kind.value}", found, todo, file)


def _one_zone(source: Source, columns: tuple[Column, ...]) -> None:
    for column in columns:
        if column.kind is not Kind.TIME:
            continue
        zones = {
            str(schema.field(column.name).type.tz): file
            for file, schema in source.schemas.items()
            if column.name in schema.names and pa.types.is_timestamp(schema.field(column.name).type)
        }
        if len({"UTC" if zone in ("UTC", "+00:00", "Z") else zone for zone in zones}) > 1:
            found = ", ".join(f"{zone} in {file.name}" for zone, file in sorted(zones.items()))
            raise source.error(f"column {column.name!r} in one time zone", found, _TODO_TIME["mixed"])


def _csv_names(con: duckdb.DuckDBPyConnection, source: Source, columns: tuple[Column, ...]) -> frozenset[str]:
    every: set[str] = set()
    for file in source.files:
        one = Source(source.option, source.path, source.kind, (file,), {})
        names = asked(con, source, f"select * from {one.reader()} limit 0", file).columns
        for column in columns:
            if column.needed and column.name not in names:
                raise _missing(source, column, names, file)
        every |= set(names)
    return frozenset(every)


def asked(
    con: duckdb.DuckDBPyConnection, source: Source, query: str, file: Path | None = None
) -> duckdb.DuckDBPyRelation:
    """Return what a query about the files answers; a file that cannot be read is an `InputError`."""
    try:
        return con.sql(query)
    except duckdb.Error as err:
        raise unreadable(source, err, file) from err


def unreadable(source: Source, err: Exception, file: Path | None = None) -> InputError:
    """Return what to say of files that the reader gave up on."""
    first = str(err).strip().splitlines()[0]
    return source.error(f"{source.kind.upper()} that can be read", first, "write it anew", file)


#: A time of day, then an offset: a date alone would end in what looks like one.
_OFFSET = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?\s*(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)$"


def _check_text(con: duckdb.DuckDBPyConnection, source: Source, column: Column) -> None:
    """Refuse a column of text that does not read as what it is to hold."""
    name, table = quoted(column.name), source.reader()
    if column.kind is Kind.TIME:
        _check_times(con, source, column)
    if column.kind not in (Kind.NUMBER, Kind.LABEL, Kind.TIME):
        return
    bad = _first(
        con,
        source,
        f"select min({name}), count(*) from {table} where {name} is not null and {from_text(column)} is null",
    )
    if bad[1]:
        found = f"{bad[0]!r}{f' and {bad[1] - 1} more like it' if bad[1] > 1 else ''}"
        raise source.error(
            f"column {column.name!r} as {column.kind.value}", found, "correct where it is written"
        )


def _check_times(con: duckdb.DuckDBPyConnection, source: Source, column: Column) -> None:
    name = quoted(column.name)
    naive = _first(
        con,
        source,
        f"select min({name}), count(*) from {source.reader()} "
        f"where {name} is not null and not regexp_matches({name}, '{_OFFSET}')",
    )
    if naive[1]:
        found = f"{naive[1]} without one, such as {naive[0]!r}"
        raise source.error(f"column {column.name!r} as {column.kind.value}", found, _TODO_TIME["naive"])
    offset = f"regexp_extract({name}, '{_OFFSET}', 3)"
    same = (
        f"case when {offset} in ('Z', 'z', 'UTC', '+00', '+0000', '+00:00', '-00:00') then 'UTC' "
        f"else replace({offset}, ':', '') end"
    )
    zones = asked(
        con,
        source,
        f"select distinct {same} z from {source.reader()} where {name} is not null order by z limit 5",
    ).fetchall()
    if len(zones) > 1:
        found = ", ".join(zone for (zone,) in zones)
        raise source.error(f"column {column.name!r} in one time zone", found, _TODO_TIME["mixed"])


def _first(con: duckdb.DuckDBPyConnection, source: Source, query: str) -> tuple[object, int]:
    try:
        row = con.sql(query).fetchall()[0]
    except duckdb.Error as err:
        raise unreadable(source, err) from err
    return row[0], int(row[1])
