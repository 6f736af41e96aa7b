"""Signatures that a plan asks for before any traffic moves: sign-offs by role, and the questionnaire."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from headgate.cli.options import Now, RolloutId, Who, when
from headgate.cli.proving import Code, SecretFile, origin, proof
from headgate.cli.root import SAYING, app, out, told
from headgate.errors import InputError
from headgate.readiness import QUESTIONS, ROLE, DataKind, Readiness

if TYPE_CHECKING:
    from tasks.people import Heard


@app.command(rich_help_panel=SAYING)
@told
def signoff(
    rollout: RolloutId,
    role: Annotated[str, typer.Option("--role", help="A role the plan asks for.", show_default=False)],
    who: Who,
    comment: Annotated[str, typer.Option("--comment", help="What you looked at.", show_default=False)],
    code: Code = None,
    secret_file: SecretFile = None,
    now: Now = None,
) -> None:
    """Sign a rollout's plan in a role that it asks for (flow `signoff`). The author may not."""
    from tasks import signing

    moment = when(now)
    given = proof(signing.signing_request(rollout, role), signing.SIGN, code, secret_file)
    _say(signing.sign_off(rollout, role, who, given, comment, moment, origin=origin()))


@app.command(rich_help_panel=SAYING)
@told
def questionnaire(
    rollout: RolloutId,
    who: Who,
    data: Annotated[
        DataKind | None, typer.Option("--data", help=QUESTIONS["data"], show_default=False)
    ] = None,
    bad_outputs: Annotated[
        str | None, typer.Option("--bad-outputs", help=QUESTIONS["bad_outputs"], show_default=False)
    ] = None,
    failure_modes: Annotated[
        str | None, typer.Option("--failure-modes", help=QUESTIONS["failure_modes"], show_default=False)
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help=QUESTIONS["owner"], show_default=False)] = None,
    comment: Annotated[str, typer.Option("--comment", help="Anything to add.")] = "",
    code: Code = None,
    secret_file: SecretFile = None,
    now: Now = None,
) -> None:
    """Answer the readiness questionnaire (flow `questionnaire`). What no option answers is asked.

    An honest "no" is recorded, and the rollout waits until it is settled.
    """
    from tasks import signing

    moment = when(now)
    request = signing.signing_request(rollout, ROLE)
    given = {"data": data, "bad_outputs": bad_outputs, "failure_modes": failure_modes, "owner": owner}
    answers = {name: _asked(name, answer) for name, answer in given.items()}
    if answers["data"] not in tuple(DataKind):
        raise InputError(f"--data: asked live or export; found {answers['data']!r}; say which")
    readiness = Readiness(
        DataKind(answers["data"]), answers["bad_outputs"], answers["failure_modes"], answers["owner"]
    )
    proved = proof(request, signing.SIGN, code, secret_file)
    _say(signing.answer_questionnaire(rollout, readiness, who, proved, comment, moment, origin=origin()))


def _asked(name: str, answer: str | None) -> str:
    if answer is not None:
        return answer
    if not sys.stdin.isatty():
        option = f"--{name.replace('_', '-')}"
        raise InputError(f"asked: {QUESTIONS[name]} Found no answer; give it with {option}")
    return str(typer.prompt(QUESTIONS[name], err=True)).strip()


def _say(heard: Heard) -> None:
    if not heard.accepted:
        raise InputError(heard.reason)
    out.print(f"recorded: {escape(heard.reason)}", highlight=False, soft_wrap=True)
