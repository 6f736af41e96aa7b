"""Has the world moved? Verdicts on windows that do not cry wolf.

`headgate.profile` says how far each column of a window is from the reference; this says whether that is
drift: large enough to matter, surer than the many columns and the many looks of a year explain, and beyond
what the reference's own blocks do.
"""

from headgate.drift.asking import Answer, ask
from headgate.drift.classifier import ToldApart, blocks_apart, tell_apart
from headgate.drift.grouping import within
from headgate.drift.importance import importance
from headgate.drift.judging import judge
from headgate.drift.looking import TOGETHER
from headgate.drift.policy import Policy, Role
from headgate.drift.report import Cause, ColumnVerdict, Finding, Report, Together
from headgate.drift.sample import MOST_ROWS, Sampler, draw
from headgate.drift.state import State
from headgate.drift.wandering import Calibration, calibrate

__all__ = [
    "MOST_ROWS",
    "TOGETHER",
    "Answer",
    "Calibration",
    "Cause",
    "ColumnVerdict",
    "Finding",
    "Policy",
    "Report",
    "Role",
    "Sampler",
    "State",
    "Together",
    "ToldApart",
    "ask",
    "blocks_apart",
    "calibrate",
    "draw",
    "importance",
    "judge",
    "tell_apart",
    "within",
]
