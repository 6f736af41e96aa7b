"""The steps of a fitted scikit-learn pipeline, also those within the branches of a `ColumnTransformer`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headgate.parity.chain import Chain, Step
from headgate.parity.recipe import StepRecord, parameters_of

#: Where the columns of a transformer's branch are told apart, and steps within one.
_SLASH = "/"


@dataclass(frozen=True, slots=True)
class _State:
    """What flows: the table, and within a `ColumnTransformer` what each branch made of its columns."""

    table: Any
    names: Sequence[str]
    branches: Mapping[str, tuple[Any, Sequence[str]]]


def chain_of(model: Any, start: Callable[[Any], Any], answer: Callable[[Any, Any], Any]) -> Chain | None:
    """Return the chain of a fitted `sklearn.pipeline.Pipeline`; None for any other model.

    The last step is the model. A `ColumnTransformer` becomes its branches' steps, each named
    ``transformer/branch/step``, and a step that joins them; anything else is one step, also what has steps
    of its own inside.

    Parameters
    ----------
    start
        Takes n requests and returns the table that the pipeline reads.
    answer
        Takes the last step and what it reads, and returns n answers.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    if not isinstance(model, Pipeline) or not hasattr(model.steps[-1][1], "predict"):
        return None
    steps: list[Step] = []
    for name, transformer in model.steps[:-1]:
        if isinstance(transformer, ColumnTransformer):
            steps += _branches(name, transformer)
        elif transformer is not None and transformer != "passthrough":
            steps.append(Step(_recorded(name, transformer), _whole(transformer)))
    last = model.steps[-1][1]
    return Chain(
        steps=tuple(steps),
        start=lambda requests: _begun(start(requests)),
        shown=_shown,
        answer=lambda state: answer(last, state.table),
    )


def _begun(table: Any) -> _State:
    names = [str(name) for name in table.columns] if hasattr(table, "columns") else _numbered(table)
    return _State(table, names, {})


def _whole(transformer: Any) -> Callable[[_State], _State]:
    def run(state: _State) -> _State:
        table = transformer.transform(state.table)
        return _State(table, _names(transformer, table), {})

    return run


def _branches(name: str, transformer: Any) -> list[Step]:
    from sklearn.pipeline import Pipeline

    steps, order = [], []
    for branch, what, columns in transformer.transformers_:
        if (isinstance(what, str) and what == "drop") or not len(columns):
            continue
        order.append(branch)
        inside = what.steps if isinstance(what, Pipeline) else [("", what)]
        for step, one in inside:
            if one is None or (isinstance(one, str) and one == "passthrough"):
                continue
            path = _SLASH.join(filter(None, (name, branch, step)))
            steps.append(Step(_recorded(path, one), _in_branch(branch, one, columns)))
    chosen = {branch: columns for branch, _, columns in transformer.transformers_ if branch in order}
    words = {branch: [str(one) for one in columns] for branch, columns in chosen.items()}
    record = StepRecord(f"{name}/join", "ColumnTransformer", parameters_of(words), _version(transformer))
    return [*steps, Step(record, _joined(transformer, order, chosen))]


def _in_branch(branch: str, transformer: Any, columns: Any) -> Callable[[_State], _State]:
    def run(state: _State) -> _State:
        table = state.branches[branch][0] if branch in state.branches else _chosen(state.table, columns)
        made = transformer.transform(table)
        return replace(state, branches={**state.branches, branch: (made, _names(transformer, made))})

    return run


def _joined(transformer: Any, order: Sequence[str], columns: Mapping[str, Any]) -> Callable[[_State], _State]:
    def run(state: _State) -> _State:
        parts = [
            state.branches[branch][0] if branch in state.branches else _chosen(state.table, columns[branch])
            for branch in order
        ]
        table: Any = np.column_stack([_dense(part) for part in parts])
        names = _names(transformer, table)
        if all(hasattr(part, "columns") for part in parts):  # set_output(transform="pandas")
            import pandas as pd

            table = pd.DataFrame(table, columns=list(names))
        return _State(table, names, {})

    return run


