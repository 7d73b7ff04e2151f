"""Type hints as data: parameters of a function, their schemas, parts of a type, and what can't fit what."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a node or a worklet; `default` is `REQUIRED` where it has none."""

    name: str
    hint: Any = Any
    default: Any = REQUIRED
    keyword_only: bool = False

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Shape:
    """What a function takes and gives back. `unresolved` names hints that name nothing."""

    parameters: tuple[Parameter, ...]
    returns: Any
    signature: inspect.Signature
    unresolved: tuple[str, ...] = ()
    variadic: bool = False


def shape_of(function: Callable[..., Any], local_names: Mapping[str, Any] | None = None) -> Shape:
    """Read a function's parameters and hints; a hint that can't be resolved counts as `Any` and is listed."""
    signature = inspect.signature(function)
    hints, unresolved = _hints(function, local_names)
    parameters = []
    variadic = False
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            variadic = True
            continue
        hint = hints.get(parameter.name, Any)
        parameters.append(Parameter(parameter.name, hint, parameter.default, parameter.kind is parameter.KEYWORD_ONLY))
    return Shape(tuple(parameters), hints.get("return", Any), signature, unresolved, variadic)


def _hints(
    function: Callable[..., Any], local_names: Mapping[str, Any] | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    local = dict(local_names) if local_names else None
    try:
        return typing.get_type_hints(function, localns=local, include_extras=True), ()
    except (NameError, TypeError, AttributeError, SyntaxError):
        pass
    # One bad hint must not hide the others.
    resolved: dict[str, Any] = {}
    unresolved: list[str] = []
    for name, raw in getattr(function, "__annotations__", {}).items():
        holder = types.SimpleNamespace(__annotations__={name: raw}, __globals__=getattr(function, "__globals__", {}))
        try:
            found = typing.get_type_hints(holder, holder.__globals__, local, include_extras=True)
            resolved[name] = found[name]
        except (NameError, TypeError, AttributeError, SyntaxError):
            unresolved.append(name)
    return resolved, tuple(unresolved)


def name_of(hint: Any) -> str:
    """How a hint is written."""
    if hint is None or hint is type(None):
        return "None"
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__qualname__.rpartition("<locals>.")[2]
    return str(hint).replace("typing.", "")


# --- pydantic ---------------------------------------------------------------------------------------------


def adapter_of(hint: Any) -> TypeAdapter[Any] | None:
    """A type adapter for the hint, or None where pydantic can make none."""
    try:
        return _adapter(hint)
    except TypeError:  # an unhashable hint, such as Annotated with a list
        return _make_adapter(hint)


@lru_cache(maxsize=1024)
def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    return _make_adapter(hint)


def _make_adapter(hint: Any) -> TypeAdapter[Any] | None:
    for config in (None, ConfigDict(arbitrary_types_allowed=True)):
        try:
            return TypeAdapter(hint, config=config)
        except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError):
            continue
    return None


def schema_of(hint: Any, mode: Literal["validation", "serialization"] = "validation") -> dict[str, Any]:
    """The JSON schema of a hint; `{}` (anything) for what has none, with its name as the title."""
    if hint is Any:
        return {}
    adapter = adapter_of(hint)
    if adapter is not None:
        try:
            return adapter.json_schema(mode=mode)
        except PydanticUserError:
            pass
    return {"title": name_of(hint)}


def is_model(hint: Any) -> TypeGuard[type[BaseModel]]:
    """Whether the hint is a pydantic model class."""
    return isinstance(hint, type) and issubclass(hint, BaseModel)


# --- parts of a type --------------------------------------------------------------------------------------


class NoSuchPart(Exception):
    """A type certainly lacks the attribute or item; `known` lists the ones it has."""

    def __init__(self, known: list[str]) -> None:
        super().__init__(known)
        self.known = known


