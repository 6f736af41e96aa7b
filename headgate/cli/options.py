"""Arguments and options that several commands share, and how their texts are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from headgate.errors import InputError
from headgate.plan.durations import parse_duration

PlanPath = Annotated[Path, typer.Argument(help="The plan, a YAML file (docs/plan.md).", show_default=False)]
RolloutId = Annotated[
    str, typer.Argument(help="The rollout's id, as `headgate status` shows it.", show_default=False)
]
ServiceName = Annotated[str, typer.Argument(help="The service's name, as in the plan.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Who = Annotated[str, typer.Option("--as", help="Who you are; this goes into the record.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; this goes into the record.", show_default=False)]
SliceName = Annotated[
    str | None,
    typer.Option(
        "--slice", help="One slice, where the plan has any; default: all of them.", show_default=False
    ),
]
Now = Annotated[
    str | None,
    typer.Option(
        "--now", help="Act as of this time (ISO 8601 with offset); default: the clock.", show_default=False
    ),
]


def when(text: str | None) -> datetime:
    """Return the time that ``--now`` gives; without it that of the clock in use."""
    if text is None:
        from tasks.clock import the_time  # slow to import, and `--help` needs none of it

        return the_time()
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"--now: asked an ISO 8601 time; found {text!r}; write 2026-03-01T09:00:00Z"
        ) from None
    if when.tzinfo is None:
        raise InputError(f"--now: {text!r} has no offset; write it with one, e.g. {when.isoformat()}Z")
    return when.astimezone(UTC)


def duration(option: str, text: str) -> timedelta:
    """Return the time that an option gives, e.g. 6h.

    Raises
    ------
    InputError
        If it is none, or not above zero.
    """
    try:
        length = parse_duration(text)
    except ValueError as err:
        raise InputError(f"{option}: asked {err}; found {text!r}; write 1d") from None
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise InputError(f"{option}: asked a duration above zero; found {text!r}; write 1d")
    return length


def window_length(text: str) -> str:
    """Return a window length as given, once it is sure to be one: a flow run starts with it."""
    duration("--every", text)
    return text
