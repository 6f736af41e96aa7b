"""Training anew: what may be learned from, who the new model is held against, what opens its rollout.

Nothing here trains: the plan names the function that does, and it runs in a process of its own.
"""

from headgate.training.against import above_the_floor, hold_against
from headgate.training.card import Made, card_of, digest_of, fingerprint_of
from headgate.training.compared import BESIDE, FEWEST_BLOCKS, SERVING, Against, Opponent
from headgate.training.deciders import Past
from headgate.training.diff import diff_of
from headgate.training.guards import Usable, enough, usable
from headgate.training.judged import Judged, judged
from headgate.training.naming import next_version
from headgate.training.recorded import golden_of
from headgate.training.template import Standing, plan_of_next
from headgate.training.trained import Trained, answers_of, returned
from headgate.training.window import Span, span_of

__all__ = [
    "BESIDE",
    "FEWEST_BLOCKS",
    "SERVING",
    "Against",
    "Judged",
    "Made",
    "Opponent",
    "Past",
    "Span",
    "Standing",
    "Trained",
    "Usable",
    "above_the_floor",
    "answers_of",
    "card_of",
    "diff_of",
    "digest_of",
    "enough",
    "fingerprint_of",
    "golden_of",
    "hold_against",
    "judged",
    "next_version",
    "plan_of_next",
    "returned",
    "span_of",
    "usable",
]
