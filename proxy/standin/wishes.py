"""Checks a request's fields as Ollama does and says what is wrong in its words. Pure.

`RefusedError(early=True)` are the complaints of the /v1 layer, the others come from the model's handler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.standin.call import RefusedError, SignInError
from proxy.standin.gojson import DecodeError

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.model import Model

EFFORTS_NEW = ("minimal", "low", "medium", "high", "xhigh", "ultra", "max", "none")
EFFORTS_OLD = ("high", "medium", "low", "max", "none")

# Go's type of each field that Ollama reads, by the name of the struct that it is read into.
_FIELDS: dict[str, str] = {
    "model": "string", "stream": "bool", "temperature": "float64", "top_p": "float64", "max_tokens": "int",
    "seed": "int", "frequency_penalty": "float64", "presence_penalty": "float64", "messages": "[]openai.Message",
}  # fmt: skip
_FITS: dict[str, tuple[type, ...]] = {
    "string": (str,), "bool": (bool,), "float64": (int, float), "int": (int,), "[]openai.Message": (list,),
}  # fmt: skip


def _go_kind(value: Any) -> str:
    kinds = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "value")


async def read(call: Call, struct: str, *, early: bool = True) -> dict[str, Any]:
    """The request's JSON object. struct: as Go names it, for the complaint. Raises RefusedError(400)."""
    try:
        asked = await call.json()
    except DecodeError as error:
        message = str(error)
        raise RefusedError(
            400, "missing request body" if message == "EOF" and not early else message, early=early
        ) from None
    if asked is None:
        asked = {}
    if not isinstance(asked, dict):
        raise RefusedError(400, f"json: cannot unmarshal {_go_kind(asked)} into Go value of type {struct}", early=early)
    short = struct.rpartition(".")[2]
    for name, go_type in _FIELDS.items():
        value = asked.get(name)
        wrong_bool = isinstance(value, bool) and go_type != "bool"
        if value is not None and (wrong_bool or not isinstance(value, _FITS[go_type])):
            raise RefusedError(
                400,
                f"json: cannot unmarshal {_go_kind(value)} into Go struct field {short}.{name} of type {go_type}",
                early=early,
            )
    call.model = str(asked.get("model") or "") or None
    if call.fault.kind == "reject-stream-options" and "stream_options" in asked:
        raise RefusedError(400, "unknown field: stream_options", early=early)
    return asked


def include_usage(asked: dict[str, Any]) -> bool:
    options = asked.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def whole(value: Any) -> int | None:
    """`value` if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(value: Any) -> dict[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def stops(value: Any) -> list[str]:
    """`stop` as a list, whether one text or several were given."""
    if isinstance(value, str):
        return [value]
    return [stop for stop in value if isinstance(stop, str)] if isinstance(value, list) else []


def tools_of(asked: dict[str, Any]) -> list[Any]:
    tools = asked.get("tools")
    return tools if isinstance(tools, list) else []


def effort(asked: dict[str, Any], *, old: bool) -> bool | None:
    """Whether to think: None = the model's default. Raises RefusedError(400) for an effort that there is not."""
    nested = asked.get("reasoning")
    value = nested.get("effort") if isinstance(nested, dict) else None
    value = value or asked.get("reasoning_effort")
    if not value:
        return None
    if old and value not in EFFORTS_OLD:
        raise RefusedError(400, _bad_effort(f"'{value}'", EFFORTS_OLD), early=True)
    if value not in EFFORTS_NEW:
        raise RefusedError(400, _bad_effort(f'"{value}"', EFFORTS_NEW), early=True)
    return bool(value != "none")


def _bad_effort(shown: str, allowed: tuple[str, ...]) -> str:
    quoted = [f'"{name}"' for name in allowed]
    return f"invalid reasoning value: {shown} (must be {', '.join(quoted[:-1])}, or {quoted[-1]})"


def chatting_model(call: Call, name: str, *, tools: list[Any], think: bool | None, what: str = "chat") -> Model:
    """The model of that name, able to do what is asked. Raises RefusedError."""
    if not name and what == "chat":
        raise RefusedError(400, "model is required")
    if name.lower().endswith((":cloud", "-cloud")):
        raise SignInError(name)
    model = call.stand_in.catalog.find(name)
    if model is None:
        raise RefusedError(404, f"model '{name}' not found")
    if not model.chats:
        raise RefusedError(400, f'"{name}" does not support {what}')
    if tools and "tools" not in model.capabilities:
        raise RefusedError(400, f"registry.ollama.ai/library/{model.name} does not support tools")
    if think and "thinking" not in model.capabilities:
        raise RefusedError(400, f'"{name}" does not support thinking')
    return model


def last_is_tool(messages: list[Any]) -> bool:
    return bool(messages) and isinstance(messages[-1], dict) and messages[-1].get("role") == "tool"
