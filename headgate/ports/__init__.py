"""What the core needs from the world, said in the core's own words."""

from __future__ import annotations

from headgate.ports.models import Answers, Metadata, Model, Status
from headgate.ports.review import ReviewCase, ReviewQueue, ReviewReason
from headgate.ports.shelf import MODEL, PARITY, PROFILE, SAMPLE, SCORES, Shelf, Shelved
from headgate.ports.traffic import (
    Capabilities,
    Endpoint,
    Mirrored,
    Observed,
    PlaneLog,
    Route,
    Served,
    Side,
    SliceShare,
    TrafficPlane,
)

__all__ = [
    "MODEL",
    "PARITY",
    "PROFILE",
    "SAMPLE",
    "SCORES",
    "Answers",
    "Capabilities",
    "Endpoint",
    "Metadata",
    "Mirrored",
    "Model",
    "Observed",
    "PlaneLog",
    "ReviewCase",
    "ReviewQueue",
    "ReviewReason",
    "Route",
    "Served",
    "Shelf",
    "Shelved",
    "Side",
    "SliceShare",
    "Status",
    "TrafficPlane",
]
