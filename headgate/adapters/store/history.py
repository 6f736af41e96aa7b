"""What the audit chain vouches for: which tables, and each row as the plain values that are hashed.

The same row has the same values whether it is about to be written or was read back, on SQLite or on
PostgreSQL. A column that a later revision adds to one of these tables has to be left out of rows that
were chained before: their digests are as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from numbers import Integral
from typing import Any

from sqlalchemy import Boolean

from headgate.adapters.codec import stamp
from headgate.adapters.store.tables import METADATA

#: Tables of which every row has a line of its own.
SINGLE = (
    "plan", "rollout", "slice", "ledger", "confirmation", "scored_window", "approval", "button", "acted",
    "incident", "fact", "approver", "said", "signoff", "alert", "delivery", "monitored", "retraining",
    "retrained", "review_case", "review_decision", "review_window",
)  # fmt: skip
#: Written in bulk: one line for all rows of one write.
BULK = "evidence"
#: Of a rollout the rest changes with every tick.
_CHANGING = {"rollout": {"token", "version", "done"}}
#: Never shown, not even to auditors: the digest is over their hash.
_SECRET = {"approver": ("secret",)}
_AS_IT_IS = {str, int, bool, type(None)}


@cache
def columns_of(table: str) -> tuple[str, ...]:
    """Return the columns of a table that are hashed."""
    return tuple(c.name for c in METADATA.tables[table].c if c.name not in _CHANGING.get(table, set()))


def values_of(table: str, values: Iterable[Any]) -> dict[str, Any]:
    """Return a row as plain values by column, secrets as their hashes.

    Parameters
    ----------
    values
        Of `columns_of`, as they are held in Python or as a driver returns them.
    """
    plain = {
        name: value if type(value) in _AS_IT_IS else _plain(value)
        for name, value in zip(columns_of(table), values, strict=True)
    }
    for name in _booleans(table):
        if plain[name] in (0, 1):  # SQLite has no others
            plain[name] = bool(plain[name])
    for name in _SECRET.get(table, ()):
        plain[name] = "sha256:" + hashlib.sha256(str(plain[name]).encode(errors="surrogatepass")).hexdigest()
    return plain


def key_of(table: str, values: Mapping[str, Any]) -> str:
    """Return a row's primary key as JSON."""
    return _text({name: values[name] for name in _key(table)})


def bulk_key(rollout_id: str, ids: Sequence[int]) -> str:
    """Return the key of the rows that one write gave a rollout: all of its rows from first to last id."""
    return _text({"rollout_id": rollout_id, "first": ids[0], "last": ids[-1], "rows": len(ids)})


@cache
def _key(table: str) -> tuple[str, ...]:
    # The number is a detail of the database; everybody knows a rollout by its id.
    return ("id",) if table == "rollout" else tuple(c.name for c in METADATA.tables[table].primary_key)


@cache
def _booleans(table: str) -> tuple[str, ...]:
    own = METADATA.tables[table].c
    return tuple(name for name in columns_of(table) if isinstance(own[name].type, Boolean))


def _text(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, bytes):  # SQLite keeps what it is given; nothing of ours is bytes
        return {"bytes": value.hex()}
    return value
