"""M19: golden examples are recorded of whatever a trainer returns, and never of another model."""

import warnings

import numpy as np
import pyarrow as pa
import pytest

from headgate.errors import TrainingError
from headgate.parity import Chain, Step, StepRecord
from headgate.training import Trained, golden_of
from tests.builders import plan
from tests.scenarios.small import SMALL, logs
from tests.trainers import fitted

PLAN = plan(**SMALL)


@pytest.fixture(scope="module")
def table():
    requests, outcomes = logs()
    return requests.append_column("late", outcomes["late"]).slice(0, 288)


def recorded(trained, table):
    return golden_of(trained, table.select(["signal", "region"]), PLAN, "gbm-3", "mine:train")


def halves(table, weight=1.0):
    """A model of one step, and its chain; ``weight`` other than 1 makes a chain of another model."""
    model, _ = fitted(table, table["late"].to_numpy())

    def answer(values):
        return weight * model.predict_proba(np.asarray(values).reshape(-1, 1))[:, 1]

    chain = Chain(
        steps=(Step(StepRecord("half", "scale", {"factor": 0.5}), lambda c: {"signal": c["signal"] / 2}),),
        start=lambda rows: {"signal": rows["signal"].to_numpy()},
        shown=lambda columns: columns,
        answer=lambda columns: answer(columns["signal"]),
    )
    return Trained(model, answer=lambda rows: answer(rows["signal"].to_numpy() / 2) / weight, chain=chain)


def test_the_steps_that_a_trainer_names_are_recorded_with_what_would_be_without_them(table):
    golden = recorded(halves(table), table)
    assert (golden.model, golden.version, golden.rows) == ("delays", "gbm-3", 64)
    assert golden.recipe.names == ("half",)
    assert [one.steps for one in golden.accidents] == [("half",)]
    assert golden.summary()["steps"] == ["half"]
    np.testing.assert_allclose(golden.stages[0]["signal"], np.asarray(golden.inputs["signal"]) / 2)


def test_steps_that_lead_to_other_answers_or_fail_are_told_and_nothing_is_recorded(table):
    with pytest.raises(TrainingError, match=r"mine:train names .* lead to others; mend its `chain`"):
        recorded(halves(table, weight=0.9), table)
    broken = Chain((), lambda rows: rows["nothing"], lambda columns: columns, lambda columns: columns)
    with pytest.raises(TrainingError, match="found KeyError"):
        recorded(Trained(None, answer=lambda rows: rows["signal"].to_numpy(), chain=broken), table)


def test_a_pipeline_is_recorded_step_by_step_and_any_other_model_by_its_answers(table):
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    columns = ColumnTransformer([("num", StandardScaler(), ["signal"])])
    model = Pipeline([("prep", columns), ("fit", LogisticRegression())])
    model.fit(table.to_pandas(), table["late"].to_numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        golden = recorded(Trained(model), table)
    assert golden.recipe.names == ("prep/num", "prep/join")
    other, answer = fitted(table, table["late"].to_numpy())
    plain = recorded(Trained(other, answer=answer), table)
    assert (plain.recipe, plain.stages, plain.rows) == (None, (), 64)
    # What answers is the author's own, and not the pipeline: only the answers are known.
    own = Trained(model, answer=lambda rows: np.full(rows.num_rows, 0.25))
    assert recorded(own, table).recipe is None
    assert isinstance(table, pa.Table)
