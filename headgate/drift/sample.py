"""A bounded sample of rows: what the domain classifier looks at, and what is kept beside a reference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from headgate.errors import InputError

#: Rows that are enough to tell two windows apart, where they can be told apart at all.
MOST_ROWS = 5_000

Hashes = npt.NDArray[np.uint64]


class Sampler:
    """Keeps the rows with the smallest hashes of what passes by: which ones does not depend on luck.

    Attributes
    ----------
    most
        Rows kept.
    key
        Column whose hash decides, the request's id: then neither order nor partition of the rows matters.
        None: the row's place in the stream.
    """

    def __init__(self, most: int = MOST_ROWS, key: str | None = None) -> None:
        if most < 1:
            raise InputError(f"most: asked at least one row; found {most}")
        self.most, self.key = most, key
        self._parts: list[pa.Table] = []
        self._hashes: list[Hashes] = []
        self._places: list[npt.NDArray[np.int64]] = []
        self._seen, self._limit = 0, np.uint64(2**64 - 1)

    def add(self, batch: pa.RecordBatch) -> None:
        """Look at a batch."""
        if not batch.num_rows:
            return
        places = np.arange(self._seen, self._seen + batch.num_rows)
        self._seen += batch.num_rows
        hashes = self._hashed(batch, places)
        chosen = np.flatnonzero(hashes <= self._limit)
        if not chosen.size:
            return
        self._parts.append(_plain(pa.Table.from_batches([batch]).take(pa.array(chosen))))
        self._hashes.append(hashes[chosen])
        self._places.append(places[chosen])
        if sum(part.size for part in self._hashes) > 4 * self.most:
            self._tighten()

    def table(self) -> pa.Table:
        """Return the rows kept, in the order they passed."""
        if not self._parts:
            return pa.table({})
        self._tighten()
        return self._parts[0].take(pa.array(np.argsort(self._places[0], kind="stable")))

    def _tighten(self) -> None:
        """Keep the smallest hashes only; what passes by from now on must be smaller still."""
        hashes, places = np.concatenate(self._hashes), np.concatenate(self._places)
        table = pa.concat_tables(self._parts, promote_options="permissive")
        keep = np.lexsort((places, hashes))[: self.most]
        self._parts = [table.take(pa.array(keep)).combine_chunks()]
        self._hashes, self._places = [hashes[keep]], [places[keep]]
        if keep.size == self.most:
            self._limit = self._hashes[0][-1]

    def _hashed(self, batch: pa.RecordBatch, places: npt.NDArray[np.int64]) -> Hashes:
        if self.key is None:
            return _mixed(places.astype(np.uint64))
        if self.key not in batch.schema.names:
            raise InputError(
                f"asked to draw rows by the hash of {self.key!r}; found {', '.join(batch.schema.names)}; "
                "name the column that holds the request's id"
            )
        ids = batch.column(self.key).cast(pa.string()).to_pylist()
        return np.array([xxhash.xxh64_intdigest(str(one or "").encode()) for one in ids], dtype=np.uint64)


def draw(batches: Iterable[pa.RecordBatch], most: int = MOST_ROWS, *, key: str | None = None) -> pa.Table:
    """Return at most so many rows of a stream, drawn by hash: the same rows for the same stream.

    Examples
    --------
    >>> rows = pa.RecordBatch.from_pydict({"x": list(range(100))})
    >>> draw([rows], 3) == draw([rows.slice(0, 40), rows.slice(40)], 3)
    True
    """
    sampler = Sampler(most, key)
    for batch in batches:
        sampler.add(batch)
    return sampler.table()


def _mixed(places: Hashes) -> Hashes:
    """Return places mixed into hashes (the finaliser of splitmix64)."""
    z = places + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)


def _plain(table: pa.Table) -> pa.Table:
    """Return the table without dictionaries: those of two batches need not agree."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            column: Any = pc.cast(table.column(place), field.type.value_type)
            table = table.set_column(place, field.name, column)
    return table
