"""What two windows look like beside each other. Nothing here judges: `headgate.drift` does."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.profile.columns import Kind


@dataclass(frozen=True, slots=True)
class ColumnComparison:
    """One column of a reference and a current window.

    A distance is None where it does not exist: another kind of column, or a window without values.
    How many values it rests on is said, not judged.

    Attributes
    ----------
    name, kind
        The column, and its kind in the reference (in the current window where it is new).
    psi
        Population stability index over tenths of the reference (categories: over values), natural log.
    js
        Jensen-Shannon distance (square root, base 2, 0 to 1) over the same cells.
    ks
        Largest difference of the distribution functions, 0 to 1; numbers only.
    wasserstein
        Earth mover's distance in the column's own unit; numbers only, infinities left out.
    chi2_p
        p-value of the two-sample chi-square test; categories, booleans and hours of the day. Values too rare
        for the test are counted together.
    missing_reference, missing_current
        Share of rows without a value (null or NaN); None without rows.
    unseen_share
        Share of the current values that the reference does not have; categories only.
    out_of_contract_reference, out_of_contract_current
        Share of values the contract does not allow; None without a contract or without values.
    n_reference, n_current
        Values that the distances rest on.
    changed
        What is wrong with the column itself, in words ("not there any more", "new",
        "was number, is category"); None if nothing is.
    coarse
        The grid was too coarse for the reference's values: distances are lower bounds. Profile it anew.
    mean_reference, mean_current, spread_reference, spread_current
        Of finite numbers; for booleans the share of true.
    chi2, chi2_dof
        The statistic behind ``chi2_p`` and its degrees of freedom.
    moved
        The category whose share moved most; None otherwise.
    """

    name: str
    kind: Kind
    psi: float | None = None
    js: float | None = None
    ks: float | None = None
    wasserstein: float | None = None
    chi2_p: float | None = None
    missing_reference: float | None = None
    missing_current: float | None = None
    unseen_share: float | None = None
    out_of_contract_reference: float | None = None
    out_of_contract_current: float | None = None
    n_reference: int = 0
    n_current: int = 0
    changed: str | None = None
    coarse: bool = False
    mean_reference: float | None = None
    mean_current: float | None = None
    spread_reference: float | None = None
    spread_current: float | None = None
    chi2: float | None = None
    chi2_dof: int | None = None
    moved: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every column of two windows; the reference's columns first, in their order, then new ones."""

    columns: tuple[ColumnComparison, ...]
    rows_reference: int
    rows_current: int
