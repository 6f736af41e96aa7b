"""Reads a rollout's whole history out of the store."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine

from headgate.adapters import store
from headgate.adapters.store.besides import alerted, opened_by, signed
from headgate.adapters.store.said import all_said
from headgate.adapters.stories import stories_of
from headgate.plan.model import ALL
from headgate.report.chronicle import Happened, Kind, chronicle
from headgate.report.formats import percent, when

#: Ticks of a slice that are read to tell how long holds lasted for what; ten seconds of reading more would
#: move that by minutes.
_MOST = 2_000


def chronicle_of(
    engine: Engine, rollout_id: str, *, slice_: str | None = None, every: bool = False
) -> tuple[Happened, ...]:
    """Return everything that happened to a rollout, oldest first; see `headgate.report.chronicle`.

    Parameters
    ----------
    slice_
        Only what is about this slice, or about all of them.

    Raises
    ------
    InputError
        If there is no such rollout, or the rollout has no such slice.
    """
    stories = stories_of(engine, rollout_id, most=None if every else _MOST)
    told = chronicle(stories, _besides(engine, rollout_id), every=every)
    if slice_ is None:
        return told
    return tuple(one for one in told if one.slice in (ALL, slice_))


def _besides(engine: Engine, rollout_id: str) -> Iterator[Happened]:
    rollout = store.get(engine, rollout_id)
    again = f", attempt {rollout.attempt}" if rollout.attempt > 1 else ""
    what = f"opened {rollout.id} for {rollout.service}: candidate {rollout.candidate_version}{again}"
    yield Happened(rollout.opened_at, Kind.OPENED, ALL, what, "", opened_by(engine, rollout_id))
    yield from _confirmed(engine, rollout_id)
    for sign in signed(engine, rollout_id):
        word = f"signed the plan off as {sign.role}, until {when(sign.expires_at)}"
        yield Happened(sign.at, Kind.SIGNED, ALL, word, sign.comment, sign.name)
    for said in all_said(engine, rollout_id):
        if not said.accepted:
            word = f"was refused: {said.answer} to {said.request}"
            yield Happened(said.at, Kind.REFUSED, said.slice, word, said.reason, said.person)
    for alert in alerted(engine, rollout_id):
        yield Happened(
            alert.at, Kind.ALERTED, alert.slice, f"to be told to people ({alert.kind})", alert.subject
        )
        for tried in alert.deliveries:
            kind = Kind.DELIVERED if tried.ok else Kind.UNDELIVERED
            word = f"{'delivered' if tried.ok else 'could not be delivered'} to {tried.route} ({alert.kind})"
            yield Happened(tried.at, kind, alert.slice, word, tried.detail)


def _confirmed(engine: Engine, rollout_id: str) -> Iterator[Happened]:
    for name in store.slice_names(engine, rollout_id):
        for seen in store.confirmations(engine, rollout_id, name):
            word = f"the plane reports {percent(seen.share_bp)} (generation {seen.generation})"
            yield Happened(seen.at, Kind.CONFIRMED, name, word)
