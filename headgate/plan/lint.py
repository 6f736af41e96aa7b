"""The rules a whole plan must keep, beyond the form of its single keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from headgate.plan import capacity_rules as capacity
from headgate.plan import data_rules as data
from headgate.plan import duty_rules as duties
from headgate.plan import gate_rules as gates
from headgate.plan import guard_rules as guard
from headgate.plan import margin_rules as margins
from headgate.plan import parity_rules as parity
from headgate.plan import planes
from headgate.plan import ramp_rules as ramp
from headgate.plan import renewal_rules as renewal
from headgate.plan import review_rules as review
from headgate.plan import slice_rules as slices
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
    _rule(ramp.steps_or_slices_but_not_both, "steps", "slices"),
    _rule(ramp.the_first_step_is_shadow, "steps", "slices"),
    _rule(ramp.the_last_step_is_all_traffic, "steps", "slices", "outcomes"),
    _rule(ramp.steps_climb, "steps", "slices"),
    _rule(ramp.the_first_step_asks_nobody, "steps", "slices"),
    _rule(ramp.shares_are_whole_basis_points, "steps", "slices", "gates", "outcomes"),
    _rule(ramp.every_step_has_an_applicable_guardrail, "steps", "slices", "gates", "outcomes"),
    _rule(ramp.an_approval_can_be_given, "steps", "slices"),
    _rule(ramp.a_step_can_end_before_its_deadline, "steps", "slices", "deadline"),
    _rule(ramp.the_rollout_can_end_before_its_deadline, "steps", "slices", "watch", "deadline"),
    _rule(ramp.blocks_and_patience_are_above_zero, "serving", "unit"),
    _rule(guard.the_incumbent_stands_in_first, "serving"),
    _rule(guard.nobody_stands_in_twice, "serving"),
    _rule(guard.a_safe_default_comes_last_and_is_an_answer, "serving", "output", "prediction"),
    _rule(guard.what_an_unsure_answer_needs_is_there, "serving"),
    _rule(guard.limits_are_over_some_time, "serving"),
    _rule(guard.what_is_told_about_an_input_is_not_fed_to_models, "input"),
    _rule(guard.freshness_takes_time, "input"),
    _rule(guard.terms_become_words_of_the_contract, "input"),
    _rule(guard.what_is_masked_is_a_column, "input"),
    _rule(planes.what_is_measured_on_a_mirror_has_one, "plane", "gates"),
    _rule(ramp.the_calendar_can_be_read, "calendar"),
    _rule(gates.gate_names_are_unique, "gates"),
    _rule(gates.gates_have_the_keys_their_metric_needs, "gates", "outcomes"),
    _rule(gates.gates_have_no_keys_of_other_metrics, "gates"),
    _rule(gates.only_paired_gates_carry_evidence, "gates", "outcomes"),
    _rule(gates.metrics_suit_the_kind_of_prediction, "gates", "prediction"),
    _rule(gates.calibration_only_tells, "gates"),
    _rule(gates.a_rare_event_has_a_ratio_or_a_margin, "gates", "outcomes", "segments"),
    _rule(gates.a_payoff_has_no_cap, "gates"),
    _rule(gates.overrides_have_a_column, "gates", "outcomes", "review"),
    _rule(gates.gates_on_two_arms_count_on_a_split, "gates", "outcomes"),
    _rule(gates.outcomes_that_depend_on_the_decision_keep_a_holdout, "steps", "slices", "outcomes"),
    _rule(margins.margins_are_within_reach_of_a_loss, "gates", "segments", "unit", "prediction", "outcomes"),
    _rule(margins.what_is_expected_is_better_than_the_margin, "gates", "segments"),
    _rule(margins.a_margin_of_zero_or_less_says_what_harm_is, "gates", "segments"),
    _rule(margins.harm_is_a_worsening, "gates", "unit", "prediction", "outcomes"),
    _rule(margins.expect_is_within_reach_of_a_loss, "gates", "unit", "prediction", "outcomes"),
    _rule(margins.what_a_rate_expects_is_below_its_ceiling, "gates"),
    _rule(gates.latency_quantiles_can_be_measured, "gates"),
    _rule(gates.what_latency_tolerates_is_below_its_ratio, "gates"),
    _rule(gates.latency_is_measured_where_it_can_be, "gates"),
    _rule(gates.every_gate_counts_on_some_step, "gates", "steps", "slices", "outcomes"),
    _rule(gates.segments_name_paired_gates, "gates", "segments", "outcomes"),
    _rule(data.incumbent_and_candidate_differ, "incumbent", "candidate"),
    _rule(data.model_addresses_have_a_real_port, "incumbent", "candidate"),
    _rule(data.tables_use_one_column_for_one_thing, "requests", "unit", "outcomes"),
    _rule(data.blocks_or_independence_but_not_both, "unit"),
    _rule(data.answers_are_probabilities_or_labels, "output", "prediction"),
    _rule(data.columns_ask_for_what_their_type_can_have, "input"),
    _rule(data.column_ranges_and_values_hold_something, "input"),
    _rule(data.input_columns_have_names_of_their_own, "input"),
    _rule(data.segments_split_by_columns_of_few_values, "input", "segments"),
    _rule(slices.slice_names_are_unique, "slices"),
    _rule(slices.slices_can_be_read, "slices"),
    _rule(slices.slices_compare_columns_with_what_they_hold, "slices", "input"),
    _rule(slices.slices_share_no_requests, "slices"),
    _rule(duties.sign_off_roles_are_unique, "signoffs"),
    _rule(duties.signatures_hold_for_a_time, "signoffs", "questionnaire"),
    _rule(duties.escalation_goes_up_in_time, "escalation"),
    _rule(duties.messages_go_where_they_can_be_sent, "notify"),
    _rule(renewal.a_drift_that_retrains_has_a_trainer, "drift", "retrain"),
    _rule(renewal.watching_and_training_take_time, "drift", "retrain"),
    _rule(renewal.held_out_time_is_a_part_of_the_window, "retrain", "unit"),
    _rule(renewal.a_new_version_has_an_address_of_its_own, "retrain"),
    _rule(renewal.what_is_left_out_can_be_read, "retrain"),
    _rule(renewal.a_new_model_is_held_against_outcomes, "retrain", "gates"),
    _rule(capacity.a_load_test_takes_a_moment_and_holds_for_a_time, "load"),
    _rule(capacity.a_late_answer_is_no_answer, "load", "serving"),
    _rule(capacity.a_load_test_hits_nobody_but_the_candidate, "load", "incumbent", "candidate"),
    _rule(parity.parity_is_of_some_side, "parity"),
    _rule(parity.parity_is_looked_at_now_and_then, "parity"),
    _rule(parity.every_version_has_a_record_of_its_own, "parity", "retrain"),
    _rule(review.what_is_worth_a_look_can_be_read, "review"),
    _rule(review.reviewers_have_time, "review"),
    _rule(review.disagreement_is_looked_at_more_often, "review"),
    _rule(review.numbers_do_not_disagree, "review", "prediction"),
    _rule(review.segments_to_draw_from_are_named, "review", "segments"),
)


def lint(plan: Plan, broken: Collection[str] = ()) -> tuple[Finding, ...]:
    """Return every breach of every rule that reads no broken part, in the order of the rules."""
    unreadable = frozenset(broken)
    return tuple(finding for rule in RULES if not rule.reads & unreadable for finding in rule.check(plan))
