"""What models, columns and ranges must be like, each rule a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from headgate.plan.finding import Finding, KeyPath, show
from headgate.plan.model import ColumnContract, ColumnKind, Plan

#: Headgate adds these columns to the request table.
RESERVED_COLUMNS = frozenset({"request_id", "entity", "at"})
_NUMERIC = frozenset({ColumnKind.INTEGER, ColumnKind.NUMBER})
_COUNTABLE = frozenset({ColumnKind.CATEGORY, ColumnKind.BOOLEAN, ColumnKind.INTEGER})


def incumbent_and_candidate_differ(plan: Plan) -> Iterator[Finding]:
    """Refuse to compare a model with itself: it proves nothing."""
    old, new = plan.incumbent, plan.candidate
    if (old.url, old.model, old.version) == (new.url, new.model, new.version):
        found = f"{new.model} {new.version} at {new.url} on both sides"
        todo = "change the url, the model or the version of one of them"
        yield Finding(("candidate",), "another model than the incumbent", found, todo)


def model_addresses_have_a_real_port(plan: Plan) -> Iterator[Finding]:
    """Ask for the host and port that the plane needs."""
    for side, ref in (("incumbent", plan.incumbent), ("candidate", plan.candidate)):
        try:
            parts = urlsplit(ref.url)
            usable = bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            asked = "an address with a host and a port from 1 to 65535"
            yield Finding((side, "url"), asked, show(ref.url), "correct the address")


def tables_use_one_column_for_one_thing(plan: Plan) -> Iterator[Finding]:
    """Refuse a column with two uses: an id is no time, and a label is no id."""
    requests, outcomes = plan.requests, plan.outcomes
    columns: list[tuple[KeyPath, str, tuple[str, ...]]] = [
        (("requests", "at"), requests.at, (requests.id,)),
        (("unit", "entity"), plan.unit.entity, (requests.at,)),
        (("outcomes", "label"), outcomes.label, (requests.id,)),
        (("outcomes", "known_at"), outcomes.known_at, (requests.id, outcomes.label)),
    ]
    for path, column, others in columns:
        if column in others:
            yield Finding(
                path, "a column of its own", f'"{column}", which has another use', "name the right one"
            )


def blocks_or_independence_but_not_both(plan: Plan) -> Iterator[Finding]:
    """Refuse both: independence is what replaces blocks."""
    if plan.unit.independent and plan.unit.block != "none":
        todo = "remove it, or write `block: none` if requests really share no shocks"
        yield Finding(("unit", "independent"), "independent only with `block: none`", "true", todo)


def answers_are_probabilities_or_labels(plan: Plan) -> Iterator[Finding]:
    """Keep answers within 0 to 1: losses are bounded because answers are."""
    low, high = plan.answers
    bounded = plan.prediction.kind != "number"
    if not low < high or (bounded and not 0 <= low < high <= 1):
        asked = "a range within 0 to 1, min below max" if bounded else "min below max"
        todo = "write `output: {min: 0, max: 1}` or a narrower range" if bounded else "correct the range"
        yield Finding(("output",), asked, f"{low:g} to {high:g}", todo)


def columns_ask_for_what_their_type_can_have(plan: Plan) -> Iterator[Finding]:
    """Refuse a limit on a category and a list of values for a number: something else was meant."""
    for path, rule in _columns(plan):
        given = rule.model_fields_set
        for key in ("min", "max"):
            if getattr(rule, key) is not None and rule.type not in _NUMERIC:
                yield _foreign(path, key, rule)
        if rule.values is not None and rule.type is not ColumnKind.CATEGORY:
            yield _foreign(path, "values", rule)
        if "other" in given and rule.values is None:
            asked = "`other` only beside `values`"
            yield Finding((*path, "other"), asked, rule.other, "add the values, or remove it")


def column_ranges_and_values_hold_something(plan: Plan) -> Iterator[Finding]:
    """Refuse empty ranges, which would reject every request."""
    for path, rule in _columns(plan):
        if rule.min is not None and rule.max is not None and rule.min > rule.max:
            asked = f"at most max ({rule.max:g})"
            yield Finding((*path, "min"), asked, f"{rule.min:g}", "swap or correct them")
        if rule.values is not None and (not rule.values or len(set(rule.values)) < len(rule.values)):
            twice = sorted({value for value in rule.values if rule.values.count(value) > 1})
            found = f"{', '.join(twice)} more than once" if twice else "an empty list"
            yield Finding((*path, "values"), "a list of different values", found, "correct the list")


def input_columns_have_names_of_their_own(plan: Plan) -> Iterator[Finding]:
    """Keep the names of the columns that Headgate adds."""
    for path, _ in _columns(plan):
        if path[-1] in RESERVED_COLUMNS:
            asked = f"another name than {', '.join(sorted(RESERVED_COLUMNS))}, which Headgate adds itself"
            yield Finding(path, asked, f"`{path[-1]}`", "rename the column in the request log")


def segments_split_by_columns_of_few_values(plan: Plan) -> Iterator[Finding]:
    """Split by what is known when the request is scored and has few values."""
    columns = plan.input.columns if plan.input else {}
    by = plan.segments.by if plan.segments else ()
    for i, name in enumerate(by):
        path: KeyPath = ("segments", "by", i)
        if name in by[:i]:
            yield Finding(path, "every column once", f'"{name}" again', "remove it")
        elif name in columns and columns[name].type not in _COUNTABLE:
            asked = "a column of type category, boolean or integer"
            yield Finding(path, asked, f'"{name}", a {columns[name].type}', "split by another column")


def _columns(plan: Plan) -> Iterator[tuple[KeyPath, ColumnContract]]:
    for name, rule in (plan.input.columns if plan.input else {}).items():
        yield ("input", "columns", name), rule


def _foreign(path: KeyPath, key: str, rule: ColumnContract) -> Finding:
    kinds = "category" if key == "values" else "integer or number"
    return Finding((*path, key), f"`{key}` only for type {kinds}", f"type {rule.type}", f"remove `{key}`")
