"""How good the serving model is: measured on mature cohorts, estimated until their labels are known.

``WindowSums`` is what a window of answers says without a label, ``CohortSums`` what it says with them.
"""

from headgate.performance.answers import SERVED, WindowSums, window_sums
from headgate.performance.bins import Binned, binned, merged
from headgate.performance.cohorts import CohortSums, cohort_sums
from headgate.performance.estimating import Calibration, Estimate, estimated, learnt
from headgate.performance.monitored import Kind, Monitored, Word
from headgate.performance.question import Question, question_of
from headgate.performance.risk import Alarm, Claim, watched
from headgate.performance.schedule import Span, due
from headgate.performance.trend import Trend, trend_of

__all__ = [
    "SERVED",
    "Alarm",
    "Binned",
    "Calibration",
    "Claim",
    "CohortSums",
    "Estimate",
    "Kind",
    "Monitored",
    "Question",
    "Span",
    "Trend",
    "WindowSums",
    "Word",
    "binned",
    "cohort_sums",
    "due",
    "estimated",
    "learnt",
    "merged",
    "question_of",
    "trend_of",
    "watched",
    "window_sums",
]
