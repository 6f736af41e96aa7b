"""What people say: yes, no, not yet; and together, without proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from headgate.cli.options import Now, Reason, RolloutId, SliceName, Who, when
from headgate.cli.proving import Code, SecretFile, origin, proof
from headgate.cli.root import SAYING, app, out, told
from headgate.errors import InputError
from headgate.rollout.state import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.people import Heard

Why = Annotated[str, typer.Option("--comment", help="Why; this goes into the record.", show_default=False)]


@app.command(rich_help_panel=SAYING)
@told
def approve(
    rollout: RolloutId,
    who: Who,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    code: Code = None,
    secret_file: SecretFile = None,
    now: Now = None,
    slice_: SliceName = None,
) -> None:
    """Say yes to the question a rollout has open. A later tick advances it, if it still holds."""
    _answer(rollout, Answer.APPROVE, who, comment, code, secret_file, now, slice_)


@app.command(rich_help_panel=SAYING)
@told
def reject(
    rollout: RolloutId,
    who: Who,
    comment: Why,
    code: Code = None,
    secret_file: SecretFile = None,
    now: Now = None,
    slice_: SliceName = None,
) -> None:
    """Say no: before any traffic the rollout ends as rejected, later it rolls back."""
    _answer(rollout, Answer.REJECT, who, comment, code, secret_file, now, slice_)


@app.command(rich_help_panel=SAYING)
@told
def hold(
    rollout: RolloutId,
    who: Who,
    comment: Why,
    code: Code = None,
    secret_file: SecretFile = None,
    now: Now = None,
    slice_: SliceName = None,
) -> None:
    """Say not yet: the question is void, nothing moves, and a later tick asks anew."""
    _answer(rollout, Answer.HOLD, who, comment, code, secret_file, now, slice_)


@app.command(rich_help_panel=SAYING)
@told
def promote(
    rollout: RolloutId,
    who: Who,
    reason: Reason,
    code: Code = None,
    secret_file: SecretFile = None,
    now: Now = None,
    slice_: SliceName = None,
) -> None:
    """Break the glass: go up one step without proof. It takes two people within four hours.

    Harm still rolls back, and the record shows it as an incident with both names and reasons.
    """
    from tasks import glass

    moment = when(now)
    whose, request = glass.glass_request(rollout, slice_)
    given = proof(request, Answer.BREAK_GLASS.value, code, secret_file)
    _say(glass.break_glass(rollout, whose, who, given, reason, moment, origin=origin()), "")


def _answer(
    rollout: str,
    said: Answer,
    who: str,
    comment: str,
    code: str | None,
    secret_file: Path | None,
    now: str | None,
    slice_: str | None,
) -> None:
    from tasks import people

    moment = when(now)
    question = people.the_question(rollout, slice_)
    typer.echo(str(question), err=True)  # what one is about to prove, before the code is asked for
    given = proof(question.request, said.value, code, secret_file)
    heard = people.take_answer(
        rollout,
        question.slice,
        question.step,
        question.attempt,
        said,
        who,
        given,
        comment,
        moment,
        origin=origin(),
    )
    enough = "the next tick acts on it" if heard.settled else "another approver is needed"
    _say(heard, f"; {enough}")


def _say(heard: Heard, then: str) -> None:
    """Tell what came of it; a refusal as an error, although it is on record as well."""
    if not heard.accepted:
        raise InputError(heard.reason)
    recorded = "" if heard.reason.startswith("recorded") else "recorded: "
    out.print(f"{recorded}{escape(heard.reason)}{then}", highlight=False, soft_wrap=True)
