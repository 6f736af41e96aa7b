"""How often drift detection cries wolf in a year, and how soon it notices what did change.

    python -m benchmarks --only drift [--quick]

Headgate is the real engine: profiles are taken, compared and judged window by window. The others are the
default rules of monitoring libraries and of teams, applied to the same windows: the libraries themselves take
minutes per simulated year (see `benchmarks.monitoring` for their speed).
"""

from benchmarks.drift.measuring import run

__all__ = ["run"]
