"""The key of the approvers' secrets is made once, kept private, and missed loudly."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from headgate.adapters.keys import seal, unseal, write_private
from headgate.errors import InputError


@pytest.fixture
def key(tmp_path):
    return tmp_path / "new" / "headgate.key"


def test_the_first_secret_makes_the_key_and_later_ones_use_it(key):
    first = seal(key, "one", first=True)
    made = key.read_bytes()
    second = seal(key, "two", first=True)
    assert (key.read_bytes(), stat.S_IMODE(key.stat().st_mode)) == (made, 0o600)
    assert [unseal(key, sealed, "chief") for sealed in (first, second)] == ["one", "two"]
    assert "one" not in first


def test_first_secrets_at_the_same_time_use_one_key(key):
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda n: seal(key, str(n), first=True), range(8)))
    assert [unseal(key, one, "chief") for one in sealed] == [str(n) for n in range(8)]
    assert list(key.parent.iterdir()) == [key]


def test_a_key_that_is_gone_is_not_made_again_and_says_what_to_do(key):
    sealed = seal(key, "one", first=True)
    key.unlink()
    for use in (lambda: seal(key, "two", first=False), lambda: unseal(key, sealed, "chief")):
        with pytest.raises(
            InputError, match=r"found none; put it back from its backup.*revoke every approver"
        ):
            use()
    assert not key.exists()


def test_another_key_opens_nothing_and_says_whose_secret_it_was(key, tmp_path):
    sealed = seal(key, "one", first=True)
    seal(tmp_path / "other", "two", first=True)
    with pytest.raises(InputError, match=r"not the one it was encrypted with.*add chief --replace"):
        unseal(tmp_path / "other", sealed, "chief")


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("a diary", 0o600, "found something else; put the right file back"),
        ("\xff\xfe", 0o600, "found something else than a key"),
        ("x", 0o604, "chmod 600"),
    ],
)
def test_a_file_that_is_no_private_key_is_refused(key, text, mode, said):
    write_private(key, "")
    key.write_text(text, encoding="utf-8")
    key.chmod(mode)
    with pytest.raises(InputError, match=said):
        seal(key, "one", first=True)


def test_a_folder_in_its_place_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="Is a directory"):
        seal(tmp_path, "one", first=True)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="HEADGATE_KEY_FILE"):
        seal(tmp_path / "file" / "key", "one", first=True)
