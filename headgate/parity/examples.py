"""Which requests are golden: few, and such that every value a step may treat in its own way is among them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

#: Golden examples of a model, where nothing else is asked.
EXAMPLES = 64
#: Texts of a column that are looked for; a column with more is an identifier, or nearly.
_WORDS = 200


def choose(requests: pa.Table, n: int = EXAMPLES) -> pa.Table:
    """Return at most n rows: first those that cover what the columns hold, then others by the lowest hash.

    Covered are, column by column: a missing value, the least and the largest number, every text (the rarer
    first). Equal tables give equal rows, wherever and in whatever order they were made.

    Parameters
    ----------
    requests
        Requests as models are sent them.

    Raises
    ------
    ValueError
        If there is no row, or n is below 1.

    Examples
    --------
    >>> table = pa.table({"x": [3, 1, None, 2], "w": ["a", "a", "a", "b"]})
    >>> choose(table, 4).to_pylist()[0]
    {'x': None, 'w': 'a'}
    """
    if n < 1 or not requests.num_rows:
        raise ValueError(f"asked {n} examples of {requests.num_rows} requests; both must be 1 or more")
    ranked = requests.take(pc.sort_indices(_hashes(requests)))
    wanted: dict[int, None] = {}  # in the order in which they were asked for
    asked = [_covering(ranked[name].combine_chunks()) for name in ranked.column_names]
    while len(wanted) < n and any(asked):  # a turn for every column, so that none takes all the room
        for rows in asked:
            if rows and len(wanted) < n:
                wanted.setdefault(rows.pop(0))
    for row in range(ranked.num_rows):
        if len(wanted) >= n:
            break
        wanted.setdefault(row)
    return ranked.take(pa.array(list(wanted), pa.int64()))


def _hashes(table: pa.Table) -> pa.Array:
    from pandas.util import hash_pandas_object  # slow to import, and servers choose nothing

    return pa.array(hash_pandas_object(table.to_pandas(), index=False).to_numpy())


def _covering(column: pa.Array) -> list[int]:
    """Return rows that show what a column holds: the first of each, in the order of the hashes."""
    found = []
    if column.null_count:
        found.append(pc.index(column.is_null(), pa.scalar(value=True)).as_py())
    known = column.drop_null()
    if not len(known):
        return found
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        ends = pc.min_max(known)
        least_and_most = [pc.index(column, ends[end]).as_py() for end in ("min", "max")]
        return found + [row for row in least_and_most if row >= 0]  # -1: nothing but NaN
    counts = sorted(pc.value_counts(known).to_pylist(), key=lambda one: (one["counts"], str(one["values"])))
    if len(counts) > _WORDS:
        return found
    return found + [pc.index(column, pa.scalar(one["values"], column.type)).as_py() for one in counts]
