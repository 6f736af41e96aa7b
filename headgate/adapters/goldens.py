"""Golden examples of served models: where they are kept, and what their servers make of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from headgate.adapters.models import HttpModel, client_for
from headgate.adapters.places import place_of
from headgate.errors import InputError, ModelError, ModelRefused
from headgate.parity import (
    EXAMPLES,
    Golden,
    Parity,
    Told,
    choose,
    compare,
    from_bytes,
    in_a_line,
    inputs_of,
    to_json,
)
from headgate.plan import Plan
from headgate.plan.model import ModelRef
from headgate.plan.parity import ParityCheck
from headgate.ports import PARITY, Shelf, Side


@dataclass(frozen=True, slots=True)
class Look:
    """What came of asking one side's server its golden examples.

    Attributes
    ----------
    version
        Which version was asked for.
    passed
        Whether it does what was recorded; None: its server does not answer, or as another version.
    said
        Why, in one line.
    found
        The comparison; None where none could be made.
    """

    side: Side
    version: str
    passed: bool | None
    said: str
    found: Parity | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        found = {} if self.found is None else to_json(self.found)
        return {"side": self.side.value, "version": self.version, "said": self.said, **found}


def golden_of(asked: ParityCheck, ref: ModelRef, shelf: Shelf, home: Path) -> Golden:
    """Return the golden examples of a version.

    Raises
    ------
    InputError
        If there are none, or they are of another model or version.
    ShelfError
        If the shelf cannot be read.
    """
    path = asked.record_of(ref.model, ref.version)
    named = path or f"the golden examples of {ref.model} {ref.version}"
    body = shelf.read(ref.model, ref.version, PARITY) if path is None else _file(path, home)
    if body is None:
        raise InputError(
            f"asked golden examples of {ref.model} {ref.version}; the shelf has none; keep the version with "
            "them (a retraining does), or name a file as `parity.record`: `headgate parity record` writes one"
        )
    found = from_bytes(body, named)
    if (found.model, found.version) != (ref.model, ref.version):
        raise InputError(
            f"{named}: asked golden examples of {ref.model} {ref.version}; they are of {found.model} "
            f"{found.version}; name the right file as `parity.record`"
        )
    return found


def look(plan: Plan, asked: ParityCheck, side: Side, shelf: Shelf, home: Path) -> Look:
    """Ask one side's server its golden examples, and hold what it says against the record.

    Raises
    ------
    InputError, ShelfError
        If there is no record: see `golden_of`.
    """
    ref = ref_of(plan, side)
    golden = golden_of(asked, ref, shelf, home)
    try:
        told = asyncio.run(ask(plan, ref, golden.inputs, golden.rows))
    except ModelRefused as err:  # it is there, and says no to what the model learned from
        return Look(side, ref.version, passed=False, said=str(err))
    except ModelError as err:
        return Look(side, ref.version, passed=None, said=str(err))
    if told.version not in (None, ref.version):
        return Look(side, ref.version, passed=None, said=f"asked {ref.version}; {told.version} answered")
    found = compare(golden, told, tolerance=asked.tolerance, stages=asked.compare == "stages")
    return Look(side, ref.version, found.holds, in_a_line(found, ref.version), found)


async def ask(plan: Plan, ref: ModelRef, inputs: Mapping[str, Any], n: int) -> Told:
    """Send n requests to a server, with its steps asked for.

    Raises
    ------
    ModelUnavailable, ModelRefused
        If it does not answer, or not to n requests.
    """
    async with client_for(ref) as client:
        model = HttpModel(ref, plan.serving, plan.answers, client, contract=plan.input)
        return await model.stages(inputs, n)


def recorded_of_a_server(plan: Plan, ref: ModelRef, requests: pa.Table, examples: int = EXAMPLES) -> Golden:
    """Record golden examples of what a server does now: of one that is known to be right.

    What would be answered after an accident with its steps is not known from outside, and not recorded.

    Parameters
    ----------
    requests
        As models are sent them; the examples are chosen from it.

    Raises
    ------
    ModelUnavailable, ModelRefused
        If it does not answer, answers as another version, or has no answer to one of them.
    """
    chosen = inputs_of(choose(requests, examples))
    n = len(next(iter(chosen.values())))
    told = asyncio.run(ask(plan, ref, chosen, n))
    if told.version != ref.version:
        raise ModelRefused(
            f"asked {ref.version} at {ref.url}; {told.version or 'no version'} answered; correct the "
            "plan, or serve it"
        )
    answers = tuple(one for one in told.answers if one is not None)
    if len(answers) < n:
        raise ModelRefused(
            f"asked {ref.version} for {n} answers; {n - len(answers)} are missing; requests that it cannot "
            "answer belong outside of the plan's `input`"
        )
    return Golden(ref.model, ref.version, chosen, told.recipe, told.stages or (), answers)


def ref_of(plan: Plan, side: Side) -> ModelRef:
    """Return a side's model."""
    return plan.candidate if side is Side.CANDIDATE else plan.incumbent


def as_served(plan: Plan, side: Side, version: str) -> Plan:
    """Return the plan with the version that a side answers as: an incumbent may get another one under way."""
    ref = ref_of(plan, side)
    if ref.version == version:
        return plan
    return plan.model_copy(update={side.value: ref.model_copy(update={"version": version})})


def _file(path: str, home: Path) -> bytes:
    try:
        return place_of(path, home).read()
    except (OSError, pa.ArrowException) as err:
        raise InputError(f"parity.record: asked {path}; found {err}; correct the path, or record it") from err
