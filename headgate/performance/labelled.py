"""The label rate of a window: of the outcomes that became mature by its end, how many are 1.

The outcomes of a window's own requests come later; when they are mature they are counted once, in the first
window that is judged after that. Without any there is no rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from headgate.performance.monitored import Monitored
from headgate.profile import Boolean, Profile

#: Name of the column beside those of a window's requests and answers.
LABEL = "label"
#: Where a window's record says up to when outcomes were counted.
REACHED = "labels_until"


def newly_mature(
    cohorts: Iterable[Monitored],
    windows: Sequence[Monitored],
    since: datetime,
    until: datetime,
    maturity: timedelta,
) -> list[Monitored]:
    """Return the cohorts that no window has counted yet, and that are mature at ``until``, in order of time.

    Parameters
    ----------
    windows
        Those judged before, in order of time.
    since
        From when on the model served alone: what came before is learnt from.
    """
    told = (one.body[REACHED] for one in reversed(windows) if one.body.get(REACHED))
    reached = next((datetime.fromisoformat(at) for at in told), since)
    return [one for one in cohorts if one.since >= reached and one.until + maturity <= until]


def rate_of(cohorts: Iterable[Monitored]) -> Profile | None:
    """Return the labels of these cohorts as a profile of one column; None where there is no label.

    Models that answer numbers have labels without a rate: None, too.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2013, 4, 1, tzinfo=UTC)
    >>> sums = {"sums": {"labelled": 80, "positives": 0.25}}
    >>> cohort = Monitored("s", "cohort", day, day, "v", "fine", sums, day)
    >>> rate_of([cohort, cohort]).columns[LABEL]
    Boolean(seen=160, true=40)
    >>> rate_of([]) is None
    True
    """
    seen = true = 0
    for one in cohorts:
        sums = one.body["sums"]
        if sums["labelled"] and sums["positives"] is not None:
            seen += sums["labelled"]
            true += round(sums["labelled"] * sums["positives"])
    return Profile({LABEL: Boolean(seen, true)}, seen) if seen else None
