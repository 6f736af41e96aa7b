"""A split that history recorded: which side its entities really met, for the sample ratio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.compare.cells import HOUR_MICROS, Mask
from headgate.compare.stays import EPOCH, HOUR, column_micros, stay_indices
from headgate.evidence import SPLIT, Entry, EvidenceRow, Source, SplitSum
from headgate.ports import Side, Status
from headgate.routing import FULL_BP

#: Per (entry, recorded share) the entities counted already.
Seen = Mapping[tuple[int, int], pa.Array]

#: More than there are shares, to keep a stay and a share in one number; later than any moment.
_SHARES, _NEVER = FULL_BP + 1, np.iinfo(np.int64).max


def recorded_split_rows(
    exchanges: pa.Table, entries: Sequence[Entry], part: str, seen: Seen | None = None
) -> tuple[list[EvidenceRow], Seen]:
    """Return distinct entities by the side they first met, per hour, entry and recorded share.

    History says who answered, not who was assigned: a request on which either side did not answer may
    have been moved by that, and is left out. What is left says the same about the split, because both
    sides' answers are known whoever served.

    Parameters
    ----------
    exchanges
        Table of exchanges, any order.
    entries
        All stays so far, in order of time.
    part
        Which window these exchanges are; windows come in order of time.
    seen
        What the windows before returned.

    Returns
    -------
    rows
        With the *recorded* share: that is what the split is held against. None without the columns
        ``served_by`` and ``share_bp``, or where they name no split.
    seen
        For the next window.
    """
    known = dict(seen or {})
    if not {"served_by", "share_bp"} <= set(exchanges.column_names) or not exchanges.num_rows:
        return [], known
    columns = exchanges.select(["at", "entity", "served_by", "share_bp"])
    rows = columns.filter(pa.array(_usable(exchanges)))
    at = column_micros(rows["at"])
    stays = stay_indices(entries, at)
    shares = np.asarray(rows["share_bp"], dtype=np.int64)
    served = np.asarray(pc.equal(rows["served_by"], Side.CANDIDATE.value), dtype=np.bool_)
    # Time first, then side: at the same moment the order of the rows must not decide.
    moments = at * 2 + served
    entities = rows["entity"].combine_chunks().dictionary_encode()
    codes = np.asarray(entities.indices, dtype=np.int64)
    found: list[EvidenceRow] = []
    for group in pc.unique(pa.array(stays * _SHARES + shares)).sort().to_pylist():
        stay, share = entries[group // _SHARES], group % _SHARES
        here = (stays == group // _SHARES) & (shares == share)
        first = np.full(len(entities.dictionary), _NEVER, dtype=np.int64)
        np.minimum.at(first, codes[here], moments[here])
        names, moment = entities.dictionary.filter(pa.array(first < _NEVER)), first[first < _NEVER]
        before = known.get((stay.entry, share))
        if before is not None:
            new = pc.invert(pc.is_in(names, value_set=before))
            names, moment = names.filter(new), moment[np.asarray(new, dtype=np.bool_)]
        known[stay.entry, share] = names if before is None else pa.concat_arrays([before, names])
        found += _hourly(moment, stay, share, part)
    return found, known


def _usable(exchanges: pa.Table) -> Mask:
    split = pc.and_(pc.greater(exchanges["share_bp"], 0), pc.less(exchanges["share_bp"], FULL_BP))
    sides = pa.array([side.value for side in Side])
    usable = pc.and_(split, pc.is_in(exchanges["served_by"], value_set=sides))
    for side in Side:
        usable = pc.and_(usable, pc.equal(exchanges[f"{side}_status"], Status.OK.value))
    return np.asarray(pc.fill_null(usable, False), dtype=np.bool_)


def _hourly(moments: npt.NDArray[np.int64], stay: Entry, share_bp: int, part: str) -> Iterator[EvidenceRow]:
    """Yield one row per hour of entities that first came at these moments."""
    hours, place = np.unique(moments // (2 * HOUR_MICROS), return_inverse=True)
    n1 = np.bincount(place[moments % 2 == 1], minlength=len(hours)).tolist()
    n0 = np.bincount(place[moments % 2 == 0], minlength=len(hours)).tolist()
    for hour, candidate, incumbent in zip(hours.tolist(), n1, n0, strict=True):
        sums = SplitSum(candidate, incumbent)
        yield EvidenceRow(SPLIT, None, EPOCH + hour * HOUR, stay.entry, share_bp, Source.PLANE, part, sums)
