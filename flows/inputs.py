"""What goes into a worklet and what comes out, as JSON: checked on the way in, fitted on the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json
from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

from ..connectors.errors import BadInput, Fault
from .hints import REQUIRED, Parameter, adapter_of, is_model, name_of, schema_of


class Misfit(Exception):
    """An output that doesn't fit its type or isn't JSON; the message says why."""


class InputContract:
    """Turns a request's body, or a direct call's arguments, into the values of a worklet's parameters.

    A single parameter that is a pydantic model is the body itself; else the body is an object with a field for each.

    Args:
        name: the worklet's, for the schema's title.
        parameters: the worklet's.
    """

    def __init__(self, name: str, parameters: Sequence[Parameter]) -> None:
        self.parameters = tuple(parameters)
        single = parameters[0] if len(parameters) == 1 and is_model(parameters[0].hint) else None
        self.body: str | None = single.name if single else None
        self._optional = all(not parameter.required for parameter in parameters)
        adapter = adapter_of(single.hint) if single else _object_adapter(name, parameters)
        if adapter is None:
            raise Misfit("its parameters have types of which no JSON can be read")
        self._adapter: TypeAdapter[Any] = adapter
        self._validate_json = adapter.validator.validate_json
        self.schema = self._schema(name, single)
        self._defaults = [(parameter.name, parameter.default) for parameter in parameters]

    def from_json(self, body: bytes) -> list[Any]:
        """The parameters' values from a JSON body. Raises BadInput with every fault."""
        try:
            value = self._validate_json(body)
        except ValidationError as error:
            if not body.strip():
                return self.from_object({})
            raise bad_input(error) from None
        except ValueError as error:  # a validator of the user's own
            raise BadInput(f"The input doesn't fit: {error}.") from None
        return [value] if self.body is not None else self._in_order(value)

    def from_object(self, value: Any) -> list[Any]:
        """The parameters' values from a body that is parsed already. Raises BadInput with every fault."""
        if self.body is not None and self._optional and value == {}:
            return [self.parameters[0].default]
        try:
            checked = self._adapter.validate_python(value)
        except ValidationError as error:
            raise bad_input(error) from None
        return [checked] if self.body is not None else self._in_order(checked)

    def check(self, body: bytes) -> None:
        """Raises BadInput with every fault of a body."""
        self.from_json(body)

    def from_call(self, arguments: Mapping[str, Any]) -> list[Any]:
        """The parameters' values from a call's bound arguments. Raises BadInput with every fault."""
        if self.body is None:
            return self.from_object(dict(arguments))
        return self.from_object(arguments.get(self.body, {}))

    def _in_order(self, fields: dict[str, Any]) -> list[Any]:
        return [fields.get(name, default) for name, default in self._defaults]

    def _schema(self, name: str, single: Parameter | None) -> dict[str, Any]:
        schema = self._adapter.json_schema()
        if single is None:
            schema["title"] = name
            for parameter in self.parameters:
                if parameter.default is not REQUIRED:
                    try:
                        default = _default_as_json(parameter)
                    except (PydanticSerializationError, ValueError):
                        continue
                    schema["properties"][parameter.name].setdefault("default", default)
        return schema


def default_as_json(parameter: Parameter) -> Any:
    """A parameter's default as JSON; None where it has none, or none that is JSON."""
    if parameter.required:
        return None
    try:
        return _default_as_json(parameter)
    except (PydanticSerializationError, ValueError):
        return None


def _default_as_json(parameter: Parameter) -> Any:
    """A parameter's default as JSON. Raises PydanticSerializationError, ValueError."""
    adapter = adapter_of(parameter.hint) if parameter.hint is not Any else None
    if adapter is None:
        adapter = TypeAdapter(Any)
    return adapter.dump_python(parameter.default, mode="json", warnings=False)


