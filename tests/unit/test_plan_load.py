"""Reading a plan: what is accepted, and what an author sees when it is not."""

import pytest

from headgate.errors import PlanError
from headgate.plan import explain, load_plan, parse_plan

GOOD = """\
version: 1
name: flights-gbm
service: flight-delays
owner: {name: Owner of flight delays, contact: owner@example.org}
author: ml-engineer@example.org
incumbent: {kind: http, url: "http://127.0.0.1:8101", model: delays, version: logistic-1}
candidate: {kind: http, url: "http://127.0.0.1:8102", model: delays, version: gbm-2}
requests: {path: lake/requests, at: scored_at}
unit: {entity: tailnum}
outcomes: {path: lake/outcomes, label: late, known_at: known_at, maturity: 2d}
prediction: {kind: probability}
gates:
  - {name: quality, metric: brier, margin: 0.005}
steps:
  - {percent: 0, dwell: 14d}
  - {percent: 100}
"""


def problems(text):
    with pytest.raises(PlanError) as caught:
        parse_plan(text, "plan.yaml")
    return caught.value.problems


def only_problem(text):
    (problem,) = problems(text)
    return problem


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_plan_loads_from_a_file_with_every_default_spelled_out(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(GOOD, encoding="utf-8")
    plan = load_plan(path)
    assert plan.canonical()["unit"] == {
        "entity": "tailnum", "block": "1d", "block_bound": None, "independent": False
    }  # fmt: skip


def test_layout_comments_and_order_of_keys_do_not_change_the_hash():
    lines = GOOD.splitlines(keepends=True)
    reordered = "# a comment\n" + "".join(lines[1:11] + lines[:1] + lines[11:])
    assert parse_plan(reordered, "a").hash == parse_plan(GOOD, "b").hash


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_plan(path) == parse_plan(GOOD, "plan.yaml")


def test_all_errors_are_told_at_once_in_the_order_of_lines():
    text = (
        GOOD.replace("name: flights-gbm", "name: Flights GBM")
        .replace("author: ml-engineer@example.org", "author: x")
        .replace("margin: 0.005", "margin: 0.5, margn: 1")
        .replace("percent: 100", "percent: 50")
    )
    assert [(p.line, p.where) for p in problems(text)] == [
        (2, "name"),
        (5, "author"),
        (13, "gates[0].margn"),
        (13, "gates[0].margin"),
        (16, "steps[1].percent"),
    ]


def test_explain_shows_place_and_what_was_asked_found_and_to_do():
    with pytest.raises(PlanError) as caught:
        parse_plan(changed("margin: 0.005", "margin: 0.5"), "plan.yaml")
    assert explain(caught.value) == (
        "plan.yaml:13  gates[0].margin\n"
        "    asked  a number below unit.block_bound, by default 0.2 x the largest loss (0.2)\n"
        "    found  0.5\n"
        "    to do  lower the margin or raise the bound\n"
        "\n"
        "1 problem in plan.yaml. Nothing was started."
    )


def test_no_message_of_the_validation_library_reaches_the_author():
    text = "version: '1'\nname: [x]\ngates: 3\nsteps: [{percent: x}]\nwatch: ~\nfoo: 1\nunit: {block: []}\n"
    with pytest.raises(PlanError) as caught:
        parse_plan(text, "plan.yaml")
    said = explain(caught.value).lower()
    assert not any(
        word in said for word in ("pydantic", "input should", "extra inputs", "field required", "_type")
    )


def test_a_broken_part_does_not_make_rules_complain_about_what_nobody_wrote():
    text = changed("{percent: 100}", "{percent: all}") + "deadline: {step: 1d, rollout: 240d}\n"
    assert [p.where for p in problems(text)] == ["steps[1].percent"]


def test_a_missing_key_is_told_on_the_line_of_its_parent():
    problem = only_problem(changed("unit: {entity: tailnum}", "unit:\n  block: 1d"))
    assert (problem.line, problem.where, problem.todo) == (9, "unit.entity", "add `entity: tailnum`")


def test_a_misspelled_key_is_told_once_even_where_the_right_one_is_required():
    problem = only_problem(changed("author:", "auther:"))
    assert (problem.line, problem.found, problem.todo) == (5, "`auther`", "did you mean `author`?")


def test_a_key_like_no_other_is_answered_with_the_keys_there_are():
    problem = only_problem(changed("entity: tailnum", "entity: tailnum, colour: red"))
    assert problem.asked == "one of the keys entity, block, block_bound, independent"
    assert problem.todo == "remove it"


def test_the_python_name_of_a_key_is_no_key():
    assert only_problem(changed("margin: 0.005", "margin: 0.005, from_: 5")).todo == "did you mean `from`?"


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('kind: http, url: "http://127.0.0.1:8101", model: delays', "kind: recorded", "incumbent.kind"),
    ],
)
def test_what_belongs_to_the_schema_but_not_to_this_version_is_refused_by_name(old, new, where):
    problem = only_problem(changed(old, new))
    assert problem.where == where
    assert "which comes later" in problem.found
    assert "must not promise" in problem.todo


