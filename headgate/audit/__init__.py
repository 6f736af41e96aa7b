"""The audit chain: every row of history is vouched for by a line, and every line by the next.

Nothing here knows the store. Rows come as plain values, lines as they were kept, and `check` says
what does not fit.
"""

from headgate.audit.chain import GENESIS, Head, Line, Sealed, digest_of, head_of, link
from headgate.audit.check import Checked, Finding, Row, Tampering, check

__all__ = [
    "GENESIS",
    "Checked",
    "Finding",
    "Head",
    "Line",
    "Row",
    "Sealed",
    "Tampering",
    "check",
    "digest_of",
    "head_of",
    "link",
]
