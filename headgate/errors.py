"""Every error Headgate raises on purpose, and what to do about each.

HeadgateError
├── PlanError            the plan cannot be used: mend the lines it names          exit 2
├── InputError           a file, a table or an argument is not as agreed           exit 2
├── EvidenceError        sums that cannot be added or judged: a fault, report it   exit 1
├── IllegalTransition    that verb is not for this state: the message says which   exit 1
├── StandDown            another tick owns the work: nothing to do, not a failure  exit 0
├── StoreError           the store refused or is not there: share stays as it is   exit 1
├── LakeError            the lake refused or is not there                          exit 1
├── ShelfError           the shelf of models refused or is not there: nothing is lost    exit 1
├── TrainingError        the trainer failed; the message says how; nothing was shelved   exit 1
├── ModelError           a model server
│   ├── ModelUnavailable     no answer, or 5xx: retried, then the side's ``error``/``timeout``
│   └── ModelRefused         it answered and the answer is no: never retried
├── PlaneError           the traffic plane
│   ├── PlaneUnavailable     cannot be reached or started: retried, the share stays
│   └── PlaneRefused         it said no: never retried, the rollout waits for an operator
└── NoticeError          a message that people should get
    ├── NoticeUnavailable    no answer, or 5xx: tried again for hours
    └── NoticeRefused        the receiver said no: given up, and told elsewhere

A message says what was asked, what was found and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass


class HeadgateError(Exception):
    """The root of all errors that Headgate raises on purpose."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a plan.

    Attributes
    ----------
    line
        Line in the file, from 1; 0 where there is none (the plan did not come from a file).
    where
        Path of the key, e.g. ``gates[0].margin``.
    asked
        What the schema asks for.
    found
        What stands there.
    todo
        What to do about it.
    """

    line: int
    where: str
    asked: str
    found: str
    todo: str

    def __str__(self) -> str:
        """Say it in one line."""
        at = f"line {self.line}: " if self.line else ""
        return f"{at}{self.where}: asked {self.asked}; found {self.found}; {self.todo}"


class PlanError(HeadgateError):
    """A plan that cannot be used, with every problem found."""

    exit_code = 2

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{source}: {len(problems)} problem(s)\n{lines}")


class InputError(HeadgateError):
    """A file, a table or an argument that is not as agreed."""

    exit_code = 2


class EvidenceError(HeadgateError):
    """Sums that cannot be added or judged."""


class IllegalTransition(HeadgateError):
    """A verb that the rollout's state does not allow."""


class StandDown(HeadgateError):
    """Another tick owns the work; nothing is lost by doing nothing."""

    exit_code = 0


class StoreError(HeadgateError):
    """The store refused or cannot be reached."""


class LakeError(HeadgateError):
    """The lake refused or cannot be reached."""


class ShelfError(HeadgateError):
    """The shelf of models refused or cannot be reached; what was to be shelved is still where it was made."""


class TrainingError(HeadgateError):
    """A trainer raised, took too long or too much, or returned something else than a model."""


class ModelError(HeadgateError):
    """A model server."""


class ModelUnavailable(ModelError):
    """No answer or a server error: worth another try."""


class ModelRefused(ModelError):
    """The server answered, and the answer cannot be used."""


class PlaneError(HeadgateError):
    """The traffic plane."""


class PlaneUnavailable(PlaneError):
    """The plane cannot be reached or started: worth another try."""


class PlaneRefused(PlaneError):
    """The plane said no, or holds a newer write: never retried."""


class NoticeError(HeadgateError):
    """A message that people should get."""


class NoticeUnavailable(NoticeError):
    """The receiver cannot be reached or is not well: worth another try."""


class NoticeRefused(NoticeError):
    """The receiver said no, or the route leads nowhere: never retried."""
