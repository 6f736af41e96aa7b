"""Train the incumbent and the candidate on January to March 2013.

The settings were chosen by cross-validation over six blocks of two weeks within these three months;
nothing from April on was looked at. A block of days, not a random part, is held out because
the flights of one day share its weather.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from deployments.flights.preprocessing import (
    Columns,
    OneHot,
    Preprocessing,
    Scale,
    ShareLate,
    Standardise,
    Step,
)
from deployments.flights.requests import NUMBERS, WORDS
from deployments.flights.shelf import Shelved, save
from deployments.flights.steps import chain_of
from headgate import parity
from headgate.errors import InputError
from headgate.plan import load_plan
from headgate.ports import PARITY, PROFILE
from headgate.profile import Profile, take, to_bytes

NAME = "delays"
PLAN = Path(__file__).with_name("plan.yaml")
SINCE = datetime(2013, 1, 1, tzinfo=UTC)
HOLDOUT = datetime(2013, 3, 1, tzinfo=UTC)
UNTIL = datetime(2013, 4, 1, tzinfo=UTC)

DRAWN_TO_MEAN = 50
"""A word's share late counts this many flights of the overall share besides its own."""
TO_MINUTES = Scale("departure-minutes", "sched_dep", 60.0)
"""The step that the bad candidate's server lost."""

Labels = npt.NDArray[np.int8]
Fit = Callable[[Columns, Labels], tuple[Any, Preprocessing]]


@dataclass(frozen=True, slots=True)
class Trained:
    """Paths of the two models; each has its card beside it, as ``.json``."""

    incumbent: Path
    candidate: Path


def train(lake: Path, shelf: Path) -> Trained:
    """Train both models and put them on the shelf as ``logistic-1`` and ``gbm-2``.

    Only outcomes that were known by the end of March are used. The card's holdout figures come from
    a first fit on January and February, tried on March; the model on the shelf saw all three months.

    Raises
    ------
    InputError
        If the lake does not hold the months.
    """
    table = labelled(lake, SINCE, UNTIL)
    # A second thread gains little on so few rows, and on a busy machine costs ten times as much.
    with threadpool_limits(1):
        return Trained(
            incumbent=_train_one(table, shelf, "logistic-1", fit_logistic),
            candidate=_train_one(table, shelf, "gbm-2", fit_boosting),
        )


def profile_of(table: pa.Table, model: Shelved) -> Profile:
    """Return what a model learned from and what it says to that, for live requests to be held against."""
    plan = load_plan(PLAN)
    contract = plan.input
    assert contract is not None  # noqa: S101 - the example has one
    score = model.probability(columns_of(table))
    said = {"score": score, "decision": score >= plan.prediction.threshold}  # as the monitor calls them
    for name, values in said.items():
        table = table.append_column(name, pa.array(values))
    return take(table, columns=[*contract.columns, *said], at="at", contract=contract.columns)


def golden_of(table: pa.Table, model: Shelved, version: str) -> parity.Golden:
    """Return golden examples of a model, for its server to be held against."""
    contract = load_plan(PLAN).input
    assert contract is not None  # noqa: S101 - the example has one
    chain = chain_of(model.preprocessing, model.estimator, columns_of)
    return parity.record(
        chain, parity.choose(table.select(list(contract.columns))), model=NAME, version=version
    )


def labelled(lake: Path, since: datetime, until: datetime) -> pa.Table:
    """Return the requests made and answered by life in [since, until), by ``at`` and ``request_id``."""
    for part in ("requests", "outcomes"):
        if not (lake / part).is_dir():
            raise InputError(f"asked for {lake / part}, it is not there; build the lake first")
    requests = pq.read_table(lake / "requests", filters=(pc.field("at") >= since) & (pc.field("at") < until))
    outcomes = pq.read_table(lake / "outcomes", filters=pc.field("known_at") < until)
    table = requests.join(outcomes, "request_id", join_type="inner")
    if not table.num_rows:
        raise InputError(
            f"{lake} holds no labelled request between {since:%F} and {until:%F}; build the lake"
        )
    return table.sort_by([("at", "ascending"), ("request_id", "ascending")])


def columns_of(table: pa.Table) -> Columns:
    """Return the columns of requests as a model server gets them: NaN and None where missing."""
    return {
        **{name: table[name].cast(pa.float64()).to_numpy() for name in NUMBERS},
        **{name: table[name].to_pylist() for name in WORDS},
    }


