"""Who is served by whom: one bucket per entity, salted by the rollout."""

from __future__ import annotations

import xxhash

#: Shares are integers in basis points; this is all of the traffic.
FULL_BP = 10_000


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


def goes_to_candidate(salt: str, entity: str, share_bp: int) -> bool:
    """Return whether the candidate answers this entity at this share (basis points)."""
    return bucket(salt, entity) < share_bp
