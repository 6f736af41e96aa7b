"""Which requests are in a random sample: those whose id hashes lowest, of each stratum so many.

The hash is a fair coin that remembers: the same seed draws the same requests however the history is cut
into files, batches or partitions, and a larger sample contains the smaller one. Two passes over the
history and memory for the sample are enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from headgate.errors import InputError

Stratum = tuple[str | None, ...]
"""The values of the columns that a sample is stratified by; empty without any."""

Keys = npt.NDArray[np.uint64]

#: Column of a sample that says how many requests of history a row stands for.
WEIGHT = "sample_weight"
_MOST_STRATA = 1_000


@dataclass(frozen=True, slots=True)
class Tally:
    """What one pass over a part of history leaves; parts add up, in any order.

    Attributes
    ----------
    most
        How many keys are kept per stratum.
    rows
        Requests per stratum.
    keys
        The ``most`` smallest keys per stratum, each once, ascending.
    without_id
        Requests that have no id: nobody can draw them.
    """

    most: int
    rows: Mapping[Stratum, int] = field(default_factory=dict)
    keys: Mapping[Stratum, Keys] = field(default_factory=dict)
    without_id: int = 0

    def __add__(self, other: Tally) -> Tally:
        if self.most != other.most:
            raise InputError(f"asked tallies of one size; found {self.most} and {other.most} keys a stratum")
        keys = dict(self.keys)
        for stratum, found in other.keys.items():
            keys[stratum] = (
                _lowest(np.concatenate([keys[stratum], found]), self.most) if stratum in keys else found
            )
        rows = Counter(self.rows) + Counter(other.rows)
        return Tally(self.most, dict(rows), keys, self.without_id + other.without_id)


@dataclass(frozen=True, slots=True)
class Draw:
    """The requests of a sample, by stratum.

    Attributes
    ----------
    keys
        Their keys, ascending.
    weights
        How many requests of history each of them stands for: rows of its stratum by rows drawn.
    """

    keys: Mapping[Stratum, Keys]
    weights: Mapping[Stratum, float]

    @property
    def rows(self) -> int:
        """How many requests are in the sample."""
        return sum(len(keys) for keys in self.keys.values())


def count(
    batches: Iterable[pa.RecordBatch], request_id: str, by: Sequence[str], *, most: int, seed: int
) -> Tally:
    """Pass over history once.

    Parameters
    ----------
    batches
        With the columns ``request_id`` and ``by``.
    by
        Columns to stratify by; their values are told apart as text.
    most
        Rows asked for; memory is this times the number of strata.
    seed
        Which of all possible samples.

    Raises
    ------
    InputError
        If there are more than a thousand strata: such a column is a measurement, not a group.
    """
    rows: Counter[Stratum] = Counter()
    kept: dict[Stratum, Keys] = {}
    without = 0
    for batch in batches:
        keys, named = keys_of(batch[request_id], seed)
        without += int((~named).sum())
        for stratum, mine in _strata(batch, by):
            mine &= named
            if not (n := int(mine.sum())):
                continue
            rows[stratum] += n
            known = [kept[stratum]] if stratum in kept else []
            kept[stratum] = _lowest(np.concatenate([*known, keys[mine]]), most)
        if len(rows) > _MOST_STRATA:
            raise InputError(
                f"--by {', '.join(by)}: asked at most {_MOST_STRATA} groups; found more; "
                "name columns with few values"
            )
    return Tally(most, dict(rows), kept, without)


def draw(tally: Tally, rows: int, *, equal: bool = False) -> Draw:
    """Return which requests are in the sample.

    Parameters
    ----------
    rows
        How many are asked for; all there are where that is less.
    equal
        As many of every stratum, as far as it has them. Else in proportion, at least one of each.

    Raises
    ------
    InputError
        If nothing is there to draw from, or there are more strata than rows asked for.

    Examples
    --------
    >>> import pyarrow as pa
    >>> ids = pa.record_batch({"id": [f"r{i}" for i in range(100)], "at": ["EWR"] * 90 + ["JFK"] * 10})
    >>> drawn = draw(count([ids], "id", ["at"], most=20, seed=7), 20)
    >>> {stratum: len(keys) for stratum, keys in drawn.keys.items()}
    {('EWR',): 18, ('JFK',): 2}
    """
    if not tally.rows:
        raise InputError("asked a sample; found no request in that span; name another span or history")
    if len(tally.rows) > rows:
        raise InputError(
            f"asked {rows} rows of {len(tally.rows)} groups; found fewer rows than groups; ask for "
            "more rows, or stratify by less"
        )
    shares = dict.fromkeys(tally.rows, 1.0) if equal else {s: float(n) for s, n in tally.rows.items()}
    have = {stratum: len(keys) for stratum, keys in tally.keys.items()}
    asked = _apportion(shares, have, rows)
    keys = {stratum: tally.keys[stratum][:n] for stratum, n in asked.items()}
    return Draw(keys, {stratum: tally.rows[stratum] / len(drawn) for stratum, drawn in keys.items()})


def take(
    batches: Iterable[pa.RecordBatch], drawn: Draw, request_id: str, by: Sequence[str], *, seed: int
) -> Iterator[pa.Table]:
    """Yield the rows of the sample, with their weight; of an id that history holds twice the first row.

    Parameters
    ----------
    batches
        The same history as was counted, with whatever columns are wanted.
    """
    wanted = np.unique(np.concatenate(list(drawn.keys.values())))
    done: set[int] = set()
    for batch in batches:
        keys, named = keys_of(batch[request_id], seed)
        weights = np.zeros(batch.num_rows)
        for stratum, mine in _strata(batch, by):
            if stratum in drawn.keys:
                mine &= named & np.isin(keys, drawn.keys[stratum])
                weights[mine] = drawn.weights[stratum]
        picked = [i for i in np.flatnonzero(weights).tolist() if _first(int(keys[i]), done)]
        if picked:
            rows = pa.table(batch).take(pa.array(picked))
            yield rows.append_column(WEIGHT, pa.array(weights[picked], pa.float64()))
        if len(done) == len(wanted):
            return


def keys_of(ids: pa.Array, seed: int) -> tuple[Keys, npt.NDArray[np.bool_]]:
    """Return the key of every id, shape (n,), and whether it has one: empty and missing ids have none."""
    texts = ids.cast(pa.string()).to_pylist()
    keys = np.fromiter(
        (xxhash.xxh64_intdigest(f"{seed}:{text}".encode()) for text in texts),
        dtype=np.uint64,
        count=len(texts),
    )
    return keys, np.fromiter((bool(text) for text in texts), dtype=np.bool_, count=len(texts))


def _first(key: int, done: set[int]) -> bool:
    if key in done:
        return False
    done.add(key)
    return True


def _strata(batch: pa.RecordBatch, by: Sequence[str]) -> Iterator[tuple[Stratum, npt.NDArray[np.bool_]]]:
    """Yield every stratum of a batch and which rows are in it."""
    if not by:
        yield (), np.ones(batch.num_rows, np.bool_)
        return
    columns = [pc.dictionary_encode(batch[name].cast(pa.string()), null_encoding="encode") for name in by]
    codes = np.zeros(batch.num_rows, np.int64)
    for column in columns:
        codes = codes * len(column.dictionary) + np.asarray(column.indices)
    for code in np.unique(codes).tolist():
        mine = codes == code
        row = int(mine.argmax())
        yield tuple(column[row].as_py() for column in columns), mine


def _lowest(keys: Keys, most: int) -> Keys:
    return np.unique(keys)[:most]


def _apportion(shares: Mapping[Stratum, float], have: Mapping[Stratum, int], rows: int) -> dict[Stratum, int]:
    """Share out rows by Webster's method: one each, then always to whom most is due."""
    given = dict.fromkeys(shares, 1)
    names = sorted(shares, key=_by_name)
    due = [(-shares[s] / 1.5, i) for i, s in enumerate(names) if have[s] > 1]
    heapify(due)
    for _ in range(rows - len(given)):
        if not due:
            break
        _, i = heappop(due)
        stratum = names[i]
        given[stratum] += 1
        if given[stratum] < have[stratum]:
            heappush(due, (-shares[stratum] / (given[stratum] + 0.5), i))
    return given


def _by_name(stratum: Stratum) -> tuple[str, ...]:
    return tuple("" if value is None else value for value in stratum)
