"""What counts as drift: how large, how sure, and which columns matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from headgate.errors import InputError

if TYPE_CHECKING:
    from headgate.plan.renewal import DriftWatch

_YEAR = timedelta(days=365)
#: Importance that every input is given.
_LEAST = 0.05


class Role(StrEnum):
    """What a column is to the model."""

    INPUT = "input"
    SCORE = "score"
    PREDICTION = "prediction"
    LABEL = "label"
    SEGMENT = "segment"  # an input by which requests are grouped: its shares are the mix
    IGNORED = "ignored"  # identifiers, free text: told, never judged


#: Roles whose drift is about what the service says, not only about what it is asked.
ANSWERS = frozenset({Role.SCORE, Role.PREDICTION, Role.LABEL})


@dataclass(frozen=True, slots=True)
class Policy:
    """When windows of a service have drifted.

    Attributes
    ----------
    false_alarms
        Chance of any false alarm, over all columns and all windows of a year; also the share of false names
        among the columns that are named. In (0, 1).
    every
        Length of a window. It says how many looks a year has.
    matters
        Smallest effect that is drift at all, a squared distance on the scale of the PSI: 0.04 is a mean that
        moved by a fifth of a standard deviation, or missing values up from 1 % to 4 %.
    tolerated
        Mean effect that ordinary windows may have even where the reference's own blocks show none.
    fewest
        Values of a window below which a column is not judged.
    auc_tolerated, auc_matters
        The same two for the domain classifier: how well rows of the window may be told from the reference.
    roles
        What columns are; inputs where nothing is said.
    importance
        How much inputs matter to the score, 0 to 1 (`headgate.drift.importance`); empty: nothing is known. It
        moves the budget of false alarms towards what matters.
    important
        An input of this importance alarms when it drifts, also where a score is watched.
    answers_share
        Part of the budget that scores, predictions and labels share, where there are any.
    """

    false_alarms: float = 0.05
    every: timedelta = timedelta(days=1)
    matters: float = 0.04
    tolerated: float = 0.004
    fewest: int = 100
    auc_tolerated: float = 0.55
    auc_matters: float = 0.6
    roles: Mapping[str, Role] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)
    important: float = 0.05
    answers_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.false_alarms < 1:
            raise InputError(f"false_alarms: asked a chance in (0, 1); found {self.false_alarms}; write 0.05")
        if not 0 < self.tolerated <= self.matters:
            raise InputError(
                f"matters: asked an effect of at least {self.tolerated} (what is tolerated); found "
                f"{self.matters}; write 0.04"
            )
        if self.every <= timedelta(0) or self.fewest < 1:
            raise InputError(f"asked windows above zero; found {self.every} and {self.fewest} values")
        if not 0.5 <= self.auc_tolerated < self.auc_matters <= 1:
            raise InputError(
                "auc: asked 0.5 <= tolerated < matters <= 1; found "
                f"{self.auc_tolerated} and {self.auc_matters}; write 0.55 and 0.6"
            )
        shares = (*self.importance.values(), self.important)
        if not all(0 <= share <= 1 for share in shares) or not 0 < self.answers_share < 1:
            raise InputError("importance: asked numbers from 0 to 1, and a share of answers in (0, 1)")

    @staticmethod
    def of(
        watch: DriftWatch,
        *,
        roles: Mapping[str, Role] | None = None,
        importance: Mapping[str, float] | None = None,
    ) -> Policy:
        """Return the policy of a plan's key ``drift``."""
        return Policy(
            false_alarms=watch.false_alarms,
            every=watch.every,
            roles=dict(roles or {}),
            importance=dict(importance or {}),
        )

    @property
    def windows(self) -> int:
        """Windows of a year, at least 1."""
        return max(1, round(_YEAR / self.every))

    def role(self, column: str) -> Role:
        """Return what a column is to the model."""
        return self.roles.get(column, Role.INPUT)

    def calling(self, role: Role, *columns: str) -> Policy:
        """Return the policy with more columns of a role."""
        return replace(self, roles={**self.roles, **dict.fromkeys(columns, role)})

    def alarms(self, column: str) -> bool:
        """Say whether a column matters to what the service says: an answer, or an important input."""
        return self.role(column) in ANSWERS or self.importance.get(column, 0.0) >= self.important

    def weights(self, names: tuple[str, ...]) -> dict[str, float]:
        """Return each column's part of the budget; they sum to the number of columns.

        Examples
        --------
        >>> Policy(roles={"score": Role.SCORE}).weights(("a", "b", "score"))
        {'a': 0.75, 'b': 0.75, 'score': 1.5}
        """
        answers = [name for name in names if self.role(name) in ANSWERS]
        # What seems not to matter keeps a part: it may matter together with another column.
        inputs = {name: _LEAST + self.importance.get(name, 0.0) for name in names if name not in answers}
        for_answers = self.answers_share if answers and inputs else float(bool(answers))
        total = sum(inputs.values())
        return {
            name: len(names)
            * (for_answers / len(answers) if name in answers else (1 - for_answers) * inputs[name] / total)
            for name in names
        }
