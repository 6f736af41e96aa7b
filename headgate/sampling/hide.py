"""What of a sample may leave the house: no names of people or requests, no column nobody asked for.

A pilot sample is copied to laptops and shown around. What goes along is what the plan names; ids become
pseudonyms that nobody can undo (their key is forgotten) but that still tell whose rows belong together;
free text is masked as messages are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from headgate.errors import InputError
from headgate.plan.model import Plan
from headgate.sampling.draw import WEIGHT
from headgate.tables.slices import slice_columns

_DIGEST_BYTES = 8
_LEAST_KEY = 16


@dataclass(frozen=True, slots=True)
class Hiding:
    """What is hidden in a sample.

    Attributes
    ----------
    key
        Random bytes that pseudonyms are made with; forgotten afterwards.
    text
        Masks one free text, e.g. `headgate.alerts.masking.Mask` of the plan.
    left_out
        Further columns to leave out.
    keep_ids
        Ids and entities stay as they are: for samples that never leave the house.
    """

    key: bytes
    text: Callable[[str], str]
    left_out: Sequence[str] = ()
    keep_ids: bool = False


def columns_of(plan: Plan, known: Sequence[str], left_out: Sequence[str] = ()) -> list[str]:
    """Return the columns of the request log that a sample has: those the plan names.

    Without an input contract nobody said which columns models need, so all stay.

    Raises
    ------
    InputError
        If a column to leave out is none of the log's, or one without which there is no sample.
    """
    own = [plan.requests.id, plan.requests.at]
    by = plan.segments.by if plan.segments else ()
    named = [
        *own,
        plan.unit.entity,
        *(plan.input.columns if plan.input else known),
        *by,
        *slice_columns(plan),
    ]
    for column in left_out:
        if column in own or column not in known:
            raise InputError(
                f"--hide: asked a column of the log other than {' and '.join(own)}; found {column!r}; "
                f"the log has {', '.join(known)}"
            )
    return [name for name in dict.fromkeys(named) if name in known and name not in left_out]


def hide(sample: pa.Table, plan: Plan, how: Hiding) -> pa.Table:
    """Return the sample as it may be handed out.

    Ids and entities become pseudonyms, the same one for the same value within this sample; text that is
    no category of the contract and no segment is masked. Columns are neither added nor lost.

    Raises
    ------
    InputError
        If the key is shorter than 16 bytes: pseudonyms could be guessed.
    """
    if len(how.key) < _LEAST_KEY:
        raise InputError(
            f"asked a key of {_LEAST_KEY} bytes or more; found {len(how.key)}; draw a random one"
        )
    groups = _groups(plan)
    for i, name in enumerate(sample.column_names):
        if name in (plan.requests.id, plan.unit.entity) and name not in groups:
            if not how.keep_ids:
                sample = sample.set_column(i, name, _pseudonyms(sample[name], how.key))
        elif name not in groups and name != WEIGHT and _is_text(sample[name].type):
            sample = sample.set_column(i, name, _masked(sample[name], how.text))
    return sample


def _groups(plan: Plan) -> set[str]:
    """Return the columns whose values the plan itself lists, or names to be judged by."""
    listed = {n for n, c in plan.input.columns.items() if c.values is not None} if plan.input else set()
    return listed | set(plan.segments.by if plan.segments else ()) | set(slice_columns(plan))


def _pseudonyms(column: pa.ChunkedArray, key: bytes) -> pa.Array:
    def pseudonym(value: str) -> str:
        return hashlib.blake2b(value.encode(), key=key[:64], digest_size=_DIGEST_BYTES).hexdigest()

    texts = column.cast(pa.string()).to_pylist()
    return pa.array([None if text is None else pseudonym(text) for text in texts], pa.string())


def _masked(column: pa.ChunkedArray, text: Callable[[str], str]) -> pa.Array:
    values = column.cast(pa.string()).to_pylist()
    known = {value: text(value) for value in set(values) if value is not None}
    return pa.array([None if value is None else known[value] for value in values], pa.string())


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
