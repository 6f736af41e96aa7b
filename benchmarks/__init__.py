"""What is fast, against whom, how it was measured: ``python -m benchmarks``, or ``make bench``."""
