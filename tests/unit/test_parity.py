"""M19: a step that is dropped, added, moved or changed is named, with the rows it changed."""

from dataclasses import replace

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import parity
from headgate.errors import InputError, ModelRefused
from headgate.parity import Chain, Golden, Slip, Step, StepRecord, compare, in_a_line, wire
from headgate.parity.compare import out_of_place
from headgate.parity.pipeline import chain_of

N = 40
ROWS = tuple(range(N))


def times(name, column, factor, version="1"):
    """Multiply a column."""
    return Step(
        StepRecord(name, "scale", {"column": column, "factor": factor}, version),
        lambda c: c | {column: [None if x is None else x * factor for x in c[column]]},
    )


def fill(name, column, value):
    """Put a value where one is missing."""
    return Step(
        StepRecord(name, "fill", {"column": column, "value": value}, "1"),
        lambda c: c | {column: [value if x is None else x for x in c[column]]},
    )


def chain(*steps, weight=0.001):
    return Chain(
        steps=steps,
        start=lambda t: {k: list(v) for k, v in (t.to_pydict() if isinstance(t, pa.Table) else t).items()},
        shown=lambda c: c,
        answer=lambda c: [weight * (m + 3 * (w or 0.0)) for m, w in zip(c["hours"], c["wind"], strict=True)],
    )


STEPS = (times("minutes", "hours", 60.0), fill("calm", "wind", 5.0), times("knots", "wind", 0.87))
MINUTES, CALM, KNOTS = STEPS
TABLE = pa.table(
    {"hours": [i / 2 for i in range(N)], "wind": [None if i % 8 == 0 else float(i) for i in range(N)]}
)
GOLDEN = parity.record(chain(*STEPS), TABLE, model="delays", version="gbm-2")
MISSING = tuple(i for i in ROWS if i % 8 == 0)


def told(served, tells=True, version="gbm-2"):
    """What a server with this chain says, over the wire."""
    stages = parity.run(served, GOLDEN.inputs)
    tensor = {"name": "p", "datatype": "FP64", "shape": [N], "data": list(stages.answers)}
    body = {"model_version": version, "outputs": [tensor]}
    return wire.read(orjson.dumps(wire.with_stages(body, served.recipe, stages) if tells else body), N)


def differences(served, **how):
    found = compare(GOLDEN, told(served), **how)
    return found, [(one.slip, one.step) for one in found.differences]


def test_what_was_recorded_is_the_same_over_the_wire_bit_for_bit():
    found = compare(GOLDEN, told(chain(*STEPS)))
    assert (found.holds, found.differences, found.answers) == (True, (), ())
    assert found.fingerprint == GOLDEN.fingerprint
    assert in_a_line(found, "gbm-2").startswith("gbm-2 does with 40 golden examples what was recorded")


@pytest.mark.parametrize(
    ("steps", "slip", "step", "rows", "words"),
    [
        ((CALM, KNOTS), Slip.DROPPED, "minutes", ROWS[1:], "it made hours"),
        ((MINUTES, KNOTS), Slip.DROPPED, "calm", MISSING, "5 of 40"),
        ((*STEPS, times("again", "hours", 2.0)), Slip.ADDED, "again", ROWS[1:], "after knots"),
        ((CALM, KNOTS, MINUTES), Slip.REORDERED, "minutes", (), "runs after knots; recorded as the first"),
        (
            (MINUTES, fill("calm", "wind", 6.0), KNOTS),
            Slip.CHANGED, "calm", MISSING, "has value 6.0, recorded 5.0",
        ),
        (
            (MINUTES, replace(CALM, run=lambda c: c | {"wind": [x or 7.0 for x in c["wind"]]}), KNOTS),
            Slip.VALUES, "calm", MISSING, "told as recorded, and gives other values",
        ),
    ],
)  # fmt: skip
def test_m19_a_slip_is_named_with_the_rows_it_changed(steps, slip, step, rows, words):
    found, named = differences(chain(*steps))
    assert named == [(slip, step)]
    assert (found.holds, found.differences[0].rows) == (False, rows)
    assert in_a_line(found, "gbm-2").startswith(f"step {step} ")
    assert words in in_a_line(found, "gbm-2")


