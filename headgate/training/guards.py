"""What must not be learned from: every request of the window meets one fate, and each fate is counted.

A model that learns from its own answers, or from outcomes that are not all in yet, looks better in training
than it is. So nothing that a model answered is ever a feature, and rows are left out whose outcome is
missing, too young to be complete, or was made by the candidate's own decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate import routing
from headgate.compare.stays import column_micros, micros
from headgate.contract import check
from headgate.errors import InputError
from headgate.plan.model import Audit, Plan
from headgate.plan.where import read_where
from headgate.tables import EXCHANGES, INSTANT, REQUESTS, SEGMENT, clean_outcomes, clean_requests
from headgate.tables.columns import instants
from headgate.tables.slices import SLICE, mask_of
from headgate.training.deciders import Past, decided_by_the_candidate
from headgate.training.window import Span

Mask = npt.NDArray[np.bool_]

#: What an answer, or the truth, is called wherever Headgate writes it: never something to learn from.
_ANSWERS = frozenset(
    {
        *EXCHANGES.names, SLICE, "served_by",
        *(f"{side}_{what}" for side in ("incumbent", "candidate") for what in ("cost", "value",
        "latency_ms")),
    } - set(REQUESTS.names)
)  # fmt: skip

#: The fates, in the order in which they are looked for, as people read them.
WORDS: Mapping[str, str] = {
    "immature": "too young: their outcomes are not all in",
    "missing_id": "without an id",
    "contradicting_id": "that share an id and differ",
    "duplicate_id": "copies of another row",
    "missing_at": "without a time",
    "left_out": "that the plan leaves out",
    "outside_contract": "outside the input contract",
    "copies": "the same entity, time and values under another id",
    "own_decision": "whose outcome the candidate's own decision made",
    "not_drawn": "whose label was not to be sought",
    "unlabelled": "without a usable outcome",
}


@dataclass(frozen=True, slots=True)
class Usable:
    """Requests that may be learned from, and what became of the others.

    Attributes
    ----------
    table
        One row per request by ``at`` and ``request_id``: ``request_id``, ``entity``, ``at``, the features,
        the label under the plan's name for it, ``known_at``, and ``seg_<column>`` as text.
    features
        The columns that models are sent.
    label
        The plan's name for it.
    counts
        ``read``, ``used`` and every fate of `WORDS`, also at 0; all but ``immature`` add up to ``read``.
        ``outcomes.<reason>``: outcomes that could not be used; these are no rows of their own.
    answers
        Columns of the log that hold a model's answer or the truth, and were not handed on.
    """

    table: pa.Table
    features: tuple[str, ...]
    label: str
    counts: Mapping[str, int]
    answers: tuple[str, ...]

    def between(self, since: int, until: int) -> Usable:
        """Return the requests of a part of the window, in microseconds since 1970."""
        at = column_micros(self.table["at"])
        return replace(self, table=self.table.filter(pa.array((at >= since) & (at < until))))

    def learned_by(self, span: Span) -> tuple[pa.Table, pa.Table, pa.Table]:
        """Return what the trainer gets first, what is held out, and what it gets in the end.

        Of the first part only what was known when the held-out time began: the new model is to be held
        against the others as it would have been made then. Columns: entity, time, features and label; the
        held-out rows keep all their columns.
        """
        first = self.between(micros(span.since), micros(span.held)).table
        known = column_micros(first["known_at"]) <= micros(span.held)
        taught = ["entity", "at", *self.features, self.label]
        held = self.between(micros(span.held), micros(span.until)).table
        return first.filter(pa.array(known)).select(taught), held, self.table.select(taught)


class _Fates:
    """Which rows are still in, and why others are not."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.counts: dict[str, int] = {}

    def leave_out(self, reason: str, out: Mask) -> None:
        self.counts[reason] = int(out.sum())
        if self.counts[reason]:
            self.table = self.table.filter(pa.array(~out))


def usable(
    plan: Plan, requests: pa.Table, outcomes: pa.Table, span: Span, pasts: Sequence[Past] = ()
) -> Usable:
    """Return what may be learned from.

    Parameters
    ----------
    requests, outcomes
        As the logs have them: requests from the window's beginning to ``now``, outcomes known by ``now``.
    pasts
        Earlier rollouts of the service: who decided what.

    Raises
    ------
    InputError
        If a column is missing or of no use, or nothing is left to learn from.
    """
    young = _within(plan, requests, span)
    read = requests.num_rows - int(young.sum())
    cleaned = clean_requests(requests.filter(pa.array(~young)), plan)
    features, answers = _features(plan, requests)
    fates = _Fates(cleaned.table)
    fates.counts = {"immature": int(young.sum())} | {
        reason: cleaned.counts[reason] for reason in WORDS if reason in cleaned.counts
    }
    _leave_out_requests(plan, fates, features, pasts)
    known = clean_outcomes(outcomes, plan, fates.table)
    table = _labelled(plan, fates, known.table)
    counts = {"read": read, "used": table.num_rows} | {r: fates.counts.get(r, 0) for r in WORDS}
    counts |= {f"outcomes.{reason}": n for reason, n in known.counts.items() if n}
    kept = ["request_id", "entity", "at", *features, plan.outcomes.label, "known_at"]
    columns = {name: table[name] for name in kept}
    for name in plan.segments.by if plan.segments else ():
        columns[SEGMENT + name] = table[name].cast(pa.string())
    return Usable(pa.table(columns).combine_chunks(), features, plan.outcomes.label, counts, answers)


