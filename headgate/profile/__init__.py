"""Profiles: what is kept of a window of rows, in kilobytes; taken in one pass, merged, compared.

``take`` a reference once (it is kept with the model), ``take(..., like=reference)`` each window after it,
``merge`` what partitions found, and ``compare``. Verdicts are `headgate.drift`'s.
"""

from headgate.profile.columns import (
    Boolean,
    Categorical,
    Column,
    Grid,
    Kind,
    Numeric,
    Opaque,
    Profile,
    Timestamp,
)
from headgate.profile.comparing import compare
from headgate.profile.comparison import ColumnComparison, Comparison
from headgate.profile.keep import from_bytes, to_bytes
from headgate.profile.merging import merge
from headgate.profile.outcomes import Asked, Outcomes, merge_outcomes
from headgate.profile.take import outline, survey, take

__all__ = [
    "Asked",
    "Boolean",
    "Categorical",
    "Column",
    "ColumnComparison",
    "Comparison",
    "Grid",
    "Kind",
    "Numeric",
    "Opaque",
    "Outcomes",
    "Profile",
    "Timestamp",
    "compare",
    "from_bytes",
    "merge",
    "merge_outcomes",
    "outline",
    "survey",
    "take",
    "to_bytes",
]
