"""What the pilot's log says: how many requests there are, which ones to send, and which are refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from headgate.adapters.oip import encode
from headgate.adapters.scoring import sent
from headgate.capacity import Failures, Volume, volume_of
from headgate.contract import check
from headgate.errors import InputError
from headgate.plan import Plan
from headgate.plan.model import LoadTest
from headgate.tables import clean_requests
from tasks import wiring

#: How much of the log before a test counts.
LOOK_BACK = timedelta(days=28)
#: Different requests that are sent, over and over.
_DIFFERENT = 2_000


@dataclass(frozen=True, slots=True)
class Pilot:
    """The volume, whole requests as they go over the wire, and what the contract refuses."""

    volume: Volume
    requests: tuple[bytes, ...]
    kinds: tuple[Failures, ...]


def pilot_of(plan: Plan, until: datetime) -> Pilot:
    """Return what the four weeks of requests before a time say.

    Raises
    ------
    InputError
        If there are none, or none that the contract lets through.
    LakeError
        If the log cannot be read.
    """
    table = wiring.lake_alone().read_requests(plan, until - LOOK_BACK, until)
    load = plan.load or LoadTest()
    volume = volume_of(table[plan.requests.at], LOOK_BACK.days, load.pilot) if table.num_rows else None
    asked = f"asked requests of the {LOOK_BACK.days} days before {until:%Y-%m-%d %H:%M} UTC to send"
    if volume is None:
        raise InputError(f"{asked}; found none; is requests.path the live log?")
    kept = clean_requests(table, plan).table
    refused: tuple[Failures, ...] = ()
    if plan.input:
        mask = check(kept, plan.input).mask_ok
        rejected = kept.num_rows - int(mask.sum())
        refused = (Failures("refused by the contract", rejected, kept.num_rows, "request log"),)
        kept = kept.filter(pa.array(mask))
    if not kept.num_rows:
        raise InputError(f"{asked}; found none that the input contract lets through; `headgate validate` it")
    return Pilot(volume, _over_the_wire(plan, kept), refused)


def _over_the_wire(plan: Plan, table: pa.Table) -> tuple[bytes, ...]:
    """Return requests spread evenly over the log, each as one HTTP request of one row."""
    rows = np.unique(np.linspace(0, table.num_rows - 1, min(_DIFFERENT, table.num_rows)).astype(int))
    picked = table.take(rows)
    asked = sent(picked, plan)
    kinds = {name: rule.type for name, rule in plan.input.columns.items()} if plan.input else {}
    columns = {name: asked[name].to_pylist() for name in asked.column_names}
    return tuple(
        _request(plan, entity, encode({name: [values[i]] for name, values in columns.items()}, kinds))
        for i, entity in enumerate(picked["entity"].to_pylist())
    )


def _request(plan: Plan, entity: Any, body: bytes) -> bytes:
    head = [
        f"POST /v2/models/{quote(plan.candidate.model, safe='')}/infer HTTP/1.1",
        "host: load-test",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "x-load-test: 1",  # for whoever reads the candidate's own log
    ]
    if entity is not None:
        head.append(f"x-entity-id: {quote(str(entity), safe=' /:@')}")
    return "\r\n".join([*head, "", ""]).encode() + body
