"""The rules a whole plan must keep, beyond the form of its single keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from headgate.plan import data_rules as data
from headgate.plan import gate_rules as gates
from headgate.plan import ramp_rules as ramp
from headgate.plan.finding import Finding
from headgate.plan.model import Plan


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, and the top-level keys it reads.

    Parameters
    ----------
    check
        Yields a finding for every breach; its name is the rule.
    reads
        While one of these keys is broken in its form the rule waits, so that it never complains
        about something the author did not write.
    """

    check: Callable[[Plan], Iterator[Finding]]
    reads: frozenset[str]


def _rule(check: Callable[[Plan], Iterator[Finding]], *reads: str) -> Rule:
    return Rule(check, frozenset(reads))


RULES: tuple[Rule, ...] = (
    _rule(ramp.the_first_step_is_shadow, "steps"),
    _rule(ramp.the_last_step_is_all_traffic, "steps"),
    _rule(ramp.steps_climb, "steps"),
    _rule(ramp.the_first_step_asks_nobody, "steps"),
    _rule(ramp.shares_are_whole_basis_points, "steps", "gates"),
    _rule(ramp.every_step_has_an_applicable_guardrail, "steps", "gates"),
    _rule(ramp.an_approval_can_be_given, "steps"),
    _rule(ramp.a_step_can_end_before_its_deadline, "steps", "deadline"),
    _rule(ramp.the_rollout_can_end_before_its_deadline, "steps", "watch", "deadline"),
    _rule(ramp.blocks_and_patience_are_above_zero, "serving", "unit"),
    _rule(ramp.the_incumbent_is_the_fallback, "serving"),
    _rule(ramp.the_calendar_can_be_read, "calendar"),
    _rule(gates.gate_names_are_unique, "gates"),
    _rule(gates.gates_have_the_keys_their_metric_needs, "gates"),
    _rule(gates.gates_have_no_keys_of_other_metrics, "gates"),
    _rule(gates.only_paired_gates_carry_evidence, "gates"),
    _rule(gates.brier_needs_probabilities, "gates", "prediction"),
    _rule(gates.margins_are_within_reach_of_a_loss, "gates", "segments", "unit"),
    _rule(gates.what_is_expected_is_better_than_the_margin, "gates", "segments"),
    _rule(gates.a_margin_of_zero_or_less_says_what_harm_is, "gates", "segments"),
    _rule(gates.harm_is_a_worsening, "gates", "unit"),
    _rule(gates.expect_is_within_reach_of_a_loss, "gates", "unit"),
    _rule(gates.latency_quantiles_can_be_measured, "gates"),
    _rule(gates.what_latency_tolerates_is_below_its_ratio, "gates"),
    _rule(gates.latency_is_measured_where_it_can_be, "gates"),
    _rule(gates.every_gate_counts_on_some_step, "gates", "steps"),
    _rule(gates.segments_name_paired_gates, "gates", "segments"),
    _rule(data.incumbent_and_candidate_differ, "incumbent", "candidate"),
    _rule(data.model_addresses_have_a_real_port, "incumbent", "candidate"),
    _rule(data.tables_use_one_column_for_one_thing, "requests", "unit", "outcomes"),
    _rule(data.blocks_or_independence_but_not_both, "unit"),
    _rule(data.answers_are_probabilities_or_labels, "output"),
    _rule(data.columns_ask_for_what_their_type_can_have, "input"),
    _rule(data.column_ranges_and_values_hold_something, "input"),
    _rule(data.input_columns_have_names_of_their_own, "input"),
    _rule(data.segments_split_by_input_columns, "input", "segments"),
)


def lint(plan: Plan, broken: Collection[str] = ()) -> tuple[Finding, ...]:
    """Return every breach of every rule that reads no broken part, in the order of the rules."""
    unreadable = frozenset(broken)
    return tuple(finding for rule in RULES if not rule.reads & unreadable for finding in rule.check(plan))
