"""Draws a sample out of the lake and writes it; reads the set that it is compared with."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from headgate.adapters.lake import Lake
from headgate.adapters.logs import in_order
from headgate.adapters.places import place_of
from headgate.alerts.masking import Mask
from headgate.errors import InputError, LakeError
from headgate.plan.model import Plan
from headgate.sampling.draw import count, draw, take
from headgate.sampling.hide import Hiding, columns_of, hide
from headgate.sampling.labels import label
from headgate.sampling.telling import Drawn

_SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class Ask:
    """Which sample is asked for; fields as the options of ``headgate sample``."""

    rows: int
    since: datetime
    until: datetime
    by: tuple[str, ...] = ()
    equal: bool = False
    labels: bool = False
    left_out: Sequence[str] = ()
    keep_ids: bool = False
    seed: int = 1


def draw_sample(
    plan: Plan, lake: Lake, ask: Ask, path: Path, tell: Callable[[str], None] = lambda _: None
) -> Drawn:
    """Draw a sample and write it to ``path``; two passes over the log, in memory for the sample alone.

    Raises
    ------
    InputError
        If plan, log, path and what is asked for do not go together.
    LakeError
        If a file cannot be read.
    """
    _check_suffix(path)
    request_id, known = plan.requests.id, lake.request_columns(plan)
    columns = columns_of(plan, known, ask.left_out)
    if unknown := [name for name in ask.by if name not in known]:
        raise InputError(
            f"--by: asked columns of the log; found {', '.join(unknown)}; it has {', '.join(known)}"
        )

    def stream(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return lake.stream_requests(plan, ask.since, ask.until, list(dict.fromkeys(wanted)))

    tell("counting")
    tally = count(stream([request_id, *ask.by]), request_id, ask.by, most=ask.rows, seed=ask.seed)
    drawn = draw(tally, ask.rows, equal=ask.equal)
    tell("drawing")
    picked = take(stream([*columns, *ask.by]), drawn, request_id, ask.by, seed=ask.seed)
    table = in_order(pa.concat_tables(picked), plan.requests.at, request_id)
    table = table.drop_columns([name for name in ask.by if name not in columns])
    labelled = None
    if ask.labels:
        tell("looking for outcomes")
        table = label(table, lake.stream_outcomes(plan, ask.since), plan)
        labelled = table.num_rows - table[plan.outcomes.label].null_count
    table = hide(table, plan, Hiding(secrets.token_bytes(32), Mask.of(plan), keep_ids=ask.keep_ids))
    _write(table, path, {"plan": plan.name, "rows": table.num_rows, "seed": ask.seed, "by": list(ask.by)})
    left_out = [name for name in known if name not in columns]
    return Drawn(
        str(path), ask.by, tally, drawn, table.num_rows, table.column_names, left_out, ask.seed, labelled
    )


def stream_set(where: str) -> Iterator[pa.RecordBatch]:
    """Yield a set of requests: Parquet or CSV, a file or a folder, here or at an address.

    Raises
    ------
    InputError
        If nothing is there, or it has no rows' columns.
    LakeError
        If it cannot be read.
    """
    place = place_of(where)
    try:
        if not place.exists():
            raise InputError(
                f"{where}: asked a set of requests; found nothing there; name a file or a folder"
            )
        csv = where.endswith(".csv") or (not where.endswith(".parquet") and bool(place.files(".csv")))
        source = place.dataset("csv" if csv else "parquet")
        if not source.schema.names:
            raise InputError(f"{where}: asked a set of requests; found no columns; name another file")
        yield from source.to_batches()
    except (OSError, pa.ArrowException) as err:
        raise LakeError(f"{where}: cannot be read: {err}; write it anew as Parquet or CSV") from err


def _check_suffix(path: Path) -> None:
    if path.suffix not in _SUFFIXES:
        raise InputError(f"--out: asked a file ending in {' or '.join(_SUFFIXES)}; found {path}; name one")


def _write(table: pa.Table, path: Path, facts: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            pyarrow.csv.write_csv(table, path)
        else:
            metadata = {b"headgate.sample": json.dumps(facts).encode()}
            pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")
    except OSError as err:
        raise InputError(f"--out: asked to write {path}; found {err}; name another file") from err
