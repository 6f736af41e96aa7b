"""How a retraining ends in Prefect's list of runs: a state named by what came of it, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from prefect.client.schemas.objects import State
from prefect.states import Completed

from headgate.adapters.store.retrainings import Retraining

#: Characters of a message; the card has the rest.
_LONGEST = 500


@dataclass(frozen=True)
class Told:
    """What came of a retraining, and the folder that its trainer worked in."""

    retraining: Retraining
    folder: Path


def ended(told: Told) -> Told | None:
    """Return the state of a run that came to an end; to whoever calls the flow it is what came of it."""
    one = told.retraining
    name = "Accepted" if one.accepted else "Refused"
    opened = f"{one.version} opens {one.rollout}: " if one.rollout else f"{one.version}: "
    return _as_result(Completed(name=name, message=_short(opened + one.reason), data=told))


def stood_down(why: str) -> Told | None:
    """Return the state of a run that had nothing to do."""
    return _as_result(Completed(name="Nothing to do", message=_short(why)))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _as_result(state: State[Told]) -> Told | None:
    # Prefect hands a returned state's data to the caller; no type checker knows that.
    return cast("Told | None", state)
