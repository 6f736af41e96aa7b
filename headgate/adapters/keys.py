"""The key that approvers' secrets are encrypted with: one file, outside the store.

Whoever copies the store without this file has nothing to compute codes with. The file is made once, when
the first approver enrols, and never written again: another key would make every secret unreadable.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from headgate.errors import InputError

_OTHERS_MAY = 0o007


def seal(path: Path, secret: str, *, first: bool) -> str:
    """Return a secret as it may be kept in the store.

    Parameters
    ----------
    path
        The key file.
    first
        Whether nobody is enrolled yet: only then a key is made where there is none.

    Raises
    ------
    InputError
        If the file is missing, unreadable, open to everybody, or no key.
    """
    if first and not path.exists():
        _make(path)
    return _key(path).encrypt(secret.encode()).decode()


def unseal(path: Path, sealed: str, whose: str) -> str:
    """Return a secret that `seal` made.

    Raises
    ------
    InputError
        As `seal`, or if the secret was encrypted with another key.
    """
    try:
        return _key(path).decrypt(sealed.encode()).decode()
    except InvalidToken as err:
        raise InputError(
            f"asked the secret of {whose}; the key in {path} is not the one it was encrypted with; put the "
            f"right file back, or enrol anew: `headgate approver add {whose} --replace REASON`"
        ) from err


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read, complete or not at all.

    Raises
    ------
    FileExistsError
        If there is a file of that name: it stays as it is.
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)  # unlike a rename it never replaces what another process made meanwhile
    finally:
        beside.unlink(missing_ok=True)


def _make(path: Path) -> None:
    try:
        write_private(path, Fernet.generate_key().decode() + "\n")
    except FileExistsError:
        return  # somebody else's first enrolment made it: that is the key
    except OSError as err:
        raise InputError(
            f"asked to make the key file {path}; found {err.strerror}; set HEADGATE_KEY_FILE to a file that "
            "this process may write"
        ) from err


def _key(path: Path) -> Fernet:
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except FileNotFoundError as err:
        raise InputError(
            f"asked the key file {path}, which the approvers' secrets are encrypted with; found none; put "
            "it back from its backup, or set HEADGATE_KEY_FILE; if it is lost, revoke every approver "
            "(`headgate approver revoke`) and enrol them anew"
        ) from err
    except (OSError, UnicodeDecodeError) as err:
        why = err.strerror if isinstance(err, OSError) else "something else than a key"
        raise InputError(
            f"asked the key file {path}; found {why}; mend the file or HEADGATE_KEY_FILE"
        ) from err
    if mode & _OTHERS_MAY:
        raise InputError(
            f"asked a private key file; found {path} open to everybody on this machine; `chmod 600 {path}`"
        )
    try:
        return Fernet(text)
    except ValueError as err:
        raise InputError(
            f"asked a key in {path}; found something else; put the right file back from its backup"
        ) from err
