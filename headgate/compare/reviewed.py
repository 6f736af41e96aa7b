"""What reviewers said of requests, beside the outcomes: an override is an outcome that people make.

It has a time of its own: an answer may be overruled long before anybody knows what really happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: By request id: when it was said, and whether the answer was overruled.
Reviews = Mapping[str, tuple[datetime, bool]]

#: The column in which exchanges carry it.
REVIEWED = "reviewed"


def with_reviews(rows: pa.Table, reviews: Reviews, known_by: datetime) -> pa.Table:
    """Return the rows with a column: 1 where a reviewer overruled the answer, 0 where one confirmed it.

    Null where nobody said anything by then: silence is not approval.
    """
    said = {key: float(overruled) for key, (at, overruled) in reviews.items() if at <= known_by}
    if not said:
        return rows
    where = pc.index_in(rows["request_id"], value_set=pa.array(list(said), pa.string()))
    return rows.append_column(REVIEWED, pa.array(list(said.values()), pa.float64()).take(where))


def overruled(rows: pa.Table, told: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return who overruled what: as the outcome log tells it, and as reviewers said.

    Told both ways, an override counts.

    Parameters
    ----------
    told
        Of the outcome log: 1, 0, or NaN where that is not known; shape (n,).
    """
    if REVIEWED not in rows.column_names:
        return told
    said = np.asarray(rows[REVIEWED].cast(pa.float64()), dtype=np.float64)
    found: npt.NDArray[np.float64] = np.fmax(told, said)
    return found
