"""Exchanges and outcomes for tests of compare: say what matters, get the rest."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from headgate.tables import exchanges_schema
from tests.builders import APRIL

NEXT_DAY = APRIL + timedelta(days=1)
BLOCK = (APRIL, NEXT_DAY)
AT_ONCE = APRIL + timedelta(hours=1)


def exchange(request_id: str, **more: Any) -> dict[str, Any]:
    row = {
        "request_id": request_id,
        "entity": f"of-{request_id}",
        "at": APRIL,
        "window": "w",
        "incumbent_prediction": 0.5,
        "candidate_prediction": 0.5,
        "incumbent_status": "ok",
        "candidate_status": "ok",
        "incumbent_version": "1",
        "candidate_version": "2",
        "reject_reason": None,
        "share_bp": 0,
        "seg_origin": "JFK",
    } | more
    for side in ("incumbent", "candidate"):
        if row[f"{side}_status"] != "ok":
            row[f"{side}_prediction"] = None
    return row


def exchanges(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=exchanges_schema(["origin"]))


def outcomes(*rows: tuple[Any, Any, datetime | None]) -> pa.Table:
    """(request id, label, known at), named as the plan of `tests.builders` names them."""
    ids, labels, known = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "request_id": pa.array(ids, pa.string()),
            "late": pa.array(labels, pa.float64()),
            "known_at": pa.array(known, pa.timestamp("us", "UTC")),
        }
    )
