"""Who may approve, and whether a code proves that one of them says something."""

from __future__ import annotations

from datetime import UTC, datetime

from headgate import codes
from headgate.adapters import keys, store
from headgate.errors import InputError
from tasks import wiring


def enrol(name: str, by: str, now: datetime, *, replace: str | None = None) -> str:
    """Enrol somebody as an approver; return their secret, which is shown this once.

    Parameters
    ----------
    replace
        Why an enrolment that is in force is replaced; its codes end. None: there must be none.

    Raises
    ------
    InputError
        If they are enrolled already, a name is missing, or the key file cannot be used.
    """
    wired, secret = wiring.build(), codes.new_secret()
    nobody = not any(one.active for one in store.approvers(wired.engine))
    sealed = keys.seal(wired.settings.key_file, secret, first=nobody)
    store.enrol(wired.engine, name, by, now, sealed, replace=replace)
    return secret


def revoke(name: str, by: str, reason: str, now: datetime) -> store.Approver:
    """Take somebody's codes no more, from now on; what they said before stands.

    Raises
    ------
    InputError
        If they are not enrolled, or nobody or no reason is named.
    """
    return store.revoke(wiring.build().engine, name, by, reason, now)


def approver_list() -> tuple[store.Approver, ...]:
    """Return everybody who is or was enrolled, in order of name."""
    return store.approvers(wiring.build().engine)


def unproved(rollout_id: str, name: str, request: str, answer: str, code: str) -> str | None:
    """Return why a code does not prove that somebody who may say this says it now; None: it does.

    Codes live by the machine's clock, whatever year is played.

    Raises
    ------
    InputError
        If there is no such rollout, or the key file cannot be used: then nobody can prove anything.
    """
    wired = wiring.build()
    try:
        store.refuse_author(rollout_id, name.strip(), store.author_of(wired.engine, rollout_id))
    except InputError as err:
        return str(err)
    return wrong_code(name, request, answer, code)


def wrong_code(name: str, request: str, answer: str, code: str) -> str | None:
    """Return why a code does not prove that somebody enrolled says this now; None: it does.

    Raises
    ------
    InputError
        If the key file cannot be used.
    """
    wired = wiring.build()
    sealed = store.sealed_secret(wired.engine, name)
    if sealed is None:
        return (
            f"asked the code of an enrolled approver; {name.strip()} is not enrolled; `headgate approver "
            f"list` shows who is, `headgate approver add {name.strip()}` enrols"
        )
    secret = keys.unseal(wired.settings.key_file, sealed, name.strip())
    digits = "".join(code.split())
    if digits.isascii() and codes.is_code(secret, request, answer, digits, datetime.now(UTC)):
        return None
    return (
        f"{store.WRONG_CODE} for {answer} of {request}: a code is for one answer to one request and holds "
        f"for a few minutes; compute one now: `headgate approver code {request} --answer {answer}`"
    )
