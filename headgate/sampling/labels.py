"""What became of the requests of a sample, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from headgate.errors import InputError
from headgate.plan.model import Plan


def label(sample: pa.Table, outcomes: Iterable[pa.RecordBatch], plan: Plan) -> pa.Table:
    """Return the sample with label and time known; both null where no outcome is there.

    Parameters
    ----------
    sample
        With ids as the log has them: label first, hide afterwards.
    outcomes
        Id, label and time known; of an id that comes twice the first counts.

    Raises
    ------
    InputError
        If the request log already has a column of the label's name: which of both would it be?
    """
    told, request_id = (plan.outcomes.label, plan.outcomes.known_at), plan.requests.id
    for name in told:
        if name in sample.column_names:
            raise InputError(
                f"--labels: asked {name!r} from the outcomes; found a column of that name in the request "
                "log; leave one out with --hide"
            )
    ids = sample[request_id].cast(pa.string())
    mine = [
        pa.table(batch).filter(pc.is_in(batch[request_id].cast(pa.string()), value_set=ids.combine_chunks()))
        for batch in outcomes
    ]
    if not mine:
        nothing = pa.nulls(sample.num_rows)
        return sample.append_column(told[0], nothing).append_column(told[1], nothing)
    known = pa.concat_tables(mine).combine_chunks()
    where = pc.index_in(ids, value_set=known[request_id].cast(pa.string()).combine_chunks())
    for name in told:
        sample = sample.append_column(name, known[name].take(where))
    return sample
