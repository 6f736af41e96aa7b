"""The plan's trainer, run in a process of its own: it may hang, leak or crash, and Headgate goes on."""

from headgate.adapters.trainer.job import Fitted, Job
from headgate.adapters.trainer.parent import train

__all__ = ["Fitted", "Job", "train"]
