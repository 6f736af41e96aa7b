"""Evidence to verdicts: every gate of a plan judged, and what follows from them together."""

from headgate.gates.judging import judge

__all__ = ["judge"]
