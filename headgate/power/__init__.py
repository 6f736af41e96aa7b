"""How long a plan takes, and whether it can finish: the very judge, run on candidates that are made up."""