def _chosen(table: Any, columns: Any) -> Any:
    if not hasattr(table, "columns"):
        return table[:, columns]
    by_name = isinstance(columns, str) or isinstance(next(iter(columns)), str)
    return table[columns] if by_name else table.iloc[:, columns]


def _shown(state: _State) -> dict[str, Any]:
    shown = _columns(state.table, state.names)
    for branch, (table, names) in state.branches.items():
        shown |= _columns(table, [f"{branch}{_SLASH}{name}" for name in names])
    return shown


def _columns(table: Any, names: Sequence[str]) -> dict[str, Any]:
    values = table if hasattr(table, "columns") else _dense(table)
    at = values.iloc if hasattr(values, "iloc") else values
    return {name: [_missing(one) for one in np.asarray(at[:, i]).tolist()] for i, name in enumerate(names)}


def _missing(value: Any) -> Any:
    """Return None for what data frames call missing: NaN and NaT differ from themselves."""
    return None if value is None or value != value else value


def _dense(table: Any) -> Any:
    return table.toarray() if hasattr(table, "toarray") else np.asarray(table)


def _names(transformer: Any, table: Any) -> list[str]:
    if hasattr(table, "columns"):
        return [str(name) for name in table.columns]
    try:
        names = [str(name) for name in transformer.get_feature_names_out()]
    except (AttributeError, ValueError, TypeError):  # many transformers cannot say
        return _numbered(table)
    return names if len(names) == table.shape[1] else _numbered(table)


def _numbered(table: Any) -> list[str]:
    return [str(number) for number in range(table.shape[1])]


def _recorded(name: str, transformer: Any) -> StepRecord:
    kind = type(transformer)
    return StepRecord(
        name,
        f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}",
        parameters_of(_parameters(transformer)),
        _version(transformer),
    )


def _parameters(transformer: Any) -> dict[str, Any]:
    """Return what was set, and what was learnt: attributes that end in an underscore."""
    asked = transformer.get_params(deep=False) if hasattr(transformer, "get_params") else {}
    learnt = {
        name: value
        for name, value in vars(transformer).items()
        if name.endswith("_") and not name.startswith("_")
    }
    return {name: _plain(value) for name, value in sorted({**asked, **learnt}.items())}


def _version(transformer: Any) -> str:
    package = type(transformer).__module__.partition(".")[0]
    module = __import__(package)
    name = "scikit-learn" if package == "sklearn" else package
    return f"{name} {getattr(module, '__version__', '')}".strip()


def _plain(value: Any) -> Any:
    """Return a parameter as plain JSON, the same in every process."""
    match value:
        case np.generic():  # first: a numpy number is a number to Python
            return _plain(value.item())
        case float() if value != value:  # NaN, which JSON has not
            return "nan"
        case None | bool() | int() | float() | str():
            return value
        case np.ndarray() | list() | tuple():
            return [_plain(one) for one in value]
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case set() | frozenset():
            return sorted(str(_plain(one)) for one in value)
        case type():
            return value.__qualname__
    if hasattr(value, "get_params"):
        return {"kind": type(value).__qualname__, **_parameters(value)}
    if hasattr(value, "toarray"):
        return _plain(value.toarray())
    if callable(value) and (code := getattr(value, "__code__", None)) is not None:
        said = repr((code.co_code, code.co_names, [c for c in code.co_consts if not hasattr(c, "co_code")]))
        return f"{value.__qualname__} {hashlib.sha256(said.encode()).hexdigest()[:16]}"
    if callable(value) and hasattr(value, "__name__"):  # written in C, e.g. a function of numpy
        return str(value.__name__)
    return type(value).__qualname__  # nothing in it is sure to be the same twice; its values are compared
