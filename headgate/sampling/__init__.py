"""Pilot samples: drawn at random from what production really saw, and curated ones held against it.

`draw` says which requests are in a sample, `hide` what of them may leave the house, `unseen` what a set
that somebody picked by hand never saw, and `curated` puts that beside the distances between the two.
"""

from headgate.sampling.curated import Curated, hold_against
from headgate.sampling.draw import Draw, Tally, count, draw, take
from headgate.sampling.hide import Hiding, hide
from headgate.sampling.seen import Cover, cover
from headgate.sampling.unseen import Unseen, never_saw

__all__ = [
    "Cover",
    "Curated",
    "Draw",
    "Hiding",
    "Tally",
    "Unseen",
    "count",
    "cover",
    "draw",
    "hide",
    "hold_against",
    "never_saw",
    "take",
]
