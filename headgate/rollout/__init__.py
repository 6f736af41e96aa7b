"""The state machine: one pure function decides, one carries it out; nothing else may."""

from headgate.rollout.apply import apply, confirmed, settle
from headgate.rollout.decide import RULES, decide
from headgate.rollout.orders import legal
from headgate.rollout.timeline import standing, stays

__all__ = ["RULES", "apply", "confirmed", "decide", "legal", "settle", "standing", "stays"]
