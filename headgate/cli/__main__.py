"""``python -m headgate.cli``."""

from headgate.cli import app

app()
