"""Which hour and which stay each request belongs to, so that requests can be counted at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headgate.compare.stays import EPOCH, HOUR, stay_indices
from headgate.evidence import Entry

Mask = npt.NDArray[np.bool_]

HOUR_MICROS = HOUR // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cells:
    """The C pairs of hour and stay that n requests fall into.

    Attributes
    ----------
    keys
        Start of the hour and stay of each cell, in order of time; C of them.
    of
        Shape (n,): index into ``keys`` per request.
    share_bp
        Shape (n,): the share in force per request, basis points.
    """

    keys: tuple[tuple[datetime, Entry], ...]
    of: npt.NDArray[np.int64]
    share_bp: npt.NDArray[np.int64]

    def count(self, *masks: Mask) -> Iterator[tuple[datetime, Entry, tuple[int, ...]]]:
        """Yield each cell with how many of its requests are in each mask (shape (n,)).

        Cells in which no mask has a request are left out: an hour in which nothing was seen has no row.
        """
        counts = [np.bincount(self.of[mask], minlength=len(self.keys)).tolist() for mask in masks]
        for (hour, entry), *seen in zip(self.keys, *counts, strict=True):
            if any(seen):
                yield hour, entry, tuple(seen)


def cells_of(entries: Sequence[Entry], at: npt.NDArray[np.int64]) -> Cells:
    """Return the cells of requests at these moments (microseconds since 1970, shape (n,)).

    Raises
    ------
    EvidenceError
        If there is no stay at all.
    """
    stays = stay_indices(entries, at)
    found = pa.array(at // HOUR_MICROS * len(entries) + stays).dictionary_encode()
    values = np.asarray(found.dictionary, dtype=np.int64)
    order = np.argsort(values)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    keys = (divmod(value, len(entries)) for value in values[order].tolist())
    return Cells(
        tuple((EPOCH + hour * HOUR, entries[stay]) for hour, stay in keys),
        place[np.asarray(found.indices, dtype=np.int64)],
        np.array([entry.share_bp for entry in entries], dtype=np.int64)[stays],
    )
