"""The readiness questionnaire: four questions that a person answers before any traffic moves.

An honest "no" is an answer: it is recorded, and the rollout goes on waiting until it is a yes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

#: The role that the questionnaire is signed in; no sign-off of a plan may be called that.
ROLE = "questionnaire"

QUESTIONS = {
    "data": "What do the gates read: live data, or an export of it?",
    "bad_outputs": "Where is it written down what happens with a bad output? (or: no)",
    "failure_modes": "How does this model fail? Name the ways the team knows. (or: no)",
    "owner": "Who owns it after the launch? (or: nobody)",
}
_NO = frozenset({"", "no", "none", "nobody", "nowhere", "unknown", "n/a", "-", "?"})


class DataKind(StrEnum):
    """What the gates read."""

    LIVE = "live"
    EXPORT = "export"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The four answers.

    Attributes
    ----------
    data
        Whether the gates read live data or an export.
    bad_outputs
        Where the handling of bad outputs is written down; "no" if nowhere.
    failure_modes
        The ways it fails that the team knows; "no" if none are known.
    owner
        Who owns it after the launch; "nobody" if nobody does.
    """

    data: DataKind
    bad_outputs: str
    failure_modes: str
    owner: str

    def as_answers(self) -> dict[str, str]:
        """Return question to answer, as they are recorded."""
        return {name: str(given).strip() for name, given in asdict(self).items()}


def objections(answers: dict[str, str]) -> tuple[str, ...]:
    """Return a sentence for each recorded answer that does not let a rollout begin.

    Examples
    --------
    >>> said = Readiness(DataKind.LIVE, "docs/runbook.md", "drops a column silently", "Nobody")
    >>> objections(said.as_answers())
    ('nobody owns it after the launch',)
    """
    told = []
    if answers.get("data") != DataKind.LIVE:
        told.append("the gates read an export, not live data")
    if _is_no(answers, "bad_outputs"):
        told.append("it is not written down what happens with a bad output")
    if _is_no(answers, "failure_modes"):
        told.append("the team does not know how it fails")
    if _is_no(answers, "owner"):
        told.append("nobody owns it after the launch")
    return tuple(told)


def _is_no(answers: dict[str, str], name: str) -> bool:
    return answers.get(name, "").strip().strip(".!").casefold() in _NO