@pytest.mark.parametrize(
    ("old", "new", "asked", "todo"),
    [
        ("version: 1\n", "version: 2\n", "1", "write 1"),
        (
            "maturity: 2d",
            "maturity: 2",
            "a duration like 90s, 15m, 4h or 7d",
            "write number and unit, e.g. 4h",
        ),
        (
            "maturity: 2d",
            "maturity: -2d",
            "a duration like 90s, 15m, 4h or 7d",
            "write number and unit, e.g. 4h",
        ),
        ("maturity: 2d", "maturity: 0.5ms", "a duration in whole milliseconds", "change it"),
        ("maturity: 2d", "maturity: 9999999999999999d", "a duration of at most 36500d", "change it"),
        (
            "entity: tailnum",
            "entity: tailnum, block: daily",
            "a duration like 1d, or none",
            "write one of them",
        ),
        ("version: gbm-2", "version: 1.10", "text", 'put it in quotes: "1.1"'),
        ("margin: 0.005", "margin: '0.005'", "a number", "write it without quotes: 0.005"),
        ("margin: 0.005", "margin: .nan", "a finite number", "write a finite number"),
        ("margin: 0.005", "margin: -.inf", "a finite number", "write a finite number"),
        ("margin: 0.005", "margin: 0.005, min_samples: true", "a whole number", "write a whole number"),
        ("percent: 100", "percent: 101", "a number of at most 100", "change `percent`"),
        ("metric: brier", "metric: brie", None, "did you mean brier?"),
        ("gates:\n  -", "gates:\n   ", "a list", "write `gates` as a list: [ … ]"),
        (
            "version: 1\n",
            "version: 1\nserving: {retry: {jitter: yes}}\n",
            "true or false",
            "write true",
        ),
    ],
)
def test_a_wrong_value_is_answered_with_what_to_write(old, new, asked, todo):
    problem = only_problem(changed(old, new))
    assert problem.todo == todo
    assert asked in (None, problem.asked)


def test_words_that_yaml_once_took_for_booleans_and_times_stay_words():
    text = GOOD + "input: {columns: {carrier: {type: category, values: [NO, ON, Y, 1:30, 2013-01-01]}}}\n"
    plan = parse_plan(text, "plan.yaml")
    assert plan.input.columns["carrier"].values == ("NO", "ON", "Y", "1:30", "2013-01-01")


def test_a_key_given_twice_is_refused_with_both_lines():
    problem = only_problem(changed("version: 1\n", "version: 1\nversion: 1\n"))
    assert (problem.line, problem.found) == (2, "`version` again; it already stands on line 1")


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("", 1, "nothing"),
        ("# only a comment\n", 1, "nothing"),
        ("- a\n- b\n", 1, "a list of 2"),
        ("name: x\nunit:\n\tentity: y\n", 3, "a tab"),
        ("name: x\nowner: {name: y\nauthor: z", 3, None),
        ("name: a: b\n", 1, None),
        ("a: 1\nb: \x07\n", 2, "the character U+0007"),
        ("a: 1\n---\nb: 2\n", 2, None),
        ("[" * 1500, 1, "brackets nested without end"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused_on_its_line(text, line, found):
    problem = only_problem(text)
    assert problem.line == line
    assert found in (None, problem.found)


def test_tags_complex_keys_and_deep_nesting_are_refused():
    text = GOOD + "watch: !!python/object:os.system 1\n? [a]\n: 1\nplane: " + "[" * 30 + "]" * 30 + "\n"
    found = [p.found for p in problems(text)]
    assert "the tag !!python/object:os.system" in found
    assert "a list or mapping as a key" in found
    assert "21 levels of nesting" in found


def test_half_a_surrogate_pair_is_refused():
    assert only_problem(changed("author: ml-engineer@example.org", 'author: "who\\ud800"')).where == "author"


def test_a_file_that_is_not_utf8_is_refused_on_its_line(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"version: 1\nname: caf\xe9\n")
    with pytest.raises(PlanError, match=r"line 2: plan: asked text in UTF-8; found the byte 0xe9"):
        load_plan(path)


@pytest.mark.parametrize(("name", "found"), [("missing.yaml", "no such file"), (".", "is a directory")])
def test_a_file_that_cannot_be_read_is_an_error_of_the_plan(tmp_path, name, found):
    with pytest.raises(PlanError, match=found):
        load_plan(tmp_path / name)


def test_a_question_about_history_leaves_aside_what_comes_later_and_says_so():
    text = GOOD.replace(
        'kind: http, url: "http://127.0.0.1:8101", model: delays', "kind: recorded, column: decision"
    )
    said = []
    plan = parse_plan(text, "plan.yaml", leave_aside=said.append)
    assert plan.incumbent.model == "recorded"
    assert sorted(line.split("`")[1] for line in said) == ["incumbent.column", 'incumbent.kind: "recorded"']


def test_what_is_wrong_is_refused_for_history_too():
    with pytest.raises(PlanError, match="did you mean"):
        parse_plan(GOOD + "watchh: 1d\n", "plan.yaml", leave_aside=lambda _: None)


def test_an_alias_stands_for_its_value():
    text = GOOD.replace("steps:", "steps: &ramp", 1)
    assert parse_plan(text, "plan.yaml").hash == parse_plan(GOOD, "plan.yaml").hash
    sliced = text.replace(
        "steps: &ramp", "slices:\n  - name: a\n    where: x == 1\n    steps: &ramp"
    ).replace("\n  - {percent", "\n      - {percent")
    sliced += "  - {name: b, where: x == 2, steps: *ramp}\n"
    plan = parse_plan(sliced, "plan.yaml")
    assert plan.slices[0].steps == plan.slices[1].steps


def test_aliases_of_aliases_end_before_the_memory_does():
    rows = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    told = problems("\n".join(rows) + "\n")
    assert [p for p in told if "more than 10,000 values" in p.found]
