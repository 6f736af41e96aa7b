"""Both models are trained on the first quarter, shelved without pickle, and come back as they were."""

import json

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from deployments.flights.shelf import Shelved, load, save
from deployments.flights.training import SINCE, UNTIL, columns_of, labelled, train
from headgate.errors import InputError


@pytest.fixture(scope="module")
def lake(flights_lake):
    return flights_lake


@pytest.fixture(scope="module")
def trained(flights_models):
    return flights_models


def test_only_outcomes_known_by_the_end_of_march_are_learnt_from(lake):
    table = labelled(lake, SINCE, UNTIL)
    assert pc.max(table["known_at"]).as_py() < UNTIL
    assert pc.max(table["at"]).as_py() < UNTIL
    assert table.num_rows == 77_401
    last_day = pq.read_table(lake / "requests", filters=pc.field("at") < UNTIL)
    assert last_day.num_rows > table.num_rows


def test_the_cards_say_what_the_models_are(trained):
    cards = [
        json.loads(path.with_suffix(".json").read_text()) for path in (trained.incumbent, trained.candidate)
    ]
    assert [card["version"] for card in cards] == ["logistic-1", "gbm-2"]
    for card in cards:
        assert card["training"]["rows"] == 77_401
        assert card["steps"][0] == "departure-minutes"
        assert card["holdout"]["rows"] < card["in_sample"]["rows"]
    assert {name.split("=")[0] for name in cards[0]["features"]} == {
        "sched_dep",
        "distance",
        "carrier",
        "origin",
    }
    assert {"dest", "visib", "plane_age"} <= set(cards[1]["features"])


def test_the_candidate_is_better_on_the_month_that_was_held_out(trained):
    cards = [
        json.loads(path.with_suffix(".json").read_text()) for path in (trained.incumbent, trained.candidate)
    ]
    incumbent, candidate = (card["holdout"]["brier"] for card in cards)
    assert candidate < incumbent < card_variance(cards[0])


def card_variance(card):
    late = card["holdout"]["late"]
    return late * (1 - late)  # Brier score of always saying the mean


def test_training_twice_gives_models_that_answer_the_same(trained, lake, tmp_path):
    again = train(lake, tmp_path)
    columns = columns_of(labelled(lake, SINCE, UNTIL).slice(0, 5_000))
    for one, two in ((trained.incumbent, again.incumbent), (trained.candidate, again.candidate)):
        first, second = load(one), load(two)
        np.testing.assert_array_equal(first.probability(columns), second.probability(columns))
        bytes_differ = {"file_sha256": "", "parts": {}}
        assert first.card | bytes_differ == second.card | bytes_differ
        assert first.card["parts"]["profile"] == second.card["parts"]["profile"]


def test_losing_the_unit_step_makes_the_candidate_worse_than_the_incumbent(trained, lake):
    table = labelled(lake, SINCE, UNTIL)
    whole = load(trained.candidate)
    broken = Shelved(whole.estimator, whole.preprocessing.without("departure-minutes"), whole.card)
    brier = float(np.mean((broken.probability(columns_of(table)) - table["late"].to_numpy()) ** 2))
    assert brier > whole.card["in_sample"]["brier"] + 0.015
    # ... even on the very flights it was trained on, where boosting looks its best
    assert brier > load(trained.incumbent).card["in_sample"]["brier"]


def test_a_file_that_the_card_does_not_describe_is_refused(trained, tmp_path):
    path = tmp_path / "gbm-2.skops"
    path.write_bytes(trained.incumbent.read_bytes())
    with pytest.raises(InputError, match=r"gbm-2\.json, it is not there"):
        load(path)
    path.with_suffix(".json").write_text(trained.candidate.with_suffix(".json").read_text())
    with pytest.raises(InputError, match=r"not the file that gbm-2\.json describes"):
        load(path)
    with pytest.raises(InputError, match="train the models first"):
        load(tmp_path / "none.skops")


class Unknown(ClassifierMixin, BaseEstimator):
    """A type nobody agreed to."""


def test_a_type_that_is_not_trusted_is_refused_by_name(trained, tmp_path):
    path = save(
        tmp_path, Unknown(), load(trained.incumbent).preprocessing, {"name": "delays", "version": "odd-3"}
    )
    with pytest.raises(InputError, match=r"not trusted: .*Unknown; do not serve"):
        load(path)


def test_only_the_trees_need_our_trust(trained):
    import skops.io  # takes seconds, in every process that collects tests

    assert skops.io.get_untrusted_types(file=trained.incumbent) == []
    (tree,) = skops.io.get_untrusted_types(file=trained.candidate)
    assert tree.endswith("TreePredictor")


def test_an_empty_lake_is_refused(tmp_path):
    with pytest.raises(InputError, match="build the lake first"):
        train(tmp_path, tmp_path / "shelf")
