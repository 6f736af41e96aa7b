"""Models in an MLflow registry, through mlflow-skinny: install `headgate[mlflow]`.

A version is a run with its parts and its card as artifacts, and a version of the registered model that is
tagged with ours: the registry counts 1, 2, 3 and cannot be told what a version is called.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headgate.adapters.shelf.folder import by_number, checked, described, same
from headgate.errors import ShelfError
from headgate.ports import Shelved

_TAG, _FOLDER, _CARD = "headgate.version", "headgate", "card.json"
#: Where runs of ours are in the registry's server.
EXPERIMENT = "headgate"


class MlflowShelf:
    """A `headgate.ports.Shelf` in an MLflow registry.

    Parameters
    ----------
    address
        Tracking and registry address: ``https://host`` or ``sqlite:///file``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        with _words(self._address):
            try:
                from mlflow import MlflowClient
            except ImportError as err:
                raise ShelfError(
                    "asked an MLflow registry for a shelf; mlflow-skinny is not installed here; install "
                    "`headgate[mlflow]`, or set HEADGATE_SHELF to a folder"
                ) from err
            self._client = MlflowClient(tracking_uri=address, registry_uri=address)

    def put(self, model: str, version: str, parts: Mapping[str, bytes], card: Mapping[str, Any]) -> Shelved:
        """Keep a version: see `headgate.ports.Shelf`."""
        full = described(model, version, parts, card)
        if (known := self.find(model, version)) is not None:
            return same(known, full)
        with _words(self._address), tempfile.TemporaryDirectory(prefix="headgate-shelf-") as folder:
            for part, body in parts.items():
                (Path(folder) / f"{version}.{part}").write_bytes(body)
            (Path(folder) / _CARD).write_text(json.dumps(full, indent=2), encoding="utf-8")
            run = self._client.create_run(self._experiment(), run_name=f"{model} {version}").info
            self._client.log_artifacts(run.run_id, folder, _FOLDER)
            self._client.set_terminated(run.run_id)
            if not self._client.search_registered_models(f"name = '{model}'"):
                self._client.create_registered_model(model)
            # Last: until it is there nobody finds any of it.
            self._client.create_model_version(
                model, f"{run.artifact_uri}/{_FOLDER}", run.run_id, tags={_TAG: version}
            )
        kept = self.find(model, version)
        if kept is None:
            raise ShelfError(f"{model} {version} was registered at {self._address} and is gone; look there")
        return same(kept, full)

    def find(self, model: str, version: str) -> Shelved | None:
        """Return a version: see `headgate.ports.Shelf`."""
        return next((one for one in self.all(model) if one.version == version), None)

    def all(self, model: str | None = None) -> Sequence[Shelved]:
        """Return all versions: see `headgate.ports.Shelf`. Those that others registered are not ours."""
        found: dict[tuple[str, str], Shelved] = {}
        with _words(self._address):
            asked = f"name = '{model}'" if model else ""
            for one in sorted(self._client.search_model_versions(asked), key=lambda one: int(one.version)):
                version = one.tags.get(_TAG)
                if version is not None and (one.name, version) not in found:  # of two the first stands
                    card = json.loads(self._artifact(one.run_id, _CARD))
                    found[one.name, version] = Shelved(
                        one.name, version, card, f"models:/{one.name}/{one.version}"
                    )
        return sorted(found.values(), key=lambda one: (one.model, by_number(one.version)))

    def read(self, model: str, version: str, part: str) -> bytes | None:
        """Return a part: see `headgate.ports.Shelf`."""
        kept = self.find(model, version)
        if kept is None or part not in kept.card.get("parts", {}):
            return None
        with _words(self._address):
            number = kept.place.rpartition("/")[2]
            run = self._client.get_model_version(model, number).run_id
            return checked(kept, part, self._artifact(run, f"{version}.{part}"))

    def _experiment(self) -> str:
        known = self._client.get_experiment_by_name(EXPERIMENT)
        if known is not None:
            return str(known.experiment_id)
        # A server knows where its artifacts go; a file would put them where this process happens to run.
        file = self._address.removeprefix("sqlite:///")
        beside = (
            None if file == self._address else (Path(file).resolve().parent / "mlflow-artifacts").as_uri()
        )
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=beside))

    def _artifact(self, run: str | None, name: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="headgate-shelf-") as folder:
            path = self._client.download_artifacts(str(run), f"{_FOLDER}/{name}", folder)
            return Path(path).read_bytes()


@contextmanager
def _words(address: str) -> Iterator[None]:
    """Say what is wrong with the registry, and keep to ourselves what it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except ShelfError:
            raise
        except Exception as err:  # its client raises whatever its libraries do
            raise ShelfError(
                f"asked the MLflow registry at {address}; found {type(err).__name__}: {err}; look whether "
                "it is up and lets you in"
            ) from err
