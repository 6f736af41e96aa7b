"""M12: versions on a shelf never change, are whole or not there, and refused where tampered with."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from headgate.adapters.places import place_of
from headgate.adapters.shelf import FolderShelf, shelf_of
from headgate.adapters.shelf.folder import by_number
from headgate.errors import InputError, ShelfError
from headgate.ports import MODEL, PROFILE, Shelf

PARTS = {MODEL: b"a model", PROFILE: b"its reference"}
CARD = {"fingerprint": "f" * 64, "training": {"rows": 3}}
KINDS = ["folder", "mlflow"]


@pytest.fixture(params=KINDS)
def shelf(request, tmp_path) -> Shelf:
    """Every kind of shelf there is; a registry where mlflow-skinny is installed."""
    if request.param == "folder":
        return shelf_of("shelf", tmp_path)
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    return shelf_of(f"mlflow+sqlite:///{tmp_path / 'registry.db'}", tmp_path)


def test_what_was_put_is_found_as_it_was_with_the_hash_of_every_part(shelf):
    kept = shelf.put("delays", "gbm-3", PARTS, CARD)
    assert kept == shelf.find("delays", "gbm-3")
    assert {part: shelf.read("delays", "gbm-3", part) for part in PARTS} == PARTS
    assert kept.card["training"] == {"rows": 3}
    assert set(kept.card["parts"]) == set(PARTS)
    assert shelf.read("delays", "gbm-3", "sample") is None
    assert (shelf.find("delays", "gbm-4"), shelf.read("delays", "gbm-4", MODEL)) == (None, None)


def test_a_version_never_changes_and_the_same_again_is_once(shelf):
    first = shelf.put("delays", "gbm-3", PARTS, CARD)
    assert shelf.put("delays", "gbm-3", {**PARTS, MODEL: b"written anew"}, CARD) == first
    assert shelf.read("delays", "gbm-3", MODEL) == b"a model"
    with pytest.raises(ShelfError, match="another model of that version"):
        shelf.put("delays", "gbm-3", PARTS, CARD | {"fingerprint": "0" * 64})
    assert len(shelf.all("delays")) == 1


def test_versions_are_listed_by_model_and_number(shelf):
    for model, version in (("delays", "gbm-10"), ("delays", "gbm-9"), ("costs", "rf-1")):
        shelf.put(model, version, {MODEL: version.encode()}, CARD)
    assert [(one.model, one.version) for one in shelf.all()] == [
        ("costs", "rf-1"), ("delays", "gbm-9"), ("delays", "gbm-10"),
    ]  # fmt: skip
    assert [one.version for one in shelf.all("delays")] == ["gbm-9", "gbm-10"]
    assert shelf.all("nobody") == []


def test_an_empty_shelf_is_no_error(shelf):
    assert (list(shelf.all()), shelf.find("delays", "gbm-2")) == ([], None)


# ---------------------------------------------------------------- files


@pytest.fixture
def files(tmp_path) -> FolderShelf:
    return FolderShelf(place_of(tmp_path / "shelf"))


def test_a_file_that_was_changed_is_refused(files, tmp_path):
    kept = files.put("delays", "gbm-3", PARTS, CARD)
    Path(kept.place).write_bytes(b"another model")
    with pytest.raises(ShelfError, match=r"not what the card describes .*do not use it"):
        files.read("delays", "gbm-3", MODEL)
    Path(kept.place).unlink()
    with pytest.raises(ShelfError, match="which its card names"):
        files.read("delays", "gbm-3", MODEL)
    (tmp_path / "shelf" / "delays" / "gbm-3.json").write_text("{half a card")
    with pytest.raises(ShelfError, match="restore or remove it"):
        files.find("delays", "gbm-3")


def test_parts_without_a_card_are_no_version_and_are_replaced(files, tmp_path):
    folder = tmp_path / "shelf" / "delays"
    folder.mkdir(parents=True)
    (folder / "gbm-3.skops").write_bytes(b"left by a write that was cut off")
    assert files.all() == []
    files.put("delays", "gbm-3", PARTS, CARD)
    assert files.read("delays", "gbm-3", MODEL) == b"a model"


def _put_as_nobody(home: str, said) -> None:
    if os.geteuid() == 0:
        os.seteuid(65_534)
    try:
        shelf_of("shelf", Path(home)).put("delays", "gbm-3", PARTS, CARD)
    except ShelfError as err:
        said.send(str(err))
    else:
        said.send("")


def test_a_read_only_folder_is_a_clear_error_and_nothing_half_written_is_left(tmp_path):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf").chmod(0o555)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    tmp_path.chmod(0o755)
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_put_as_nobody, args=(str(tmp_path), there))
    child.start()
    child.join(60)
    said = here.recv()
    assert "make the folder writable, or set HEADGATE_SHELF" in said
    assert "denied" in said
    assert list((tmp_path / "shelf").iterdir()) == []


def test_names_that_are_no_names_of_files_are_refused(files):
    for model, version in (("..", "1"), ("delays", "../../gbm"), ("", "1"), ("delays", "a/b")):
        with pytest.raises(InputError, match="for the shelf"):
            files.put(model, version, PARTS, CARD)


def test_the_card_in_the_folder_is_what_the_server_of_the_model_checks(files, tmp_path):
    files.put("delays", "gbm-3", PARTS, CARD)
    card = json.loads((tmp_path / "shelf" / "delays" / "gbm-3.json").read_text())
    assert card["file_sha256"] == card["parts"][MODEL]
    assert (card["name"], card["version"]) == ("delays", "gbm-3")


def test_a_registry_that_is_not_there_is_told_with_its_address_and_leaves_nothing_here(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ShelfError, match="asked the MLflow registry at sqlite"):
        shelf_of(f"mlflow+sqlite:///{tmp_path / 'file' / 'registry.db'}", tmp_path).find("delays", "gbm-3")
    shelf_of(f"mlflow+sqlite:///{tmp_path / 'there' / 'registry.db'}", tmp_path).put(
        "delays", "gbm-3", PARTS, CARD
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there"]


def test_numbers_in_versions_count_as_numbers():
    assert sorted(["v10", "v9", "v1.10", "v1.9"], key=by_number) == ["v1.9", "v1.10", "v9", "v10"]
