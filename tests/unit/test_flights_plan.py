"""The example's plan is valid and fits the data and the models it is about."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from deployments.flights.outcomes import OUTCOMES
from deployments.flights.requests import NUMBERS, REQUESTS, WORDS
from headgate.plan.load import load_plan

ROOT = Path(__file__).parents[2]
PLAN = ROOT / "deployments/flights/plan.yaml"


@pytest.fixture(scope="module")
def plan():
    return load_plan(PLAN)


def test_the_contract_is_exactly_the_columns_the_models_are_sent(plan):
    assert set(plan.input.columns) == {*NUMBERS, *WORDS}
    for name in plan.input.columns:
        is_word = pa.types.is_string(REQUESTS.field(name).type)
        assert (plan.input.columns[name].type == "category") == is_word


def test_the_columns_it_names_are_in_the_logs(plan):
    assert {plan.requests.id, plan.requests.at, plan.unit.entity, *plan.segments.by} <= set(REQUESTS.names)
    assert {plan.requests.id, plan.outcomes.label, plan.outcomes.known_at} <= set(OUTCOMES.names)


def test_columns_that_may_be_missing_are_those_that_may_be_null(plan):
    nullable = {name for name in plan.input.columns if REQUESTS.field(name).nullable}
    assert {name for name, column in plan.input.columns.items() if column.missing == "allow"} == nullable


def test_every_airline_and_destination_of_the_year_is_listed(plan):
    flights = pq.read_table(ROOT / "data/flights.parquet")
    for name in WORDS:
        assert set(plan.input.columns[name].values) == set(flights[name].unique().to_pylist()), name


def test_it_climbs_as_the_guide_says(plan):
    assert [step.percent for step in plan.steps] == [0, 1, 5, 25, 50, 100]
    assert plan.unit.block == timedelta(days=1)
    assert plan.watch == timedelta(days=14)


def test_words_that_yaml_could_take_for_something_else_are_words():
    values = yaml.safe_load(PLAN.read_text())["input"]["columns"]
    assert all(isinstance(value, str) for name in WORDS for value in values[name]["values"])
