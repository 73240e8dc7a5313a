"""Whether arguments fit the JSON schema of a tool on offer. Schemas and arguments are foreign: both are bounded.

Each keyword that is looked at costs a step, and after STEPS the answer is "nobody knows". Not looked at: patterns (a
regular expression can take for ever), formats, `unevaluated...`, and references to other documents, which are never
fetched. jsonschema is loaded with the first tool that is called: 60 ms, 3 MB.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

import orjson

from proxy.wire.transcript import OfferedTool

STEPS: Final = 2000  # a generous call of a tool takes 50
ARGUMENT_CHARACTERS: Final = 256 * 1024
_SETS: Final = 256  # sets of tools whose schemas are kept
_UNSEEN: Final = ("pattern", "patternProperties", "format", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef")

Check = Callable[[Any], bool | None]  # arguments -> fit; None = nobody knows


class TooLongError(Exception):
    """The schema asks for more steps than we take."""


class Schemas:
    """Checks of the sets of tools seen last."""

    def __init__(self) -> None:
        self._sets: OrderedDict[bytes, dict[str, Check]] = OrderedDict()

    def fits(
        self, tools_hash: bytes, tools: Sequence[OfferedTool], name: str | None, arguments: str | None
    ) -> bool | None:
        """Whether a call of the tool `name` is one that was asked for. tools_hash: of `tools`.

        arguments: None = of a custom tool, which takes any text.

        A tool that is not on offer, and arguments that are no JSON: no. Without a schema, or with one that cannot be
        read: None.
        """
        checks = self._checks(tools_hash, tools)
        if name is None or name not in checks:
            return False if tools else None
        if arguments is None or len(arguments) > ARGUMENT_CHARACTERS:
            return None
        try:
            value = orjson.loads(arguments)
        except ValueError:
            return False
        return checks[name](value)

    def _checks(self, tools_hash: bytes, tools: Sequence[OfferedTool]) -> dict[str, Check]:
        checks = self._sets.get(tools_hash)
        if checks is None:
            checks = self._sets[tools_hash] = {tool.name: _check_of(tool.schema) for tool in tools}
            if len(self._sets) > _SETS:
                self._sets.popitem(last=False)
        else:
            self._sets.move_to_end(tools_hash)
        return checks


def _check_of(schema: dict[str, Any] | None) -> Check:
    if schema is None:
        return lambda _arguments: None
    made: list[Any] = []

    def check(arguments: Any) -> bool | None:
        if not made:
            made.append(_draft(_is_draft_7(schema))(schema, registry=_registry()))
        steps.left = STEPS
        try:
            return next(made[0].iter_errors(arguments), None) is None
        except Exception:  # whatever a foreign schema makes the package raise: its own errors, KeyError, RecursionError
            return None

    return check


class _Steps:
    left = STEPS


steps: Final = _Steps()


@cache
def _draft(draft_7: bool) -> Any:
    """The package's validator of one draft, with each keyword counted."""
    package: Any = import_module("jsonschema")
    base = package.Draft7Validator if draft_7 else package.Draft202012Validator
    seen = {name: _counted(keyword) for name, keyword in base.VALIDATORS.items()}
    return package.validators.extend(base, {**seen, **dict.fromkeys(_UNSEEN, _pass), "uniqueItems": _unique})


@cache
def _registry() -> Any:
    """Knows the drafts themselves and fetches nothing."""
    return import_module("jsonschema_specifications").REGISTRY


def _counted(keyword: Any) -> Any:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        steps.left -= 1
        if steps.left < 0:
            raise TooLongError
        yield from keyword(validator, value, instance, schema) or ()

    return counted


def _pass(*_anything: Any) -> tuple[()]:
    return ()


def _unique(_validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    """As the package's, in linear time."""
    if wanted is True and isinstance(instance, list):
        seen = {orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in instance}
        if len(seen) != len(instance):
            error: Any = import_module("jsonschema").ValidationError
            yield error("not unique")


def _is_draft_7(schema: dict[str, Any]) -> bool:
    """Whether it says so, or has the names of then (zod and older generators)."""
    said = schema.get("$schema")
    return isinstance(said, str) and ("draft-07" in said or "draft-06" in said or "draft-04" in said)
