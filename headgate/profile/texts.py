"""Counts texts by their dictionary codes; of more values than anybody can compare, a random choice.

Which values are kept is decided by their hash alone: those with the `MOST_VALUES` smallest. A value among
them is among them in every part of the rows too, so its count is exact, and parts merge to the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from headgate.profile.arrays import numbers_in, valid_in, values_in
from headgate.profile.columns import MOST_VALUES, Categorical, Counts
from headgate.profile.numbers import BLOCK

if TYPE_CHECKING:
    from headgate.plan.sides import ColumnContract

#: Counted values that wait to be added up, and the longest text that is kept as it is.
_WAITING, _LONGEST = 1 << 17, 200


class TextTally:
    """Adds texts up to a `Categorical`."""

    def __init__(self, contract: ColumnContract | None = None) -> None:
        values = contract.values if contract else None
        self._allowed = None if values is None else frozenset(values)
        self._state = Categorical(0, {}, allowed=self._allowed)
        self._dictionary: pa.Array | None = None
        self._counts: Counts = np.zeros(0, np.int64)
        self._waiting: list[tuple[pa.Array, Counts]] = []
        self._size = 0

    def add(self, texts: pa.DictionaryArray) -> None:
        """Add texts, nulls left out, whose dictionary is of the type string or large_string."""
        size = len(texts.dictionary)
        counts = np.zeros(size + 1, np.int64)
        codes, there = values_in(texts.indices)
        for begun in range(0, codes.size, BLOCK):
            block = codes[begun : begun + BLOCK].astype(np.int64)
            if there is not None:
                block[~there[begun : begun + BLOCK]] = size
            np.add.at(counts, block, 1)
        counts = counts[:size]
        # A reader gives every batch a copy of one dictionary: comparing is cheaper than adding up names.
        if self._dictionary is not None and self._dictionary.equals(texts.dictionary):
            self._counts += counts
            return
        self._put_by()
        self._dictionary, self._counts = texts.dictionary, counts

    def state(self) -> Categorical:
        """Return what was added up."""
        self._put_by()
        self._add_up()
        return self._state

    def _put_by(self) -> None:
        if self._dictionary is None:
            return
        self._waiting.append((self._dictionary, self._counts))
        self._size += len(self._dictionary)
        self._dictionary = None
        if self._size > _WAITING:
            self._add_up()

    def _add_up(self) -> None:
        if not self._waiting:
            return
        # A dictionary may hold a value twice, or null; encoding its values again settles both.
        encoded = pa.concat_arrays([names.cast(pa.large_string()) for names, _ in self._waiting])
        counts = np.concatenate([counts for _, counts in self._waiting])
        self._waiting, self._size = [], 0
        if encoded.null_count:
            counts = counts[valid_in(encoded)]
        encoded = encoded.dictionary_encode()
        total = np.zeros(len(encoded.dictionary), np.int64)
        np.add.at(total, numbers_in(encoded.indices).astype(np.int64), counts)
        part = keep_some(_counted(encoded.dictionary, total), 0, (), self._allowed)
        self._state = add_texts([self._state, part]) if self._state.seen else part


def add_texts(parts: Iterable[Categorical]) -> Categorical:
    """Return the state of several parts together."""
    counts: dict[str, int] = {}
    other, limits, allowed = 0, [], None
    for part in parts:
        other += part.other
        allowed = part.allowed if allowed is None else allowed
        if part.limit is not None:
            limits.append(part.limit)
        for name, count in part.counts.items():
            counts[name] = counts.get(name, 0) + count
    return keep_some(counts, other, limits, allowed)


def keep_some(
    counts: dict[str, int], other: int, limits: Iterable[int], allowed: frozenset[str] | None
) -> Categorical:
    """Return the state of counted values, of which those with the smallest hashes are kept.

    Parameters
    ----------
    counts
        Values and how often they are there; for every hash below all ``limits`` they are complete.
    other
        Rows with values that are not among them.
    limits
        Of the parts the counts come from: each is the hash of a value that was left out first.
    """
    seen = sum(counts.values()) + other
    limits = tuple(limits)
    if len(counts) <= MOST_VALUES and not limits:
        return Categorical(seen, counts, allowed=allowed)
    hashes = {name: hash_of(name) for name in counts}
    smallest = nsmallest(MOST_VALUES + 1, {*hashes.values(), *limits})
    limit = smallest[-1]
    kept = {name: count for name, count in counts.items() if hashes[name] < limit}
    return Categorical(seen, kept, seen - sum(kept.values()), limit, allowed)


def keep_below(state: Categorical, limit: int) -> Categorical:
    """Return the state with only those values kept whose hash is below a limit."""
    kept = {name: count for name, count in state.counts.items() if hash_of(name) < limit}
    lower = limit if state.limit is None else min(limit, state.limit)
    return Categorical(state.seen, kept, state.seen - sum(kept.values()), lower, state.allowed)


def hash_of(name: str) -> int:
    """Return the hash that decides whether a value is kept: the same on every machine, 63 bits."""
    return xxhash.xxh64_intdigest(name.encode("utf-8", "surrogatepass")) >> 1


def _counted(names: pa.LargeStringArray, counts: Counts) -> dict[str, int]:
    """Return how often each value is there; of a long one its beginning and its hash stand for it."""
    longest = pc.max(pc.binary_length(names)).as_py() or 0
    if longest <= _LONGEST:
        return {name: n for name, n in zip(names.to_pylist(), counts.tolist(), strict=True) if n}
    found: dict[str, int] = {}
    for name, n in zip(names.to_pylist(), counts.tolist(), strict=True):
        kept = name if len(name) <= _LONGEST else f"{name[:60]}... ({hash_of(name):016x})"
        if n:
            found[kept] = found.get(kept, 0) + n
    return found