def fit_logistic(columns: Columns, late: Labels) -> tuple[LogisticRegression, Preprocessing]:
    """Fit the incumbent: departure time, distance, carrier and origin."""
    numbers, words = ("sched_dep", "distance"), ("carrier", "origin")
    steps: tuple[Step, ...] = (
        TO_MINUTES,
        *(_learn_standard(columns, name) for name in numbers),
        *(_learn_words(columns, name) for name in words),
    )
    hot = (f"{step.column}={word}" for step in steps if isinstance(step, OneHot) for word in step.words)
    preprocessing = Preprocessing(numbers, words, steps, (*numbers, *hot), required=numbers)
    model = LogisticRegression(max_iter=500)
    return model.fit(preprocessing.matrix(columns), late), preprocessing


def fit_boosting(columns: Columns, late: Labels) -> tuple[HistGradientBoostingClassifier, Preprocessing]:
    """Fit the candidate: what the incumbent has, and weather, destination and plane age.

    Words become numbers in our own steps rather than in scikit-learn's category support, which costs more
    per single request than all the trees together.
    """
    steps: tuple[Step, ...] = (TO_MINUTES, *(_learn_share(columns, name, late) for name in WORDS))
    preprocessing = Preprocessing(NUMBERS, WORDS, steps, (*NUMBERS, *WORDS))
    model = HistGradientBoostingClassifier(
        max_iter=40,
        learning_rate=0.1,
        max_leaf_nodes=15,
        min_samples_leaf=500,  # about the flights of half a day: a leaf is never one storm hour
        early_stopping=False,
        random_state=0,
    )
    return model.fit(preprocessing.matrix(columns), late), preprocessing


def _learn_standard(columns: Columns, name: str) -> Standardise:
    if name == TO_MINUTES.column:
        columns = TO_MINUTES(columns)
    values = np.asarray(columns[name], dtype=np.float64)
    return Standardise(f"{name}-standard", name, float(np.nanmean(values)), float(np.nanstd(values)))


def _learn_words(columns: Columns, name: str) -> OneHot:
    return OneHot(
        f"{name}-one-hot", name, tuple(sorted({str(word) for word in columns[name] if word is not None}))
    )


def _learn_share(columns: Columns, name: str, late: Labels) -> ShareLate:
    overall = float(late.mean())
    words, at = np.unique(np.array(columns[name], dtype=np.str_), return_inverse=True)
    flights, lates = np.bincount(at), np.bincount(at, weights=late)
    shares = (lates + DRAWN_TO_MEAN * overall) / (flights + DRAWN_TO_MEAN)
    return ShareLate(
        f"{name}-share-late", name, dict(zip(words.tolist(), shares.tolist(), strict=True)), overall
    )


def _train_one(table: pa.Table, shelf: Path, version: str, fit: Fit) -> Path:
    early = pc.less(table["at"], pa.scalar(HOLDOUT, table["at"].type))
    first, rest = table.filter(early), table.filter(pc.invert(early))
    holdout = _figures(Shelved(*_fitted(first, fit), {}), rest)
    estimator, preprocessing = _fitted(table, fit)
    model = Shelved(estimator, preprocessing, {})
    card = {
        "name": NAME,
        "version": version,
        "label": "late",
        "training": {"since": SINCE.isoformat(), "until": UNTIL.isoformat(), "rows": table.num_rows},
        "training_sha256": _digest(table),
        "in_sample": _figures(model, table),
        "holdout": {"since": HOLDOUT.isoformat(), "until": UNTIL.isoformat(), **holdout},
    }
    golden = golden_of(table, model, version)
    parts = {PROFILE: to_bytes(profile_of(table, model)), PARITY: parity.to_bytes(golden)}
    return save(shelf, estimator, preprocessing, card | {"parity": golden.summary()}, parts)


def _fitted(table: pa.Table, fit: Fit) -> tuple[Any, Preprocessing]:
    return fit(columns_of(table), table["late"].to_numpy())


def _figures(model: Shelved, table: pa.Table) -> dict[str, float | int]:
    late = table["late"].to_numpy()
    chance = model.probability(columns_of(table))
    inside = np.clip(chance, 1e-12, 1 - 1e-12)
    return {
        "rows": table.num_rows,
        "late": float(late.mean()),
        "brier": float(np.mean((chance - late) ** 2)),
        "log_loss": float(-np.mean(late * np.log(inside) + (1 - late) * np.log(1 - inside))),
    }


def _digest(table: pa.Table) -> str:
    """Return a sha256 over ids and labels: which rows the model has seen."""
    body = "\n".join(
        f"{i},{y}" for i, y in zip(table["request_id"].to_pylist(), table["late"].to_pylist(), strict=True)
    )
    return hashlib.sha256(body.encode()).hexdigest()
