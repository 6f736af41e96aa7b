"""Whose request it was: the share in force when it came, and the side that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate import routing
from headgate.compare.stays import stay_indices
from headgate.evidence import Entry
from headgate.ports import Side
from headgate.routing import FULL_BP

Mask = npt.NDArray[np.bool_]
Shares = npt.NDArray[np.int32]


def sides_of(
    rows: pa.Table, entries: Sequence[Entry], at: npt.NDArray[np.int64], salt: str
) -> tuple[Shares, Mask]:
    """Return per request the candidate's share in basis points, and whether it is the candidate's.

    While the rollout is on a split, a split that is on record counts as it was: ``served_by``, at
    ``share_bp``. Everywhere else the share is that of the stay, and the bucket of the entity decides.

    Parameters
    ----------
    rows
        n requests with ``entity``; ``served_by`` and ``share_bp`` count where both are there.
    at
        When they came, microseconds since 1970, shape (n,).
    salt
        Of the rollout's buckets.

    Returns
    -------
    tuple of numpy.ndarray
        Both of shape (n,).
    """
    shares = np.array([entry.share_bp for entry in entries], np.int32)[stay_indices(entries, at)]
    split = is_split(shares)
    sides: Mask = shares >= FULL_BP
    recorded = _recorded(rows) & split if split.any() else np.zeros_like(split)
    if recorded.any():
        shares[recorded] = np.asarray(rows["share_bp"].cast(pa.int32()).fill_null(0), np.int32)[recorded]
        served = pc.fill_null(pc.equal(rows["served_by"], Side.CANDIDATE.value), False)
        sides[recorded] = np.asarray(served, np.bool_)[recorded]
    drawn = split & ~recorded
    if drawn.any():
        entities = rows["entity"].filter(pa.array(drawn)).cast(pa.binary())
        sides[drawn] = routing.buckets(salt, np.asarray(entities, dtype=object).tolist()) < shares[drawn]
    return shares, sides


def is_split(shares: Shares) -> Mask:
    """Return where both sides serve."""
    split: Mask = (shares > 0) & (shares < FULL_BP)
    return split


def _recorded(rows: pa.Table) -> Mask:
    if not {"served_by", "share_bp"} <= set(rows.column_names):
        return np.zeros(rows.num_rows, np.bool_)
    shares = np.asarray(rows["share_bp"].cast(pa.int32()).fill_null(0), np.int32)
    return is_split(shares) & np.asarray(pc.is_valid(rows["served_by"]), np.bool_)
