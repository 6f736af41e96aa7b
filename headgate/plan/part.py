"""What every part of a plan is: frozen, complete, and refusing what it does not know."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from headgate.plan.durations import as_duration, parse_duration

Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(as_duration)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Percent = Annotated[float, Field(ge=0, le=100)]


class Part(BaseModel):
    """A part of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
