"""The writes are worded for PostgreSQL as well, before there is one."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite

from proxy.core.call import CallRecord
from proxy.store.schema import calls
from proxy.store.statements import CALL_COLUMNS, Statements


def test_a_row_is_the_record_in_its_order():
    assert (
        tuple(name for name in CallRecord.__struct_fields__ if name not in ("tool_events", "signals")) == CALL_COLUMNS
    )


def test_optional_fields_are_optional_columns():
    optional = {"observer_errors"} | {
        field for field, default in zip(
            reversed(CallRecord.__struct_fields__), reversed(CallRecord.__struct_defaults__), strict=False
        )
        if default is None and field != "signals"  # rows of their own
    }  # fmt: skip

    assert optional == {column.name for column in calls.columns if column.nullable}


def test_both_databases_have_the_same_statements():
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        statements = vars(Statements(dialect))

        assert "ON CONFLICT (call_id) DO NOTHING" in statements["insert_calls"]._sql
        assert "DO UPDATE SET" in statements["move_positions"]._sql
        assert "DELETE FROM open_calls WHERE" in statements["delete_open"]._sql
