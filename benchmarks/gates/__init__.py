"""How many samples the gates need, and how often they, their rivals and whole rollouts are wrong.

    python -m benchmarks.gates [--quick] [--runs N] [--rollouts N] [--only PART ...] [--json OUT]

All verdicts come from the functions in `headgate.stats` that judge real rollouts (runs are an axis of
their arrays), and whole rollouts from the judge itself.
"""
