"""Tracing: a worklet's function is called once with symbols, and every node call is noted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from .faults import DefinitionFault, Place, caller_place, definition_fault, did_you_mean
from .graph import Argument, Branch, Constant, FromNode, GraphNode, ListOf, ObjectOf, SourcePlace
from .hints import Parameter, adapter_of, cannot_fit, name_of, schema_of
from .symbols import Symbol, hint_of, reference, written

if TYPE_CHECKING:
    from .nodes import NodeDefinition

_CURRENT: ContextVar[Trace | None] = ContextVar("worklets_trace", default=None)


class NotJson(Exception):
    """A value that can't stand in a definition; the message says what was found."""


@dataclass
class Trace:
    """What has been placed so far. `definitions` has each placed node's own, by node id."""

    nodes: list[GraphNode] = field(default_factory=list)
    definitions: dict[str, NodeDefinition] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    faults: list[DefinitionFault] = field(default_factory=list)
    # The arms that the function is in right now, the innermost last.
    branches: list[Branch] = field(default_factory=list)

    @contextmanager
    def branch(self, decision: Symbol, *, arm: bool) -> Iterator[None]:
        """Nodes placed in the block stand in this arm of the decision."""
        origin = reference(decision)
        assert isinstance(origin, FromNode)
        self.branches.append(Branch(node=origin.node, arm=arm))
        try:
            yield
        finally:
            self.branches.pop()

    @contextmanager
    def active(self) -> Iterator[Trace]:
        """Note node calls in this trace for the length of the block."""
        token = _CURRENT.set(self)
        try:
            yield self
        finally:
            _CURRENT.reset(token)

    def place(self, definition: NodeDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Symbol:
        """Note a call of a node and return the symbol of its result. Faults are collected, not raised."""
        place = caller_place()
        id = self._free_id(definition.name)
        given = self._bound(definition, id, place, args, kwargs)
        arguments: dict[str, Argument] = {}
        for parameter in definition.shape.parameters:
            if parameter.name in given:
                value = given[parameter.name]
                self._check_fit(id, place, parameter, value)
                arguments[parameter.name] = self._argument(id, place, parameter.name, value)
        shape = definition.shape
        self.definitions[id] = definition
        self.places[id] = place
        self.nodes.append(
            GraphNode(
                id=id,
                kind=definition.kind,
                function=definition.path,
                arguments=arguments,
                settings=dict(definition.settings),
                retries=definition.retries,
                backoff=definition.backoff,
                timeout=definition.timeout,
                on_error=definition.on_error,
                cache=definition.cache,
                quick=definition.quick,
                when=self.branches[-1] if self.branches else None,
                input_schema=_inputs_schema(shape.parameters) if definition.function else {},
                output_schema=_output_schema(definition),
                description=definition.description,
                source=_source(definition.place or place),
            )
        )
        return Symbol(FromNode(node=id), shape.returns)

    def argument(self, value: Any, what: str) -> Argument:
        """A value of the worklet's function as an argument; a fault is collected if it can't be one."""
        return self._argument(None, caller_place(), what, value)

    def _free_id(self, name: str) -> str:
        id, count = name, 1
        while id in self.definitions:
            count += 1
            id = f"{name}_{count}"
        return id

    def _bound(
        self, definition: NodeDefinition, id: str, place: Place, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        if definition.shape.variadic:
            self._fault(
                id,
                place,
                "it takes *args or **kwargs, so its inputs can't be known.",
                "give each input a name of its own",
            )
            return {}
        try:
            return dict(definition.shape.signature.bind(*args, **kwargs).arguments)
        except TypeError:
            pass
        names = [parameter.name for parameter in definition.shape.parameters]
        takes = f"{definition.name}({', '.join(names)})"
        given = dict(zip(names, args, strict=False))
        if len(args) > len(names):
            self._fault(id, place, f"it is given {len(args)} arguments and takes {len(names)}.", f"it is {takes}")
        for name in kwargs:
            if name not in names:
                self._fault(id, place, f"it has no parameter {name!r}.", did_you_mean(name, names) or f"it is {takes}")
            elif name in given:
                self._fault(id, place, f"its parameter {name!r} is given twice.", f"it is {takes}")
        given.update({name: value for name, value in kwargs.items() if name in names})
        for parameter in definition.shape.parameters:
            if parameter.required and parameter.name not in given:
                self._fault(id, place, f"its parameter {parameter.name!r} is missing.", f"it is {takes}")
        return given

    def _check_fit(self, id: str, place: Place, parameter: Parameter, value: Any) -> None:
        if isinstance(value, Symbol):
            if cannot_fit(hint_of(value), parameter.hint):
                self._fault(
                    id,
                    place,
                    f"its parameter {parameter.name!r} is {_a(parameter.hint)}, "
                    f"and {written(value)} is {_a(hint_of(value))}.",
                    "pass another value, or put a node between that makes one from the other",
                )
            return
        if _has_symbol(value) or parameter.hint is Any:
            return
        adapter = adapter_of(parameter.hint)
        if adapter is None:
            return
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            found = f"its parameter {parameter.name!r} is {_a(parameter.hint)}, and the constant {value!r} is not"
            self._fault(id, place, f"{found}: {reason}.", None)

    def _argument(self, id: str | None, place: Place, what: str, value: Any) -> Argument:
        try:
            return as_argument(value)
        except NotJson as error:
            self._fault(
                id,
                place,
                f"{what!r} is given {error}, which can't stand in a definition.",
                "pass text, numbers, lists and mappings of them; make anything else inside a node",
            )
            return Constant(constant=None)

    def _fault(self, node: str | None, place: Place, msg: str, fix: str | None) -> None:
        self.faults.append(definition_fault(msg, fix=fix, node=node, place=place))


def current_trace() -> Trace | None:
    """The trace under way, if a worklet is being defined right now."""
    return _CURRENT.get()


@contextmanager
def no_trace() -> Iterator[None]:
    """Let node calls just run for the length of the block."""
    token = _CURRENT.set(None)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def as_argument(value: Any) -> Argument:
    """A value, or a list or mapping that may hold symbols, as an argument. Raises NotJson."""
    if isinstance(value, Symbol):
        return reference(value)
    if _has_symbol(value):
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                raise NotJson("a mapping with keys that are no text")
            return ObjectOf(object={key: as_argument(part) for key, part in value.items()})
        return ListOf(list=tuple(as_argument(part) for part in value))
    return Constant(constant=_json(value))


def _has_symbol(value: Any) -> bool:
    if isinstance(value, Symbol):
        return True
    if isinstance(value, Mapping):
        return any(_has_symbol(part) for part in value.values())
    return isinstance(value, list | tuple) and any(_has_symbol(part) for part in value)


def _json(value: Any) -> Any:
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise NotJson(f"the number {value}")
        return value
    if isinstance(value, list | tuple):
        return [_json(part) for part in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise NotJson("a mapping with keys that are no text")
        return {key: _json(part) for key, part in value.items()}
    raise NotJson(f"a {type(value).__name__}")


def _a(hint: Any) -> str:
    name = name_of(hint)
    return name if name == "None" else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _source(place: Place) -> SourcePlace:
    return SourcePlace(file=place.file, line=place.line)


def _output_schema(definition: NodeDefinition) -> dict[str, Any]:
    if definition.kind == "review":  # what a person fills in
        return schema_of(definition.shape.returns)
    return schema_of(definition.shape.returns, "serialization") if definition.function else {}


def _inputs_schema(parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {parameter.name: schema_of(parameter.hint) for parameter in parameters},
        "required": [parameter.name for parameter in parameters if parameter.required],
    }
