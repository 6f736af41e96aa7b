"""Who is served by whom: one bucket per entity, salted by the rollout. And whose label is sought."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
import xxhash

#: Shares are integers in basis points; this is all of the traffic.
FULL_BP = 10_000
#: What `bucket` computes, as planes name it: guard, backtest and provider would disagree with any other.
HASH = "xxh64(salt:entity) % 10000"


def bucket(salt: str, entity: str) -> int:
    """Return the bucket of an entity, 0 to 9,999.

    The same bytes as Envoy's ``use_hash_policy`` over ``"{salt}:{entity}"`` (xxHash64, seed 0), so
    that a backtest, a guard and the plane agree about every entity. The candidate serves when
    ``bucket < share_bp``: raising the share only ever moves entities to the candidate.

    Examples
    --------
    >>> bucket("flights-gbm-1", "N14228")
    9995
    """
    return xxhash.xxh64_intdigest(f"{salt}:{entity}".encode()) % FULL_BP


def buckets(salt: str, entities: Sequence[bytes]) -> npt.NDArray[np.int32]:
    """Return the buckets of n entities, given in UTF-8, at once: shape (n,).

    Examples
    --------
    >>> buckets("flights-gbm-1", [b"N14228"])
    array([9995], dtype=int32)
    """
    prefix = f"{salt}:".encode()
    digests = map(xxhash.xxh64_intdigest, map(prefix.__add__, entities))
    hashes = np.fromiter(digests, np.uint64, len(entities))
    return (hashes % np.uint64(FULL_BP)).astype(np.int32)


def goes_to_candidate(salt: str, entity: str, share_bp: int) -> bool:
    """Return whether the candidate answers this entity at this share (basis points)."""
    return bucket(salt, entity) < share_bp


def drawn(service: str, request_id: str, chance: float) -> bool:
    """Return whether an audit seeks the label of a request; the draw has nothing to do with any answer.

    ``chance`` is in (0, 1). Whoever fetches labels draws as Headgate does: xxHash64 of
    ``"audit:{service}:{request_id}"`` lies below the chance times 2**64.

    Examples
    --------
    >>> [drawn("flight-delays", f"r{i}", 0.5) for i in range(4)]
    [False, True, True, True]
    """
    return _draw(service, request_id) < _below(chance)


def all_drawn(service: str, request_ids: Sequence[str], chance: float) -> npt.NDArray[np.bool_]:
    """Return the same for n requests at once, shape (n,)."""
    draws = (_draw(service, request_id) for request_id in request_ids)
    found: npt.NDArray[np.bool_] = np.fromiter(draws, np.uint64, len(request_ids)) < np.uint64(_below(chance))
    return found


def _draw(service: str, request_id: str) -> int:
    return xxhash.xxh64_intdigest(f"audit:{service}:{request_id}".encode())


def _below(chance: float) -> int:
    # Exact: a power of two moves no bit of a float, and a whole number is below x if below ceil(x).
    return ceil(chance * 2.0**64)
