"""Plans, rollouts, the lease and the ledger, on a real SQLite and a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from headgate.adapters import store
from headgate.adapters.store.engine import writing
from headgate.adapters.store.schema import VERSION_TABLE
from headgate.adapters.store.tables import METADATA
from headgate.errors import IllegalTransition, InputError, StandDown, StoreError
from headgate.rollout.state import Outcome, Phase
from tests.builders import APRIL, plan
from tests.integration.stores import OPENED_BY, filled, opened, question, tick

CANDIDATE_3 = {"kind": "http", "url": "http://127.0.0.1:8102", "model": "delays", "version": "gbm-3"}


def test_the_migrations_make_exactly_the_tables_of_the_models(store_engine):
    with store_engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_connecting_again_finds_everything_where_it_was(store_engine, store_url):
    rollout = opened(store_engine)
    again = store.connect(store_url)
    assert store.get(again, rollout.id) == rollout
    assert "revision 0005" in store.describe(again)
    again.dispose()


def test_a_store_of_a_newer_headgate_is_refused(store_engine, store_url):
    with writing(store_engine) as session:
        session.connection().execute(text("UPDATE headgate_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="revision 9999, which a newer Headgate made; upgrade"):
        store.connect(store_url)


# ---------------------------------------------------------------- plans


def test_a_plan_comes_back_equal_and_saving_it_twice_keeps_one(store_engine):
    one = plan(calendar={"timezone": "America/New_York", "freeze": ["2013-11-27/2013-12-01"]})
    key = store.save_plan(store_engine, one, APRIL)
    assert store.save_plan(store_engine, one, APRIL + timedelta(days=1)) == key == one.hash
    assert store.plan_of(store_engine, key) == one


def test_one_name_may_have_many_plans(store_engine):
    keys = {store.save_plan(store_engine, plan(watch=watch), APRIL) for watch in ("1d", "2d")}
    assert len(keys) == 2


def test_an_unknown_plan_is_refused_by_its_hash(store_engine):
    with pytest.raises(InputError, match="no-such-hash"):
        store.plan_of(store_engine, "no-such-hash")


def test_a_plan_whose_text_was_altered_is_refused(store_engine):
    key = store.save_plan(store_engine, plan(), APRIL)
    with writing(store_engine) as session:
        execute = session.connection().exec_driver_sql
        if store_engine.dialect.name == "sqlite":
            execute("DROP TRIGGER keep_plan_update")
        else:
            execute('ALTER TABLE "plan" DISABLE TRIGGER keep_plan_update')
        execute("""UPDATE "plan" SET body = replace(body, '0.005', '0.5')""")
    with pytest.raises(StoreError, match="altered"):
        store.plan_of(store_engine, key)


# ---------------------------------------------------------------- rollouts and the lease


def test_the_first_rollout_takes_the_lease_and_starts_in_preflight(store_engine):
    rollout = opened(store_engine)
    assert (rollout.id, rollout.salt, rollout.attempt, rollout.token) == (
        "flights-gbm-1",
        "flights-gbm-1",
        1,
        1,
    )
    assert store.holder(store_engine, "flight-delays") == rollout
    assert store.services(store_engine) == ["flight-delays"]
    first = store.last_tick(store_engine, rollout.id)
    assert (first.tick, first.state.phase, first.at) == (0, Phase.PREFLIGHT, APRIL)
    assert "opened by operator@example.org" in first.decision.reason


def test_the_next_rollout_of_the_service_queues_and_gets_the_lease_with_a_higher_token(store_engine):
    first = opened(store_engine)
    second = opened(store_engine, candidate=CANDIDATE_3, name="other")
    assert (second.token, store.last_tick(store_engine, second.id).state.phase) == (None, Phase.QUEUED)
    assert store.promote_queue(store_engine, "flight-delays", APRIL) is None  # it is held

    store.record(store_engine, first, tick(first, phase=Phase.DONE, outcome=Outcome.REJECTED))
    assert store.holder(store_engine, "flight-delays") is None
    promoted = store.promote_queue(store_engine, "flight-delays", APRIL)
    assert (promoted.id, promoted.token, promoted.version) == (second.id, 2, second.version + 1)
    assert store.holder(store_engine, "flight-delays") == promoted
    assert store.promote_queue(store_engine, "flight-delays", APRIL) is None


def test_the_oldest_in_the_queue_is_first(store_engine):
    first = opened(store_engine)
    queued = [opened(store_engine, name=name) for name in ("zebra", "apple")]
    store.record(store_engine, first, tick(first, phase=Phase.DONE))
    assert store.promote_queue(store_engine, "flight-delays", APRIL).id == queued[0].id


def test_an_empty_queue_promotes_nobody(store_engine):
    assert store.promote_queue(store_engine, "no-such-service", APRIL) is None
    rollout = opened(store_engine)
    store.record(store_engine, rollout, tick(rollout, phase=Phase.DONE))
    assert store.promote_queue(store_engine, "flight-delays", APRIL) is None


def test_services_do_not_queue_behind_each_other(store_engine):
    opened(store_engine)
    other = opened(store_engine, service="other-service")
    assert other.token == 1
    assert other.id == "flights-gbm-2"  # ids are unique over services
    assert other.attempt == 1


def test_the_same_plan_is_not_opened_while_its_rollout_runs(store_engine):
    rollout = opened(store_engine)
    with pytest.raises(InputError, match="its rollout flights-gbm-1 is not done"):
        opened(store_engine)
    store.record(store_engine, rollout, tick(rollout, phase=Phase.DONE))
    again = opened(store_engine)
    assert (again.id, again.attempt, again.token) == ("flights-gbm-2", 2, 2)
    assert [one.id for one in store.rollouts(store_engine)] == ["flights-gbm-1", "flights-gbm-2"]
    assert store.rollouts(store_engine, "nobody") == []


def test_attempts_count_one_candidate_version_in_one_service(store_engine):
    attempts = [
        opened(store_engine).attempt,
        opened(store_engine, name="again").attempt,
        opened(store_engine, name="newer", candidate=CANDIDATE_3).attempt,
    ]
    assert attempts == [1, 2, 1]


def test_an_unknown_rollout_is_refused_and_known_ones_are_named(store_engine):
    with pytest.raises(InputError, match="nor any other"):
        store.get(store_engine, "missing-1")
    opened(store_engine)
    with pytest.raises(InputError, match=r"'missing-1'.*the last ones are flights-gbm-1"):
        store.get(store_engine, "missing-1")


def test_a_rollout_needs_somebody_who_opens_it_and_a_time_with_a_zone(store_engine):
    with pytest.raises(InputError, match="who opens"):
        store.open_rollout(store_engine, plan(), APRIL, "  ")
    with pytest.raises(InputError, match="naive 2013-04-01"):
        store.open_rollout(store_engine, plan(), datetime(2013, 4, 1), OPENED_BY)  # noqa: DTZ001 - the point
    assert store.rollouts(store_engine) == []


def test_times_come_back_in_utc_to_the_microsecond(store_engine):
    at = datetime(2013, 4, 1, 9, 30, 0, 123457, tzinfo=timezone(timedelta(hours=-4)))
    rollout = store.open_rollout(store_engine, plan(), at, OPENED_BY)
    back = store.get(store_engine, rollout.id).opened_at
    assert back == at
    assert back.tzinfo is UTC
    assert store.last_tick(store_engine, rollout.id).at == at


# ---------------------------------------------------------------- the ledger


def test_a_tick_comes_back_as_it_was_recorded(store_engine):
    rollout = opened(store_engine)
    one = replace(question(rollout), log_harm=float("-inf"), evidence_mark=7)
    after = store.record(store_engine, rollout, one)
    assert after == replace(rollout, version=rollout.version + 1)
    assert store.last_tick(store_engine, rollout.id) == one
    assert store.ticks(store_engine, rollout.id)[1:] == [one]
    assert store.owner_of(store_engine, rollout.id, 1) == "run-1"
    assert store.owner_of(store_engine, rollout.id, 2) is None
    assert store.last_tick(store_engine, "missing-1") is None


def test_another_flow_run_stands_down_from_a_tick_that_is_written(store_engine):
    rollout = opened(store_engine)
    store.record(store_engine, rollout, tick(rollout, run="run-1"))
    with pytest.raises(StandDown, match="belongs to the flow run run-1"):
        store.record(store_engine, rollout, tick(rollout, run="run-2"))
    assert store.owner_of(store_engine, rollout.id, 1) == "run-1"


def test_the_same_flow_run_again_writes_nothing(store_engine):
    rollout = opened(store_engine)
    one = tick(rollout)
    after = store.record(store_engine, rollout, one)
    later = store.record(store_engine, after, tick(after, 2, "run-2"))
    assert store.record(store_engine, rollout, replace(one, evidence_mark=9)) == later
    assert store.ticks(store_engine, rollout.id)[1] == one


def test_a_rollout_that_moved_on_is_not_written_over(store_engine):
    rollout = opened(store_engine)
    store.record(store_engine, rollout, tick(rollout))
    with pytest.raises(StandDown, match="moved on"):
        store.record(store_engine, rollout, tick(rollout, 2, "run-2"))


def test_a_tick_with_a_lost_lease_stands_down(store_engine):
    rollout = opened(store_engine)
    with writing(store_engine) as session:
        session.connection().exec_driver_sql("UPDATE lease SET holder = NULL, token = 5")
    with pytest.raises(StandDown, match="the lease of flight-delays has passed on"):
        store.record(store_engine, rollout, tick(rollout))


def test_ticks_follow_one_another_without_a_gap(store_engine):
    rollout = opened(store_engine)
    with pytest.raises(StoreError, match="the next one is 1"):
        store.record(store_engine, rollout, tick(rollout, 2))
    other = tick(replace(rollout, id="somebody-else"))
    with pytest.raises(StoreError, match="found one of somebody-else"):
        store.record(store_engine, rollout, other)


def test_done_is_done(store_engine):
    rollout = opened(store_engine)
    done = store.record(store_engine, rollout, tick(rollout, phase=Phase.DONE))
    assert done.done
    with pytest.raises(IllegalTransition, match="it is done"):
        store.record(store_engine, done, tick(rollout, 2, "run-2"))


def test_a_queued_rollout_may_only_wait_or_end(store_engine):
    opened(store_engine)
    queued = opened(store_engine, name="other")
    with pytest.raises(IllegalTransition, match="holds no lease"):
        store.record(store_engine, queued, tick(queued, phase=Phase.PREFLIGHT))
    queued = store.record(store_engine, queued, tick(queued, phase=Phase.QUEUED))
    queued = store.record(store_engine, queued, tick(queued, 2, phase=Phase.DONE, outcome=Outcome.ABORTED))
    assert queued.done
    assert store.holder(store_engine, "flight-delays").id == "flights-gbm-1"


def test_a_refused_tick_leaves_nothing_behind(store_engine):
    rollout = opened(store_engine)
    with pytest.raises(StoreError, match="no such order"):
        store.record(store_engine, rollout, tick(rollout), acted=(99,))
    assert store.get(store_engine, rollout.id) == rollout
    assert len(store.ticks(store_engine, rollout.id)) == 1


def test_the_first_confirmation_of_a_generation_stands(store_engine):
    rollout = opened(store_engine)
    first = store.confirm(store_engine, rollout.id, 2, APRIL, 500, entry=1, step=1)
    later = APRIL + timedelta(hours=1)
    assert store.confirm(store_engine, rollout.id, 2, later, 100, entry=2, step=0) == first
    before = store.confirm(store_engine, rollout.id, 1, APRIL, 0, entry=0, step=0)
    assert (first.at, first.share_bp, first.entry, first.step) == (APRIL, 500, 1, 1)
    assert store.confirmations(store_engine, rollout.id) == [before, first]
    with pytest.raises(InputError, match="missing-1"):
        store.confirm(store_engine, "missing-1", 1, APRIL, 0, entry=0, step=0)


def test_the_last_tick_is_one_step_down_an_index_however_long_the_ledger(store_engine):
    rollout = opened(store_engine)
    with writing(store_engine) as session:
        numbers = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
            "INSERT INTO ledger SELECT rollout_id, slice, i, at, 'many', phase, share_bp, move, body "
            "FROM ledger, n"
        )
        session.connection().exec_driver_sql(numbers)
    asked = (
        f"SELECT body FROM ledger WHERE rollout_id = '{rollout.id}' AND slice = 'all' "  # noqa: S608 - our own
        "ORDER BY tick DESC LIMIT 1"
    )
    explain = "EXPLAIN QUERY PLAN " if store_engine.dialect.name == "sqlite" else "EXPLAIN (ANALYZE) "
    seen = []

    from sqlalchemy import event

    @event.listens_for(store_engine, "before_cursor_execute")
    def _note(_connection, _cursor, statement, *_):
        seen.append(" ".join(statement.split()))

    assert store.last_tick(store_engine, rollout.id).state.phase is Phase.PREFLIGHT
    event.remove(store_engine, "before_cursor_execute", _note)
    ours = next(statement for statement in seen if "ledger" in statement)
    assert "ORDER BY ledger.tick DESC" in ours
    assert "LIMIT" in ours
    with store_engine.connect() as connection:
        how = "\n".join(str(tuple(row)) for row in connection.exec_driver_sql(explain + asked))
    if store_engine.dialect.name == "sqlite":
        assert "SEARCH ledger USING INDEX" in how
        assert "TEMP B-TREE" not in how
    else:
        assert "Index Scan Backward using pk_ledger" in how
        assert "rows=1" in how
        assert "Sort" not in how


# ---------------------------------------------------------------- history

HISTORY = [
    "plan", "slice", "ledger", "confirmation", "evidence", "seen", "scored_window", "approval", "button",
    "acted", "incident", "fact", "audit", "approver", "said", "signoff", "alert", "delivery",
    "monitored", "retraining", "retrained", "review_case", "review_decision", "review_window",
]  # fmt: skip


def refused(engine, statement, table):
    with pytest.raises(StoreError, match=f"{table} is history"), writing(engine) as session:
        session.connection().exec_driver_sql(statement)


def test_the_database_itself_refuses_to_rewrite_history(store_engine):
    filled(store_engine)
    for table in HISTORY:
        column = METADATA.tables[table].columns.keys()[-1]
        refused(store_engine, f'UPDATE "{table}" SET "{column}" = "{column}"', table)  # noqa: S608 - our own names
        refused(store_engine, f'DELETE FROM "{table}"', table)  # noqa: S608 - our own names


def test_what_changes_keeps_its_past_too(store_engine):
    filled(store_engine)
    for table in ("rollout", "lease", "log_cursor"):
        refused(store_engine, f"DELETE FROM {table}", table)  # noqa: S608 - our own names
    refused(store_engine, "UPDATE rollout SET plan_hash = 'another'", "rollout")
    refused(store_engine, "UPDATE lease SET token = token - 1", "lease")


def test_the_whole_of_a_table_cannot_be_thrown_away_at_once(store_engine):
    filled(store_engine)
    if store_engine.dialect.name == "postgresql":
        refused(store_engine, "TRUNCATE ledger CASCADE", "ledger")
    else:
        refused(store_engine, "REPLACE INTO ledger SELECT * FROM ledger", "ledger")


def test_every_table_is_either_protected_history_or_one_of_the_four_that_change():
    assert set(METADATA.tables) == {*HISTORY, "rollout", "lease", "log_cursor", "review_desk"}
