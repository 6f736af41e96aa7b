"""Where trained models are kept: a folder, a bucket, or an MLflow registry, by one setting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headgate.adapters.places import place_of
from headgate.adapters.shelf.folder import FolderShelf

if TYPE_CHECKING:
    from headgate.ports import Shelf

__all__ = ["FolderShelf", "shelf_of"]

#: Addresses that begin so name an MLflow registry: ``mlflow+https://host``, ``mlflow+sqlite:///file``.
MLFLOW = "mlflow+"


def shelf_of(where: str, home: Path) -> Shelf:
    """Return the shelf that the setting names.

    Raises
    ------
    InputError
        If it is no folder or address that is known.
    ShelfError
        If it is an MLflow registry and mlflow-skinny is not installed.
    """
    if where.startswith(MLFLOW):
        from headgate.adapters.shelf.mlflow import MlflowShelf

        return MlflowShelf(where.removeprefix(MLFLOW))
    return FolderShelf(place_of(where, home))
