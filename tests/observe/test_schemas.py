"""Arguments against schemas: as jsonschema judges them, and bounded whatever a schema asks for."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.observe.schemas import Schemas
from proxy.wire.transcript import OfferedTool


def fits(schema: Any, arguments: Any) -> bool | None:
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return Schemas().fits(b"hash", [OfferedTool("f", schema)], "f", text)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "object", "required": ["a"]}, {"a": 1}, {}),
        ({"properties": {"a": {"enum": ["x", "y"]}}, "additionalProperties": False}, {"a": "x"}, {"a": "z"}),
        ({"properties": {"a": {"anyOf": [{"type": "null"}, {"type": "integer"}]}}}, {"a": None}, {"a": "1"}),
        ({"$defs": {"n": {"minimum": 3}}, "properties": {"a": {"$ref": "#/$defs/n"}}}, {"a": 3}, {"a": 2}),
        ({"properties": {"a": {"items": {"type": "string"}, "uniqueItems": True}}}, {"a": ["x"]}, {"a": ["x", "x"]}),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "properties": {"a": {"items": [{"type": "string"}]}},
            },
            {"a": ["x", 1]},
            {"a": [1]},
        ),
    ],
)
def test_what_schemas_say(schema: Any, good: Any, bad: Any) -> None:
    assert fits(schema, good) is True
    assert fits(schema, bad) is False


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#"},
        {"properties": {"a": {"items": [1, 2]}}},
        {"required": 3},
        {"properties": 7},
    ],
)
def test_a_schema_that_cannot_be_read_judges_nothing(schema: Any) -> None:
    assert fits(schema, {"a": [1]}) is None


def test_patterns_are_not_tried() -> None:
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}, "patternProperties": {"^(b+)+$": {"type": "string"}}}

    assert fits(schema, {"a": "a" * 40 + "!", "b" * 40 + "!": 1}) is True


def test_no_schema_takes_long() -> None:
    doubling = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    bombs: list[Any] = [
        ({"$defs": {**doubling, "d40": {}}, "$ref": "#/$defs/d0"}, {}),
        ({"items": {"items": {"items": {"type": "object"}}}}, [[[{}] * 100] * 100] * 10),
        ({"uniqueItems": True}, [{"n": n} for n in range(20_000)]),
    ]
    began = time.thread_time()

    for schema, arguments in bombs:
        fits(schema, arguments)

    assert time.thread_time() - began < 30


def test_arguments_nested_too_deep_are_not_judged_or_wrong() -> None:
    assert fits({"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}, "[" * 900 + "]" * 900) is None
    assert fits({"type": "object"}, "[" * 100_000) is False


def test_the_sets_kept_are_bounded() -> None:
    schemas = Schemas()
    for number in range(1000):
        schemas.fits(str(number).encode(), [OfferedTool("f", {})], "f", "{}")

    assert len(schemas._sets) == 256


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = st.recursive(
    st.sampled_from([{}, True, {"type": "string"}, {"type": ["integer", "null"]}, {"const": "a"}, {"minLength": 2}]),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string"]),
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "additionalProperties": st.booleans(),
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "uniqueItems": st.booleans(),
        },
    ),
    max_leaves=5,
).filter(lambda schema: isinstance(schema, dict))


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, JSON)
def test_as_the_package_judges(schema: Any, value: Any) -> None:
    assert fits(schema, orjson.dumps(value).decode()) == jsonschema.Draft202012Validator(schema).is_valid(value)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "items", "$ref", "properties", "enum", "if", "contains"]), JSON), JSON)
def test_foreign_schemas_raise_nothing(schema: Any, value: Any) -> None:
    assert fits(schema, orjson.dumps(value).decode()) in (True, False, None)


def test_of_a_custom_tools_text_only_the_name_is_judged() -> None:
    schemas, tools = Schemas(), [OfferedTool("sql", None)]

    assert schemas.fits(b"hash", tools, "sql", None) is None
    assert schemas.fits(b"hash", tools, "other", None) is False
