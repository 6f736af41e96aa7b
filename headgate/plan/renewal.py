"""How a promoted model is kept fresh: what is watched for drift, and how it is trained anew."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal

from pydantic import Field

from headgate.plan.part import Duration, Part

_UNITS = {"MB": 1_000_000, "GB": 1_000_000_000}


class DriftWatch(Part):
    """Windows of live requests are held against a reference; what a confirmed drift does.

    ``reference``: ``training`` (the profile kept with the serving model), ``rolling`` (the windows of the
    weeks before) or ``season`` (the same season before, where there is one; else rolling). ``false_alarms``
    is the chance of any false alarm within a year of windows. ``cooldown``: after a retraining was begun, no
    other is for this long, by the time of the events.
    """

    reference: Literal["training", "rolling", "season"] = "training"
    every: Duration = timedelta(days=1)
    then: Literal["tell", "retrain"] = "tell"
    cooldown: Duration = timedelta(days=7)
    false_alarms: float = Field(default=0.05, gt=0, lt=0.5)


class Retrain(Part):
    """How the next version is made, and where it will be served.

    ``trainer`` is a function ``module:function``, run in a process of its own: see docs/retraining.md. The
    last ``holdout`` of the ``window`` is kept from it, to hold the new model against those that serve.
    ``url`` is where whoever serves models will serve the new version; ``{version}`` and ``{number}`` in it
    are filled in.
    """

    trainer: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    window: Duration = timedelta(days=90)
    holdout: Duration = timedelta(days=21)
    min_rows: int = Field(default=1_000, ge=1)
    leave_out: str | None = Field(default=None, min_length=1)
    timeout: Duration = timedelta(hours=1)
    memory: str = Field(default="2GB", pattern=r"^[1-9][0-9]*(MB|GB)$")
    opens: Literal["queued", "nothing"] = "queued"
    url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+$")

    @property
    def memory_bytes(self) -> int:
        """The limit of the trainer's memory in bytes.

        Examples
        --------
        >>> Retrain(trainer="a:b", memory="512MB").memory_bytes
        512000000
        """
        return int(self.memory[:-2]) * _UNITS[self.memory[-2:]]

    def address_of(self, version: str) -> str | None:
        """Return where a version will be served; None where the plan does not say.

        ``{number}`` is the number at the end of the version.

        Examples
        --------
        >>> Retrain(trainer="a:b", url="http://delays-{version}:8080").address_of("gbm-3")
        'http://delays-gbm-3:8080'
        >>> Retrain(trainer="a:b", url="http://127.0.0.1:810{number}").address_of("gbm-3")
        'http://127.0.0.1:8103'
        """
        if self.url is None:
            return None
        number = re.search(r"[0-9]*$", version)
        return self.url.replace("{version}", version).replace("{number}", number.group() if number else "")