def test_several_slips_at_once_are_all_named():
    _, named = differences(chain(KNOTS, times("minutes", "hours", 1.0)))
    assert named == [(Slip.DROPPED, "calm"), (Slip.REORDERED, "knots"), (Slip.CHANGED, "minutes")]


def test_other_code_that_gives_the_same_values_is_told_and_holds():
    found, named = differences(chain(times("minutes", "hours", 60.0, version="2"), CALM, KNOTS))
    assert named == [(Slip.VERSION, "minutes")]
    assert found.holds
    assert "is run by 2, recorded with 1; gbm-2 answers all 40 golden examples as recorded" in in_a_line(
        found, "gbm-2"
    )


def test_a_model_that_was_changed_behind_the_same_steps_is_told_apart_from_its_steps():
    found, named = differences(chain(*STEPS, weight=0.0011))
    assert named == [(Slip.ANSWERS, "")]
    assert "the steps are as recorded; the model itself answers otherwise" in in_a_line(found)


def test_values_within_the_tolerance_are_the_same_and_beyond_it_are_not():
    nearly = chain(*STEPS, weight=0.001 * (1 + 1e-4))
    assert compare(GOLDEN, told(nearly), tolerance=1e-3).holds
    assert not compare(GOLDEN, told(nearly), tolerance=1e-5).holds


def test_a_server_that_tells_nothing_is_refused_where_stages_are_asked_and_else_shows_a_slip_by_its_answers():
    silent = told(chain(*STEPS), tells=False)
    assert [one.slip for one in compare(GOLDEN, silent).differences] == [Slip.UNTOLD]
    assert compare(GOLDEN, silent, stages=False).holds
    for lost in (MINUTES, CALM, KNOTS):
        served = chain(*(step for step in STEPS if step is not lost))
        (found,) = compare(GOLDEN, told(served, tells=False), stages=False).differences
        assert (found.slip, found.step) == (Slip.DROPPED, lost.record.name)
    (found,) = compare(GOLDEN, told(chain(MINUTES, KNOTS, CALM), tells=False), stages=False).differences
    assert (found.slip, found.step, "calm and knots are swapped" in f"{found.step} {found.said}") == (
        Slip.REORDERED, "calm", True,
    )  # fmt: skip
    other = told(chain(*STEPS, weight=1.0), tells=False)
    (found,) = compare(GOLDEN, other, stages=False).differences
    assert "no single step that is dropped or swapped explains it" in found.said


@given(st.permutations(list("abcdef")), st.sets(st.sampled_from("abcdef"), max_size=4))
def test_moving_what_is_out_of_place_gives_the_other_order_and_nothing_less_does(order, lost):
    recorded = [name for name in "abcdef" if name not in lost]
    served = [name for name in order if name not in lost]
    moved = out_of_place(recorded, served)
    stay = [name for name in recorded if name not in moved]
    assert stay == [name for name in served if name not in moved]
    assert (moved == ()) == (recorded == served)


# ---------------------------------------------------------------- files, the wire, the choice


def test_a_record_is_read_as_it_was_written_and_a_changed_one_is_refused():
    body = parity.to_bytes(GOLDEN)
    again = parity.from_bytes(body)
    assert isinstance(again, Golden)
    assert parity.to_bytes(again) == body
    for bad in (b"", b"{}", b"[]", b"\xff\xfe", body[:-9], body.replace(b"60.0", b"61.0", 1)):
        with pytest.raises(InputError, match="record it again"):
            parity.from_bytes(bad, "gbm-2.parity")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff", b"[]", b"{}", b'{"outputs": []}',
        b'{"outputs": [{"data": [1]}]}', b'{"outputs": [{"data": 7}]}',
        b'{"outputs": [{"data": [1, 2]}, {"name": "headgate/steps", "data": ["x"]}]}',
        b'{"outputs": [{"data": [1, 2]}, {"name": "headgate/steps", "data": []}, '
        b'{"name": "headgate/stage/4/x", "data": []}]}',
        b'{"outputs": [{"data": [1, 2]}, {"name": "headgate/steps"}]}',
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused_and_never_a_trace(body):
    with pytest.raises(ModelRefused, match="asked"):
        wire.read(body, 2)


