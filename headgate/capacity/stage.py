"""One stage of a load test: a rate that was held for a while, and what came of every request.

A request's latency counts from when it was due and not from when it was sent: a server that stalls makes
every caller wait who would have called meanwhile, and a generator that waits with it would not notice
("coordinated omission", [1]_).

References
----------
.. [1] G. Tene, "How NOT to Measure Latency", 2013; wrk2, https://github.com/giltene/wrk2.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: A quantile is told where at least so many requests lie beyond it.
_BEYOND = 5
#: So many requests are needed to tell a 99 % quantile.
FEWEST = 500


@dataclass(frozen=True, slots=True)
class Stage:
    """What a rate came to.

    Attributes
    ----------
    rate
        Requests per second that were due.
    seconds
        How long it was held.
    sent
        Requests sent, whatever came of them.
    faults
        Requests without a usable answer of the candidate, by what was wrong.
    p50, p95, p99
        Milliseconds from when a request was due; None where so many requests had no usable answer, or
        where there were too few to tell.
    service_ms
        Mean time from sending to the usable answer; None without any.
    late_ms
        What 99 % of the requests were sent late by: the generator's own fault.
    unsure
        Usable answers below the plan's confidence floor; None where the plan has none.
    """

    rate: float
    seconds: float
    sent: int
    faults: Mapping[str, int] = field(default_factory=dict)
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    service_ms: float | None = None
    late_ms: float = 0.0
    unsure: int | None = None

    @property
    def failed(self) -> int:
        """Requests without a usable answer."""
        return sum(self.faults.values())

    @property
    def in_flight(self) -> float | None:
        """Requests that the candidate had under way on average, by Little's law: rate times time."""
        good = (self.sent - self.failed) / self.seconds
        return None if self.service_ms is None else good * self.service_ms / 1e3


def stage_of(
    rate: float,
    seconds: float,
    due: FloatArray,
    sent: FloatArray,
    done: FloatArray,
    faults: Sequence[str],
    unsure: int | None = None,
) -> Stage:
    """Return the summary of n requests.

    Parameters
    ----------
    due, sent, done
        Seconds from the start, shape (n,); n >= 1.
    faults
        n texts: what was wrong with the answer, empty where it was usable.

    Examples
    --------
    >>> due = np.arange(4.0)
    >>> found = stage_of(1.0, 4.0, due, due, due + 0.002, ["", "", "", "no answer"])
    >>> found.failed, found.service_ms, found.p99
    (1, 2.0, None)
    """
    good = np.array([not fault for fault in faults])
    waits = np.sort((done - due)[good]) * 1e3
    served = (done - sent)[good]
    return Stage(
        rate=rate,
        seconds=seconds,
        sent=len(due),
        faults=dict(Counter(fault for fault in faults if fault)),
        p50=_quantile(waits, len(due), 0.5),
        p95=_quantile(waits, len(due), 0.95),
        p99=_quantile(waits, len(due), 0.99),
        service_ms=float(served.mean()) * 1e3 if served.size else None,
        late_ms=float(np.quantile(np.maximum(sent - due, 0), 0.99)) * 1e3,
        unsure=unsure,
    )


def _quantile(sorted_ms: FloatArray, n: int, q: float) -> float | None:
    """Return the smallest latency that at least a part ``q`` of n requests does not exceed.

    A request without a usable answer took for ever.
    """
    rank = math.ceil(q * n)
    if n - rank < _BEYOND or rank > sorted_ms.size:
        return None
    return float(sorted_ms[rank - 1])
