"""Figures as people write them: rates from one an hour to thousands a second."""

from __future__ import annotations

from decimal import Decimal


def three(value: float) -> str:
    """Return a number with three digits that count, and never an exponent.

    Examples
    --------
    >>> three(1234.5), three(48.0), three(0.333), three(0.0000139)
    ('1,230', '48', '0.333', '0.0000139')
    """
    return f"{Decimal(f'{value:.3g}'):,f}"
