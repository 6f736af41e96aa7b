"""Numbers and times as people read them. What is not there, or not finite, is "no data"."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from headgate.errors import InputError
from headgate.plan.applies import RATES
from headgate.plan.model import Gate, Metric

NO_DATA = "no data"
MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_LN10 = math.log(10)

#: Metrics whose values are shares of requests: shown in percent, a difference of two in points.
PERCENT = RATES | {Metric.LATENCY}


def finite(value: float | None) -> bool:
    """Say whether there is a number to show."""
    return value is not None and math.isfinite(value)


def percent(share_bp: int) -> str:
    """Return a share in basis points as percent, without needless digits.

    Examples
    --------
    >>> percent(100), percent(50), percent(1225), percent(10_000)
    ('1 %', '0.5 %', '12.25 %', '100 %')
    """
    return f"{share_bp / 100:.2f}".rstrip("0").rstrip(".") + " %"


def observed(value: float | None, digits: int = 2) -> str:
    """Return a measured percentage, or that there is none.

    Examples
    --------
    >>> observed(4.9712), observed(None)
    ('4.97 %', 'no data')
    """
    return f"{value:.{digits}f} %" if value is not None and finite(value) else NO_DATA


def count(value: int | None) -> str:
    """Return a count with thousands apart; ``count(12345) == '12,345'``."""
    return NO_DATA if value is None else f"{value:,}"


def number(value: float | None, *, signed: bool = False) -> str:
    """Return a measured value with four significant digits at most.

    Examples
    --------
    >>> number(0.0123456), number(None), number(float("nan")), number(0.0)
    ('0.01235', 'no data', 'no data', '0')
    >>> number(0.005, signed=True)
    '+0.005'
    """
    if value is None or not finite(value):
        return NO_DATA
    text = f"{value:+.4g}" if signed and value else f"{value:.4g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa} \N{MULTIPLICATION SIGN} 10{superscript(int(exponent))}"
    return text.replace("-", MINUS)


def estimate(value: float | None, gate: Gate | None) -> str:
    """Return a gate's estimate in the unit people know.

    Rates in percent; a latency gate's difference of two rates of slow answers in percentage points; a
    paired loss as a signed difference.
    """
    if value is None or not finite(value):
        return NO_DATA
    if gate is None or gate.metric not in PERCENT:
        return f"{value:+.4f}".replace("-", MINUS)
    if not finite(100 * value):
        return NO_DATA
    if gate.metric is Metric.LATENCY:
        return f"{100 * value:+.2f} points".replace("-", MINUS)
    return f"{100 * value:.2f} %" if value == 0 or abs(value) >= 1e-4 else f"{100 * value:.1g} %"


def interval(lower: float | None, upper: float | None, gate: Gate | None) -> str:
    """Return ``[lower, upper]``; a side that is not known is an ellipsis, both are no data."""
    if not finite(lower) and not finite(upper):
        return NO_DATA
    ends = (estimate(end, gate) if finite(end) else "…" for end in (lower, upper))
    return "[" + ", ".join(ends) + "]"


def e_value(log_e: float | None) -> str:
    """Return the e-value exp(``log_e``): odds against the hypothesis that is being refuted.

    Examples
    --------
    >>> import math
    >>> e_value(math.log(33.2)), e_value(math.log(1234)), e_value(-20.0), e_value(float("inf"))
    ('33.2', '1,234', 'under 0.001', 'no data')
    """
    if log_e == -math.inf:
        return "under 0.001"
    if log_e is None or not finite(log_e):
        return NO_DATA
    if log_e < math.log(0.001):
        return "under 0.001"
    if log_e < math.log(9_999.5):
        value = math.exp(log_e)
        return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"
    exponent = math.floor(log_e / _LN10)
    mantissa = f"{10 ** (log_e / _LN10 - exponent):.1f}"
    if mantissa == "10.0":
        mantissa, exponent = "1.0", exponent + 1
    return f"{mantissa} \N{MULTIPLICATION SIGN} 10{superscript(exponent)}"


def superscript(exponent: int) -> str:
    """Return a whole number in superscript digits."""
    return str(exponent).translate(_SUPERSCRIPTS)


def log10(log_e: float) -> float:
    """Return a natural logarithm as a decimal one."""
    return log_e / _LN10


def utc(at: datetime) -> datetime:
    """Return the time in UTC.

    Raises
    ------
    InputError
        If it is naive: nobody knows which time it is.
    """
    if at.tzinfo is None:
        raise InputError(f"asked for an aware time; found {at.isoformat()} without a zone; attach one")
    return at.astimezone(UTC)


def day(at: datetime) -> str:
    """Return the date; ``'4 Apr 2013'``."""
    at = utc(at)
    return f"{at.day} {at:%b %Y}"


def short_day(at: datetime) -> str:
    """Return the date without its year; ``'4 Apr'``."""
    at = utc(at)
    return f"{at.day} {at:%b}"


def when(at: datetime) -> str:
    """Return date and time; ``'2013-04-04 13:00 UTC'``."""
    return f"{utc(at):%Y-%m-%d %H:%M} UTC"


def lasting(span: timedelta) -> str:
    """Return a duration in its largest sensible unit.

    Examples
    --------
    >>> lasting(timedelta(days=14)), lasting(timedelta(hours=1)), lasting(timedelta(seconds=90))
    ('14 days', '1 hour', '1 minute')
    >>> lasting(timedelta(days=200))
    '7 months'
    >>> lasting(timedelta(days=4_700))
    '13 years'
    """
    seconds = max(0, int(span.total_seconds()))
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
    if seconds >= 730 * 86_400:
        return f"{round(seconds / (365.25 * 86_400))} years"
    if seconds >= 120 * 86_400:
        return f"{round(seconds / (30.44 * 86_400))} months"
    name, size = next((u for u in units if seconds >= u[1]), units[-1])
    value = seconds // size
    return f"{value} {name}" if value == 1 else f"{value} {name}s"
