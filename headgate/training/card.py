"""The model card: what a version is, what it was made of, and how it was held against others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from headgate.plan.model import Plan
from headgate.training.compared import Against
from headgate.training.guards import Usable
from headgate.training.judged import Judged
from headgate.training.window import Span

#: What a card is: raised when a reader of old ones must tell them apart.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Made:
    """How a model was made.

    Attributes
    ----------
    trainer
        ``module:function``.
    source_sha256
        Of the trainer's module.
    libraries
        Names and versions of what it was made with.
    preprocessing_sha256
        Of what happens to a request before the model sees it; None where the model has none besides itself.
    columns
        Columns of a request that the model reads.
    trusted
        Types in the file that its maker vouches for.
    """

    trainer: str
    source_sha256: str
    libraries: Mapping[str, str]
    preprocessing_sha256: str | None
    columns: tuple[str, ...]
    trusted: tuple[str, ...]


def card_of(
    plan: Plan,
    version: str,
    span: Span,
    data: Usable,
    made: Made,
    held: Sequence[Against],
    judgement: Judged,
    *,
    trigger: str,
    origin: str,
    at: datetime,
    diff: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the card of a version, plain JSON.

    ``fingerprint`` is the same for the same data, settings and code: a model made again from it is the same
    model.
    """
    asked = plan.retrain.model_dump(mode="json") if plan.retrain else {}
    settings = {"retrain": asked, "features": list(data.features), "label": data.label}
    data_hash = digest_of(data.table)
    body = {
        "card": VERSION,
        "name": plan.candidate.model,
        "version": version,
        "service": plan.service,
        "made_at": at.isoformat(),
        "made_for": {"trigger": trigger, "origin": origin},
        "label": data.label,
        "features": list(data.features),
        "columns": list(made.columns),
        "training": span.to_json() | {"rows": data.table.num_rows},
        "training_sha256": data_hash,
        "left_out": {reason: n for reason, n in data.counts.items() if reason not in ("read", "used") and n},
        "read": data.counts["read"],
        "columns_left_out": list(data.answers),
        "settings": settings,
        "trainer": {"function": made.trainer, "source_sha256": made.source_sha256},
        "libraries": dict(made.libraries),
        "preprocessing_sha256": made.preprocessing_sha256,
        "trusted": list(made.trusted),
        "held_out": [one.to_json() for one in held],
        "accepted": judgement.accepted,
        "reason": judgement.reason,
        "diff": dict(diff),
        "template": plan.hash,
    }
    made_of = {
        "data": data_hash,
        "settings": settings,
        "trainer": [made.trainer, made.source_sha256],
        "libraries": dict(made.libraries),
        "preprocessing": made.preprocessing_sha256,
    }
    return body | {"fingerprint": fingerprint_of(made_of)}


def fingerprint_of(parts: Any) -> str:
    """Return the sha256 of plain JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def digest_of(table: pa.Table) -> str:
    """Return a sha256 of every value of a table, its column names and types; the same rows give the same.

    Examples
    --------
    >>> table = pa.table({"x": [1, 2]})
    >>> digest_of(table) == digest_of(pa.concat_tables([table.slice(0, 1), table.slice(1)]))
    True
    """
    whole = table.replace_schema_metadata(None).combine_chunks()
    # A slice keeps the buffers of the whole: taken row by row it has its own.
    whole = whole.take(pa.array(range(whole.num_rows), pa.int64())).combine_chunks()
    hashed = hashlib.sha256()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    hashed.update(sink.getvalue())
    return hashed.hexdigest()