def enough(plan: Plan, first: pa.Table, held: pa.Table, counts: Mapping[str, int]) -> None:
    """Refuse to train on too little.

    Raises
    ------
    InputError
        If the trainer would get fewer rows than the plan asks for, or none are held out.
    """
    least = plan.retrain.min_rows if plan.retrain else 1
    if first.num_rows >= least and held.num_rows:
        return
    left = "; ".join(told(counts)) or "nothing was left out"
    raise InputError(
        f"asked at least {least:,} requests to train on and some to hold the model against; found "
        f"{first.num_rows:,} and {held.num_rows:,} of {counts['read']:,} in the window ({left}); widen "
        "`retrain.window`, or look why outcomes are missing"
    )


def told(counts: Mapping[str, int]) -> list[str]:
    """Return in words what was left out, the fates that met nobody left aside.

    Examples
    --------
    >>> told({"read": 9, "used": 6, "immature": 0, "unlabelled": 2, "outcomes.not_binary": 1})
    ['2 without a usable outcome', 'of the outcomes 1 not binary']
    """
    found = [f"{counts[reason]:,} {words}" for reason, words in WORDS.items() if counts.get(reason)]
    wrong = {r.removeprefix("outcomes."): n for r, n in counts.items() if r.startswith("outcomes.")}
    return found + [f"of the outcomes {n:,} {reason.replace('_', ' ')}" for reason, n in wrong.items()]


def _within(plan: Plan, requests: pa.Table, span: Span) -> Mask:
    """Return which requests are too young for the window."""
    at = instants(requests, plan.requests.at, "requests")
    late = pc.greater_equal(at, pa.scalar(span.until, INSTANT))
    return np.asarray(pc.fill_null(late, fill_value=False), np.bool_)


def _features(plan: Plan, requests: pa.Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that models are sent, and those of the log that hold answers or the truth."""
    truth = {plan.outcomes.label, plan.outcomes.known_at, plan.outcomes.overridden}
    answers = tuple(name for name in requests.column_names if name in _ANSWERS or name in truth)
    own = {*REQUESTS.names, plan.requests.id, plan.requests.at, *answers}
    sent = list(plan.input.columns) if plan.input else requests.column_names
    features = tuple(name for name in sent if name not in own)
    if not features:
        raise InputError(
            f"asked columns to learn from; the requests of {plan.service} have none but "
            f"{', '.join(requests.column_names)}; name them in the plan's `input.columns`"
        )
    return features, answers


def _leave_out_requests(plan: Plan, fates: _Fates, features: tuple[str, ...], pasts: Sequence[Past]) -> None:
    if plan.retrain and plan.retrain.leave_out:
        fates.leave_out("left_out", mask_of(read_where(plan.retrain.leave_out), fates.table))
    if plan.input:
        fates.leave_out("outside_contract", ~check(fates.table, plan.input).mask_ok)
    fates.leave_out("copies", _copies(fates.table, features))
    if plan.outcomes.depends_on_decision:
        fates.leave_out("own_decision", decided_by_the_candidate(fates.table, pasts))
    if isinstance(plan.outcomes.missing, Audit):
        # Labels of requests that were not drawn are there for a reason, which may be the answer.
        ids = fates.table["request_id"].to_pylist()
        fates.leave_out("not_drawn", ~routing.all_drawn(plan.service, ids, plan.outcomes.missing.audit))


def _copies(table: pa.Table, features: tuple[str, ...]) -> Mask:
    """Return the rows that repeat another's entity, time and every value: one request, written twice."""
    keys = ["entity", "at", *features]
    if not table.num_rows:
        return np.zeros(0, np.bool_)
    places = table.select(keys).append_column("row", pa.array(np.arange(table.num_rows)))
    first = places.group_by(keys, use_threads=False).aggregate([("row", "min")])["row_min"]
    copies = np.ones(table.num_rows, np.bool_)
    copies[np.asarray(first)] = False
    return copies


def _labelled(plan: Plan, fates: _Fates, outcomes: pa.Table) -> pa.Table:
    """Return the requests that have an outcome, with it."""
    where = pc.index_in(fates.table["request_id"], value_set=outcomes[plan.requests.id].combine_chunks())
    fates.leave_out("unlabelled", np.asarray(pc.is_null(where), np.bool_))
    at = where.drop_null()
    asked = plan.outcomes
    table = fates.table.drop_columns(
        [n for n in (asked.label, asked.known_at) if n in fates.table.column_names]
    )
    table = table.append_column(asked.label, outcomes[asked.label].take(at))
    if "known_at" in table.column_names:
        table = table.drop_columns(["known_at"])
    return table.append_column("known_at", outcomes[asked.known_at].take(at))
