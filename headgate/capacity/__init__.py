"""What the candidate bears, what it takes at every step of the ramp, and how many failures people get."""

from headgate.capacity.climb import Climb, Limits, climb
from headgate.capacity.failures import Failures, people_verdict, per_day
from headgate.capacity.forecast import Forecast, StepLoad, forecast
from headgate.capacity.report import Result, Verdict
from headgate.capacity.stage import Stage, stage_of
from headgate.capacity.volume import Volume, volume_of

__all__ = [
    "Climb",
    "Failures",
    "Forecast",
    "Limits",
    "Result",
    "Stage",
    "StepLoad",
    "Verdict",
    "Volume",
    "climb",
    "forecast",
    "people_verdict",
    "per_day",
    "stage_of",
    "volume_of",
]
