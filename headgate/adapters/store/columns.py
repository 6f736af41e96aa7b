"""Columns that refuse what would not come back as it went in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from headgate.adapters.codec import instant, stamp
from headgate.errors import InputError


class Instant(TypeDecorator[datetime]):
    """An aware UTC time: ``timestamptz`` on PostgreSQL, on SQLite text that sorts by time."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(DateTime(timezone=True) if postgres else String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times on their way in."""
        if value is None:
            return None
        text = stamp(value)
        return text if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return aware UTC, whatever zone the session reads in."""
        if value is None:
            return None
        return instant(value) if dialect.name == "sqlite" else value.astimezone(UTC)


class Line(TypeDecorator[str]):
    """Text that people typed: what no database can keep is refused as their input."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Refuse NUL and lone surrogates, which PostgreSQL cannot store."""
        if value is None:
            return None
        try:
            value.encode()
        except UnicodeEncodeError as err:
            raise InputError(f"asked text; found {value!r}, which is not Unicode: {err.reason}") from err
        if "\x00" in value:
            raise InputError(f"asked text; found {value!r} with a NUL character; leave it out")
        return value
