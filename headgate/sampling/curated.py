"""A set that somebody picked by hand, held against the real stream: curated samples flatter the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa

from headgate.plan.model import Plan
from headgate.sampling.calendar import PARTS, parts_of
from headgate.sampling.draw import count, draw, take
from headgate.sampling.seen import Cover, cover, kind_of
from headgate.sampling.unseen import Unseen, never_saw

Batches = Callable[[], Iterable[pa.RecordBatch]]
"""Reads a set of requests from its beginning, as often as it is called."""


@dataclass(frozen=True, slots=True)
class Curated:
    """What a curated set never saw.

    Attributes
    ----------
    unseen
        What the stream has and the set has not.
    share_random
        The share of the stream with anything unseen, had the set been drawn at random from it: what
        curating cost is the difference.
    columns
        What was looked at; ``at.month`` and the like are derived from the time.
    """

    unseen: Unseen
    share_random: float
    columns: tuple[str, ...]


def hold_against(
    plan: Plan, curated: Batches, stream: Batches, columns: Sequence[str], *, seed: int
) -> Curated:
    """Compare a curated set with the real stream.

    Parameters
    ----------
    curated, stream
        The set, and requests of the request log; both are read batch by batch, the stream four times.
    columns
        Columns of the log to look at. Ids, entities and columns of other types are looked at by nobody.
    seed
        Of the random set that the curated one is measured by.

    Raises
    ------
    InputError
        If either has no rows.
    """
    zone, at = ZoneInfo(plan.calendar.timezone), plan.requests.at
    identity = (plan.requests.id, plan.unit.entity)
    first = next(iter(stream()), None)
    known = first.schema if first is not None else pa.schema([])
    wanted = [n for n in columns if n not in identity and n in known.names and kind_of(known.field(n).type)]

    def looked_at(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield _with_calendar(
                batch.select([n for n in batch.schema.names if n in {*wanted, at}]), at, zone
            )

    saw = cover(looked_at(curated()))
    dated = f"{at}.{PARTS[0]}" in saw.columns
    every = (*wanted, *(f"{at}.{part}" for part in PARTS if dated))
    unseen = never_saw(looked_at(stream()), saw, every)
    random = cover(looked_at(_random(stream, plan.requests.id, unseen, seed)))
    return Curated(unseen, never_saw(looked_at(stream()), _only(random, saw), every).share_any, every)


def _random(stream: Batches, request_id: str, unseen: Unseen, seed: int) -> Iterator[pa.RecordBatch]:
    rows = min(unseen.rows_set, unseen.rows_stream)
    drawn = draw(count(stream(), request_id, (), most=rows, seed=seed), rows)
    for table in take(stream(), drawn, request_id, (), seed=seed):
        yield from table.to_batches()


def _only(random: Cover, saw: Cover) -> Cover:
    """Leave out columns that the curated set lacks: both sets are measured by the same columns."""
    return Cover(random.rows, {name: seen for name, seen in random.columns.items() if name in saw.columns})


def _with_calendar(batch: pa.RecordBatch, at: str, zone: ZoneInfo) -> pa.RecordBatch:
    """Put month, weekday and hour in place of the time, where there is one with a zone."""
    names = [name for name in batch.schema.names if name != at]
    columns = [batch[name] for name in names]
    if at in batch.schema.names:
        kind = batch.schema.field(at).type
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            for part, values in parts_of(batch[at], zone).items():
                names.append(f"{at}.{part}")
                columns.append(values)
    return pa.RecordBatch.from_arrays(columns, names)
