"""Reads rows once: their profile, the profiles of their parts, and a sample of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headgate.drift.sample import Sampler
from headgate.errors import InputError
from headgate.profile import Kind, Numeric, Profile, merge, outline, take
from headgate.profile.grid import is_coarse
from headgate.profile.rows import Source, open_rows

#: Groups of requests that are worth telling apart; a column with more is no grouping.
MOST_GROUPS = 50
_MISSING = "(missing)"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Parted:
    """Rows as they were read.

    Attributes
    ----------
    whole
        Their profile.
    parts
        Profiles of the days, hours or groups, in order; empty if none were asked for.
    sample
        Some thousand of the rows.
    """

    whole: Profile
    parts: dict[str, Profile]
    sample: pa.Table


def read(path: Path, like: Profile | None, *, by: str | None = None, unit: str = "day", tell: Tell) -> Parted:
    """Read the rows of a file or folder once.

    Parameters
    ----------
    like
        The reference's profile; None: this is the reference.
    by
        Column whose values part the rows; times are cut by ``unit``.

    Raises
    ------
    InputError
        If the files cannot be read, lack the column, or it has too many values.
    """
    source, sampler = open_rows(path), Sampler()
    laid_out = like or outline(path)
    batches = _passing(source, sampler, path, tell)
    if by is None:
        whole = take(batches, like=laid_out)
        # Rows that are sorted begin with values that tell nothing about the others: then on a better grid.
        if like is None and any(isinstance(c, Numeric) and is_coarse(c) for c in whole.columns.values()):
            whole = take(path)
        return Parted(whole, {}, sampler.table())
    parts = _parted(batches, by, unit, laid_out, path)
    if not parts:
        return Parted(take([], like=laid_out), {}, sampler.table())
    return Parted(merge(*parts.values()), parts, sampler.table())


def _passing(source: Source, sampler: Sampler, path: Path, tell: Tell) -> Iterator[pa.RecordBatch]:
    done = 0
    for batch in source.batches(source.names):
        sampler.add(batch)
        done += batch.num_rows
        of = f" of {source.total:,}" if source.total else ""
        tell(f"reading {path}: {done:,}{of} rows")
        yield batch


def _parted(
    batches: Iterator[pa.RecordBatch], by: str, unit: str, like: Profile, path: Path
) -> dict[str, Profile]:
    found: dict[str, Profile] = {}
    for batch in batches:
        if by not in batch.schema.names:
            raise InputError(
                f"--by {by}: asked a column of {path}; found {', '.join(batch.schema.names)}; name another"
            )
        keys = _keys(batch.column(by), unit)
        values = pc.unique(keys).to_pylist()
        if len({*found, *values}) > MOST_GROUPS and like.columns[by].kind is not Kind.TIMESTAMP:
            raise InputError(
                f"--by {by}: asked a column of times, or one with at most {MOST_GROUPS} values; found more; "
                "name a coarser one"
            )
        for value in values:
            part = take([batch.filter(pc.equal(keys, value))], like=like)
            found[value] = merge(found[value], part) if value in found else part
    return dict(sorted(found.items()))


def _keys(column: pa.Array, unit: str) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(column.type):
        # In UTC: a day that a zone makes an hour longer is still one day's worth of shocks.
        column = pc.floor_temporal(column.cast(pa.timestamp("us", column.type.tz)), unit=unit).cast(
            pa.int64()
        )
    return pc.fill_null(column.cast(pa.string()), _MISSING)
