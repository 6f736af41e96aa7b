"""How the side that a request was assigned to fared with it, as the plane logged it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headgate.plan.model import Metric
from headgate.ports import Served

SERVER_ERROR = 500
_REFUSED = 400


def unanswered(line: Served) -> bool:
    """Return whether the caller got nothing of use: no answer at all, or a 5xx, from whomever."""
    return line.served is None or line.status >= SERVER_ERROR


def failed(line: Served) -> bool:
    """Return whether the assigned side did not do its job: somebody else answered, nobody, or a 5xx."""
    return line.served is not line.assigned or line.status >= SERVER_ERROR


def fell_back(line: Served) -> bool:
    """Return whether the other side stood in."""
    return line.served is not None and line.served is not line.assigned


def refused(line: Served) -> bool:
    """Return whether the assigned side refused the input; its failures are no refusals."""
    return not failed(line) and line.status >= _REFUSED


def uncovered(line: Served) -> bool:
    """Return whether the caller got no answer from the assigned side: failed, or the input refused.

    A refusal counts here as a rejected request does in shadow: a candidate that refuses everything
    has no errors, and must not pass for it.
    """
    return failed(line) or refused(line)


#: What counts as an event of each rate that the plane's log tells.
EVENTS: Mapping[Metric, Callable[[Served], bool]] = {
    Metric.ERROR_RATE: failed,
    Metric.FALLBACK_RATE: fell_back,
    Metric.REJECT_RATE: refused,
    Metric.COVERAGE: uncovered,
}
