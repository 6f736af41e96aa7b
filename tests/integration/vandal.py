"""Somebody who rewrites a store's history with all that SQLite lets them do."""

# ruff: noqa: S608 - names of our own tables

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import asdict

from sqlalchemy import StaticPool, create_engine, event

from headgate.adapters.store import audit
from headgate.adapters.store.history import BULK, SINGLE, columns_of
from headgate.audit import GENESIS, Head, Tampering, digest_of, link

TABLES = (*SINGLE, BULK)


def without_triggers(path):
    """Let the store's own guards go."""
    with closing(sqlite3.connect(path)) as connection:
        guards = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        connection.executescript(";".join(f"DROP TRIGGER {name}" for (name,) in guards))


def opened_to_tamper(path):
    """An engine that does not wait for the disk."""
    engine = create_engine(f"sqlite:///{path}", poolclass=StaticPool)
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    return engine


class Vandal:
    """Works on a store without triggers; a trick returns the names of which one must fall."""

    def __init__(self, engine, seed):
        self.engine, self.dice = engine, random.Random(seed)

    def all(self, query, *values):
        with self.engine.begin() as connection:
            return connection.exec_driver_sql(query, values).all()

    def do(self, query, *values):
        with self.engine.begin() as connection:
            return connection.exec_driver_sql(query, values).rowcount

    def edit_a_row(self):
        table, rowid = self._row()
        column = self.dice.choice(columns_of(table))
        ((old,),) = self.all(f'SELECT "{column}" FROM "{table}" WHERE rowid = ?', rowid)
        self.do(f'UPDATE OR IGNORE "{table}" SET "{column}" = ? WHERE rowid = ?', self._other(old), rowid)
        return {Tampering.ROW_EDITED, Tampering.ROW_REMOVED}

    def delete_a_row(self):
        table, rowid = self._row()
        self.do(f'DELETE FROM "{table}" WHERE rowid = ?', rowid)
        return {Tampering.ROW_REMOVED, Tampering.ROW_EDITED}  # of evidence one of several

    def insert_a_row(self):
        table, rowid = self._row()
        columns = [name for (_, name, *_) in self.all(f'PRAGMA table_info("{table}")')]
        ((*row,),) = self.all(f'SELECT * FROM "{table}" WHERE rowid = ?', rowid)
        row = [
            self._next(table, "seq") if name == "seq" else self._other(value)
            for name, value in zip(columns, row, strict=True)
        ]
        self.do(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', *row)
        return {Tampering.ROW_ADDED}

    def swap_two_rows_of_evidence(self):
        one, two = self.dice.sample([i for (i,) in self.all("SELECT id FROM evidence")], 2)
        self.do("UPDATE evidence SET id = -id WHERE id IN (?, ?)", one, two)
        self.do("UPDATE evidence SET id = ? WHERE id = ?", two, -one)
        self.do("UPDATE evidence SET id = ? WHERE id = ?", one, -two)
        return {Tampering.ROW_EDITED}

    def edit_a_line(self):
        column = self.dice.choice(["seq", "at", "kind", "rollout_id", "row_key", "digest", "prev", "hash"])
        seq = self._line()
        ((old,),) = self.all(f"SELECT {column} FROM audit WHERE seq = ?", seq)
        self.do(f"UPDATE audit SET {column} = ? WHERE seq = ?", self._other(old), seq)
        return {Tampering.LINE_EDITED}

    def delete_a_line(self):
        self.do("DELETE FROM audit WHERE seq = ?", self._line())
        return {Tampering.LINE_REMOVED, Tampering.CUT_OFF}

    def swap_two_lines(self):
        one, two = self.dice.sample(range(1, self._next("audit", "seq")), 2)
        self.do("UPDATE audit SET seq = -seq WHERE seq IN (?, ?)", one, two)
        self.do("UPDATE audit SET seq = ? WHERE seq = ?", two, -one)
        self.do("UPDATE audit SET seq = ? WHERE seq = ?", one, -two)
        return {Tampering.REORDERED}

    def cut_off_the_end_of_both(self):
        lines = self._lines()
        for line in lines[-self.dice.randint(1, 8) :]:
            self._remove(line)
        return {Tampering.CUT_OFF}

    def edit_a_row_and_hash_all_anew(self):
        lines = self._lines()
        table, rowid = self._row(but="slice")  # which is nothing but its key
        column = next(
            c for c in reversed(columns_of(table)) if c not in ("rollout_id", "slice", "name", "at")
        )
        ((old,),) = self.all(f'SELECT "{column}" FROM "{table}" WHERE rowid = ?', rowid)
        self.do(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', self._other(old), rowid)
        self._hash_anew(lines)
        return {Tampering.REHASHED}

    def remove_a_row_with_its_line_and_hash_all_anew(self):
        lines = self._lines()
        gone = self.dice.choice(lines)
        self._remove(gone)
        self._hash_anew([line for line in lines if line != gone])
        return {Tampering.CUT_OFF, Tampering.REHASHED}

    def _row(self, but=""):
        table = self.dice.choice([table for table in TABLES if table != but])
        return table, self.dice.choice([rowid for (rowid,) in self.all(f'SELECT rowid FROM "{table}"')])

    def _other(self, old):
        if isinstance(old, int):
            return old + 1000 if old > 1 else 1 - old
        if len(old) == 27 and old.endswith("Z"):
            return "2014" + old[4:]
        return self.dice.choice([old + "x", old[:-1] + "~", old.swapcase() + " ", old.encode() or b"x"])

    def _next(self, table, column):
        return self.all(f'SELECT max({column}) + 1 FROM "{table}"')[0][0]

    def _line(self):
        return self.dice.randrange(1, self._next("audit", "seq"))

    def _lines(self):
        with self.engine.begin() as connection:
            return list(audit.lines(connection))

    def _remove(self, line):
        with self.engine.begin() as connection:
            for row in audit.rows_of_line(connection, line):
                where = " AND ".join(f'"{name}" = ?' for name in row if name != "secret")
                values = tuple(value for name, value in row.items() if name != "secret")
                assert connection.exec_driver_sql(f'DELETE FROM "{line.kind}" WHERE {where}', values).rowcount
            connection.exec_driver_sql("DELETE FROM audit WHERE seq = ?", (line.seq,))

    def _hash_anew(self, lines):
        self.do("DELETE FROM audit")
        head = Head(0, GENESIS)
        with self.engine.begin() as connection:
            for line in lines:
                rows = audit.rows_of_line(connection, line)
                new = link(head, line.at, line.kind, line.rollout_id, line.row_key, digest_of(*rows))
                values = tuple(asdict(new).values())
                connection.exec_driver_sql("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
                head = Head(new.seq, new.hash)


TRICKS = [getattr(Vandal, name) for name in vars(Vandal) if "_" in name and not name.startswith("_")]


def contents(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        return [connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in (*TABLES, "audit")]