def test_stages_of_other_columns_and_answers_that_are_missing_are_differences():
    said = told(chain(*STEPS))
    short = replace(said, stages=({"speed": [1.0] * N}, *said.stages[1:]), answers=(None, *said.answers[1:]))
    found = compare(GOLDEN, short)
    assert (found.differences[0].step, found.differences[0].rows) == ("minutes", ROWS)
    assert (found.answers, found.furthest) == ((0,), None)


def test_the_examples_cover_what_columns_hold_and_are_the_same_in_any_order():
    rows = [
        {"x": i % 50, "w": "rare" if i == 777 else "common", "z": None if i == 5 else 0.5}
        for i in range(1_000)
    ]
    table, shuffled = pa.Table.from_pylist(rows), pa.Table.from_pylist(rows[::-1])
    chosen = parity.choose(table, 8)
    assert chosen.num_rows == 8
    assert {"rare", "common"} == set(chosen["w"].to_pylist())
    assert {0, 49} <= set(chosen["x"].to_pylist())
    assert None in chosen["z"].to_pylist()
    assert parity.choose(shuffled, 8).to_pylist() == chosen.to_pylist()
    with pytest.raises(ValueError, match="0 requests"):
        parity.choose(table.slice(0, 0))


# ---------------------------------------------------------------- scikit-learn


@pytest.fixture(scope="module")
def pipeline():
    """A pipeline with branches and steps within one, its table, and the chain of it."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(5, 2, 300), "b": rng.normal(size=300), "c": list("xyz") * 100})
    frame.loc[::7, "b"] = np.nan
    late = (frame.a + (frame.c == "x") + rng.normal(size=300) > 5).astype(int)
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    words = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("num", numbers, ["a", "b"]), ("cat", words, ["c"])])
    model = Pipeline(
        [("prep", columns), ("squash", FunctionTransformer(np.tanh)), ("fit", LogisticRegression())]
    )
    model.fit(frame, late)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return model, table, chain_of(model, lambda t: t.to_pandas(), lambda last, x: last.predict_proba(x)[:, 1])


def test_a_pipeline_is_taken_apart_into_its_steps_and_gives_its_own_answers(pipeline):
    model, table, taken_apart = pipeline
    examples = parity.choose(table)
    golden = parity.record(taken_apart, examples, model="m", version="1")
    assert golden.recipe.names == ("prep/num/impute", "prep/num/scale", "prep/cat", "prep/join", "squash")
    np.testing.assert_allclose(golden.answers, model.predict_proba(examples.to_pandas())[:, 1])
    assert {"num/x0", "num/x1"} == set(golden.stages[1])
    assert golden.recipe.steps[1].parameters["with_mean"] is True
    assert all(step.version.startswith("scikit-learn ") for step in golden.recipe.steps)
    assert parity.from_bytes(parity.to_bytes(golden)).fingerprint == golden.fingerprint


def test_a_step_within_a_branch_that_is_lost_or_fitted_anew_is_named(pipeline):
    _, table, whole = pipeline
    examples = parity.choose(table)
    golden = parity.record(whole, examples, model="m", version="1")
    lost = replace(whole, steps=tuple(s for s in whole.steps if s.record.name != "prep/num/scale"))
    stages = parity.run(lost, examples)
    found = compare(golden, parity.Told("1", stages.answers, lost.recipe, stages.values))
    assert [(one.slip, one.step) for one in found.differences] == [(Slip.DROPPED, "prep/num/scale")]
    anew = [
        StepRecord(s.name, s.kind, {**s.parameters, "mean_": [0.0, 0.0]}, s.version)
        if "scale" in s.name
        else s
        for s in golden.recipe.steps
    ]
    found = compare(golden, parity.Told("1", golden.answers, parity.recipe_of(anew), golden.stages))
    assert [(one.slip, one.step) for one in found.differences] == [(Slip.CHANGED, "prep/num/scale")]
    assert "mean_ [0.0,0.0], recorded [" in found.differences[0].said


def test_a_model_without_steps_has_no_chain():
    from sklearn.linear_model import LogisticRegression

    assert chain_of(LogisticRegression(), dict, print) is None
