"""The command line. Imported by nobody; what is slow to import is imported where it is needed.

A module of commands hangs them up when it is imported; the order here is that of the help.
"""

from headgate.cli import (  # isort: skip
    rollouts, status, glance, monitoring, retraining, power, load, backtest, premortem, parity, profile,
    drift, sample, people, signoffs, approvers, review, review_page, guard, stops, audit, stacks, automations,
    doctor, plane,
)  # fmt: skip
from headgate.cli.root import app

__all__ = [
    "app",
    "approvers",
    "audit",
    "automations",
    "backtest",
    "doctor",
    "drift",
    "glance",
    "guard",
    "load",
    "monitoring",
    "parity",
    "people",
    "plane",
    "power",
    "premortem",
    "profile",
    "retraining",
    "review",
    "review_page",
    "rollouts",
    "sample",
    "signoffs",
    "stacks",
    "status",
    "stops",
]
