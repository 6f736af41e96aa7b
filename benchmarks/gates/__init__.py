"""How many samples the gates need, and how often they and the whole engine are wrong.

    python -m benchmarks.gates [--runs N] [--json OUT]

All verdicts come from the functions in `headgate.stats` that judge real rollouts: runs are an axis
of their arrays.
"""
