"""The writes are worded for PostgreSQL as well, before there is one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Dialect
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

        assert "ON CONFLICT (call_id) DO NOTHING" in statements["insert_signals"]._sql
        assert "DO UPDATE SET" in statements["move_positions"]._sql
        assert "DELETE FROM open_calls WHERE" in statements["delete_open"]._sql


class Asked:
    """A connection that keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[Any]]] = []

    def exec_driver_sql(self, sql: str, rows: list[Any]) -> SimpleNamespace:
        self.asked.append((sql, rows))
        return SimpleNamespace(rowcount=len(rows))


def row(**filled: object) -> tuple[object, ...]:
    return tuple(filled.get(name) for name in CALL_COLUMNS)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_an_insert_names_only_the_columns_that_some_row_fills(dialect: Dialect) -> None:
    connection = Asked()
    rows = [row(call_id="a", model="m"), row(call_id="b", status=0)]

    changed = Statements(dialect).insert_calls.run(connection, rows)  # type: ignore[arg-type]

    ((sql, said),) = connection.asked
    assert changed == 2
    assert "(call_id, model, status)" in sql
    assert ") ON CONFLICT (call_id) DO NOTHING" in sql
    assert [tuple(one.values()) if isinstance(one, dict) else one for one in said] == [
        ("a", "m", None),
        ("b", None, 0),
    ]


def test_wordings_of_an_insert_are_bounded() -> None:
    insert = Statements(sqlite.dialect()).insert_calls
    many = [name for name in CALL_COLUMNS if name != "call_id"]

    for name in [*many, *many]:
        insert.run(Asked(), [row(**{"call_id": "a", name: 1})])  # type: ignore[arg-type]

    assert 0 < len(insert._known) <= 64
