"""The rollout plan: its words, its reading, its rules."""

from headgate.plan.applies import gate_applies
from headgate.plan.calendar import OpenHours
from headgate.plan.load import explain, load_plan, parse_plan
from headgate.plan.model import Gate, Plan, Step

__all__ = ["Gate", "OpenHours", "Plan", "Step", "explain", "gate_applies", "load_plan", "parse_plan"]