def attribute_hint(hint: Any, name: str) -> Any:
    """The hint of an attribute, `Any` if unknown. Raises NoSuchPart where the type certainly has none."""
    hint = _plain(hint)
    if not isinstance(hint, type):
        return Any
    if is_model(hint):
        field = hint.model_fields.get(name)
        if field is not None:
            return field.annotation
        if hasattr(hint, name):
            return _property_hint(hint, name)
        if hint.model_config.get("extra") == "allow" or "__getattr__" in hint.__dict__:
            return Any
        raise NoSuchPart(list(hint.model_fields))
    if dataclasses.is_dataclass(hint):
        names = {field.name for field in dataclasses.fields(hint)}
        if name in names:
            return _resolved(hint).get(name, Any)
        if hasattr(hint, name) or hasattr(hint, "__getattr__"):
            return _property_hint(hint, name)
        raise NoSuchPart(sorted(names))
    if name in getattr(hint, "_fields", ()):
        return _resolved(hint).get(name, Any)
    return Any


def item_hint(hint: Any, key: str | int) -> Any:
    """The hint of an item, `Any` if unknown. Raises NoSuchPart where the type certainly has none."""
    hint = _plain(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list and arguments and isinstance(key, int):
        return arguments[0]
    if origin is dict and len(arguments) == 2:
        return arguments[1]
    if origin is tuple and isinstance(key, int) and arguments and Ellipsis not in arguments:
        if not -len(arguments) <= key < len(arguments):
            raise NoSuchPart([str(index) for index in range(len(arguments))])
        return arguments[key]
    if typing.is_typeddict(hint):
        fields = _resolved(hint)
        if key not in fields:
            raise NoSuchPart(list(fields))
        return fields[key]
    if is_model(hint) and not hasattr(hint, "__getitem__"):
        raise NoSuchPart([])
    return Any


def _resolved(hint: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(hint)
    except (NameError, TypeError):
        return {}


def _property_hint(owner: type, name: str) -> Any:
    member = getattr(owner, name, None)
    getter = member.fget if isinstance(member, property) else getattr(member, "func", None)
    return _resolved(getter).get("return", Any) if getter is not None else Any


# --- what can't fit ---------------------------------------------------------------------------------------

_NUMBERS: dict[Any, tuple[Any, ...]] = {int: (float, complex), float: (complex,), bool: (int, float, complex)}


def cannot_fit(given: Any, wanted: Any) -> bool:
    """Whether a value of the hint `given` certainly is not of the hint `wanted`. In doubt it fits."""
    givens, wanteds = _members(given), _members(wanted)
    return all(_pair_cannot_fit(one, other) for one in givens for other in wanteds)


def _pair_cannot_fit(given: Any, wanted: Any) -> bool:
    given_class, wanted_class = _class(given), _class(wanted)
    if given_class is None or wanted_class is None or object in (given_class, wanted_class):
        return False
    if wanted_class in _NUMBERS.get(given_class, ()):
        return False
    if getattr(wanted_class, "_is_protocol", False) or getattr(given_class, "_is_protocol", False):
        return False
    try:
        related = issubclass(given_class, wanted_class) or issubclass(wanted_class, given_class)
    except TypeError:
        return False
    if not related:
        return True
    return _arguments_cannot_fit(given, wanted) if given_class is wanted_class else False


def _arguments_cannot_fit(given: Any, wanted: Any) -> bool:
    mine, theirs = typing.get_args(given), typing.get_args(wanted)
    if typing.get_origin(given) not in (list, set, frozenset, dict) or len(mine) != len(theirs):
        return False
    return any(cannot_fit(one, other) for one, other in zip(mine, theirs, strict=True))


def _class(hint: Any) -> type | None:
    """The class behind a hint, or None if there is no single one."""
    if hint is Any:  # a class, since Python 3.11
        return None
    if hint is None:
        return type(None)
    if typing.is_typeddict(hint):
        return dict
    origin = typing.get_origin(hint)
    if origin is Literal:
        kinds = {type(value) for value in typing.get_args(hint)}
        return kinds.pop() if len(kinds) == 1 else None
    candidate = origin if origin is not None else hint
    return candidate if isinstance(candidate, type) else None


def _members(hint: Any) -> list[Any]:
    hint = _plain(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [member for argument in typing.get_args(hint) for member in _members(argument)]
    return [hint]


def _plain(hint: Any) -> Any:
    """The hint without Annotated and NewType; of `X | None`, itself."""
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        else:
            return hint
