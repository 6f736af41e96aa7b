"""Asks the models that there are about held-out requests, for a new one to be held against."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate import training
from headgate.adapters.models import HttpModel, client_for
from headgate.adapters.scoring import Scored, score
from headgate.errors import ModelUnavailable
from headgate.plan.model import ModelRef, Plan
from headgate.ports import Side, Status

Floats = npt.NDArray[np.float64]


def opponents(
    standing: training.Standing, held: pa.Table, features: Sequence[str]
) -> list[training.Opponent]:
    """Return both models of the last plan with their answers, the one that serves first.

    Parameters
    ----------
    held
        The held-out requests.
    features
        The columns that models are sent.

    Raises
    ------
    ModelUnavailable
        If the model that serves does not answer most of them.
    """
    scored = asyncio.run(_asked(standing.plan, held, features))
    sides: dict[str, Side] = {
        training.SERVING: Side.CANDIDATE if standing.promoted else Side.INCUMBENT,
        training.BESIDE: Side.INCUMBENT if standing.promoted else Side.CANDIDATE,
    }
    refs = {training.SERVING: standing.serving, training.BESIDE: standing.beside}
    found = [
        training.Opponent(role, refs[role].version, _answers(scored, held, side))
        for role, side in sides.items()
    ]
    answered = int(np.isfinite(found[0].answers).sum())
    if answered < held.num_rows / 2:
        raise ModelUnavailable(
            _silent(refs[training.SERVING], answered, held.num_rows, scored, sides[training.SERVING])
        )
    return found


async def _asked(plan: Plan, held: pa.Table, features: Sequence[str]) -> Scored:
    """Ask both models of a plan, as shadow windows do."""
    asked = plan.model_copy(update={"slices": (), "segments": None})
    names = {"request_id": plan.requests.id, "at": plan.requests.at, "entity": plan.unit.entity}
    columns: dict[str, Any] = {ours: held[name] for name, ours in names.items()}
    columns |= {name: held[name] for name in features if name not in columns}
    async with client_for(plan.incumbent, plan.candidate) as client:
        incumbent, candidate = (
            HttpModel(ref, plan.serving, plan.answers, client, contract=plan.input)
            for ref in (plan.incumbent, plan.candidate)
        )
        return await score(
            pa.table(columns),
            asked,
            incumbent,
            candidate,
            window="held-out",
            share_of=lambda at: np.zeros(len(at), np.int32),
        )


def _answers(scored: Scored, held: pa.Table, side: Side) -> Floats:
    """Return a side's answers in the order of the held-out requests; NaN where it gave none."""
    table = scored.table
    answers = np.asarray(table[f"{side}_prediction"].cast(pa.float64()), dtype=np.float64)
    good = np.asarray(pc.equal(table[f"{side}_status"], Status.OK.value))
    at = pc.index_in(held["request_id"], value_set=table["request_id"].combine_chunks())
    found: Floats = np.where(good, answers, np.nan)[np.asarray(at)]
    return found


def _silent(ref: ModelRef, answered: int, asked: int, scored: Scored, side: Side) -> str:
    other = scored.counts.get(f"{side}_other_version", 0)
    found = f"it answered {answered:,}"
    if other:
        found = f"{other:,} answers came from another version"
    return (
        f"asked {ref.version} at {ref.url} for {asked:,} held-out requests, to hold the new model against "
        f"it; {found}; mend its server: the next run goes on from here"
    )
