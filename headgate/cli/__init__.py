"""The command line. Imported by nobody; what is slow to import is imported where it is needed.

A module of commands hangs them up when it is imported; the order here is that of the help.
"""

from headgate.cli import rollouts, power, backtest, premortem, people, stacks  # isort: skip
from headgate.cli.root import app

__all__ = ["app", "backtest", "people", "power", "premortem", "rollouts", "stacks"]