def _object_adapter(name: str, parameters: Sequence[Parameter]) -> TypeAdapter[Any] | None:
    fields: dict[str, Any] = {}
    for parameter in parameters:
        fields[parameter.name] = parameter.hint if parameter.required else NotRequired[parameter.hint]
    # The functional form takes any name, also ones that a pydantic model would not (`schema`, `copy`, `_x`).
    make_shape: Any = TypedDict
    shape = make_shape(f"{name}_input", fields)
    shape.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}
    return adapter_of(shape)


def bad_input(error: ValidationError) -> BadInput:
    """The error for a body that doesn't fit, with a fault for each place."""
    entries = error.errors(include_url=False, include_context=False, include_input=False)
    first = entries[0]
    if first["type"] == "json_invalid":
        return BadInput(f"The body is not valid JSON: {first['msg'].removeprefix('Invalid JSON: ')}.")
    faults = [Fault(tuple(entry["loc"]), entry["msg"], entry["type"]) for entry in entries]
    names = dict.fromkeys(".".join(map(str, fault.loc)) for fault in faults if fault.loc)
    where = f" at {', '.join(names)}" if names else ""
    return BadInput(f"The input doesn't fit{where}.", faults=faults)


class OutputContract:
    """Turns a worklet's result into JSON.

    Args:
        hint: the result's type; `Any` takes what JSON can hold, numpy values included.
    """

    def __init__(self, hint: Any) -> None:
        self.hint = hint
        self._adapter = adapter_of(hint) if hint is not Any else None
        self.schema = schema_of(hint, "serialization")
        self.has_images = _mentions_image(self.schema)
        # Encoding a picture, or walking something of unknown size, takes too long for the event loop.
        self._to_json = self._adapter.serializer.to_json if self._adapter is not None else None

    def dump(self, value: Any) -> bytes:
        """The JSON of a result. Raises Misfit."""
        if self._to_json is None or self._adapter is None:
            return _dump_any(value)
        try:
            return self._to_json(value, warnings="error", fallback=_plain)
        except (PydanticSerializationError, ValueError, TypeError):
            pass
        # It isn't of its type as it stands (a mapping for a model, an array for a list): fit it, or say why not.
        try:
            return self._to_json(self.fitted(value), warnings="error", fallback=_plain)
        except (PydanticSerializationError, ValueError, TypeError) as error:
            raise Misfit(f"it can't be written as JSON: {error}") from None

    def fitted(self, value: Any) -> Any:
        """The value as its type. Raises Misfit."""
        assert self._adapter is not None
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            first_error = error
        try:
            return self._adapter.validate_python(_plain(value))
        except (ValidationError, TypeError):
            first = first_error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            found = f"{place}: {first['msg']}" if place else first["msg"]
            raise Misfit(f"it is a {type(value).__name__} and doesn't fit {name_of(self.hint)}: {found}") from None


def _dump_any(value: Any) -> bytes:
    try:
        return to_json(value, inf_nan_mode="null", fallback=_plain)
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise Misfit(f"it can't be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    """Numpy and pandas values, and types that know their own schema, as what JSON can hold. Raises TypeError."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict(orient="records")
    if hasattr(type(value), "__get_pydantic_core_schema__"):
        adapter = adapter_of(type(value))
        if adapter is not None:
            return adapter.dump_python(value, mode="json")
    raise TypeError(f"a {type(value).__name__} is not JSON")


def as_json_bytes(value: Any) -> bytes:
    """A value as JSON. Raises Misfit."""
    return _dump_any(value)


def as_json_data(value: Any) -> Any:
    """A value as plain JSON data (mappings, lists, text, numbers). Raises Misfit."""
    from pydantic_core import from_json

    return from_json(_dump_any(value))


def _mentions_image(schema: Any) -> bool:
    if isinstance(schema, dict):
        return schema.get("format") == "image" or any(_mentions_image(part) for part in schema.values())
    return isinstance(schema, list) and any(_mentions_image(part) for part in schema)
