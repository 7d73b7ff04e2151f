"""Nodes: the steps of a worklet. Inside a worklet's function a call places the node; elsewhere it just runs."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, Self, TypedDict, TypeVar, Unpack, cast, overload

from pydantic import JsonValue, ValidationError

from ..connectors.errors import DefinitionError
from .context import ask_model
from .faults import Place, caller_locals, caller_place, definition_fault
from .graph import Fallback, Kind
from .hints import Parameter, Shape, adapter_of, name_of, shape_of
from .queries import DEFAULT_LIMIT, parameters_of
from .trace import current_trace

P = ParamSpec("P")
R = TypeVar("R")

_ONE_ROW = Shape(
    (Parameter("row"),), Any, inspect.Signature([inspect.Parameter("row", inspect.Parameter.POSITIONAL_OR_KEYWORD)])
)
_ONE_INPUT = Shape(
    (Parameter("inputs"),),
    Any,
    inspect.Signature([inspect.Parameter("inputs", inspect.Parameter.POSITIONAL_OR_KEYWORD)]),
)


@dataclass(frozen=True)
class NodeDefinition:
    """All that is known of a node before it is placed in a graph."""

    kind: Kind
    name: str
    shape: Shape
    function: Callable[..., Any] | None = None
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    retries: int = 0
    backoff: float = 0.0
    timeout: float | None = None
    on_error: Fallback | None = None
    cache: float | None = None
    quick: bool | None = None
    description: str = ""
    place: Place | None = None

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def path(self) -> str | None:
        """`module:name` of the code."""
        if self.function is None:
            return None
        return f"{self.function.__module__}:{self.function.__qualname__}"


class NodeOptions(TypedDict, total=False):
    """What may be set anew for one place of a node; what is left out stays as it is."""

    name: str
    retries: int
    backoff: float
    timeout: float | None
    on_error: JsonValue
    cache: float | None
    quick: bool | None


def fallback_of(on_error: JsonValue) -> Fallback | None:
    """What `on_error` says: None is "fail", anything else the node's value. Raises DefinitionError."""
    if on_error == "fail":
        return None
    try:
        return Fallback(value=on_error)
    except ValidationError:
        what = f"on_error is {on_error!r}, which is no JSON."
        fault = definition_fault(what, place=caller_place(), fix='give "fail", or a value of text, numbers and lists')
        raise DefinitionError("A node is defined wrongly.", faults=[fault]) from None


def changed(definition: NodeDefinition, options: NodeOptions) -> NodeDefinition:
    """The definition with these options. Raises DefinitionError."""
    given: dict[str, Any] = dict(options)
    if "on_error" in given:
        given["on_error"] = fallback_of(given["on_error"])
    made = replace(definition, **given)
    found = [definition_fault(msg, node=made.name, place=caller_place()) for msg in _misfits(made)]
    if found:
        raise DefinitionError("A node is defined wrongly.", faults=found)
    return made


def _misfits(definition: NodeDefinition) -> Iterator[str]:
    if definition.retries < 0:
        yield f"retries is {definition.retries}; it is 0 or more."
    if definition.backoff < 0:
        yield f"backoff is {definition.backoff} seconds; it is 0 or more."
    if definition.timeout is not None and definition.timeout <= 0:
        yield f"timeout is {definition.timeout} seconds; it is more than 0, or None."
    if definition.cache is not None and definition.cache <= 0:
        yield f"cache is {definition.cache} seconds; it is more than 0, or None."
    adapter = adapter_of(definition.shape.returns) if definition.on_error is not None else None
    if adapter is not None and definition.on_error is not None:
        try:
            adapter.validate_python(definition.on_error.value)
        except ValidationError:
            wanted = name_of(definition.shape.returns)
            yield f"on_error is {definition.on_error.value!r}, and it gives {wanted}."


class Node(Generic[P, R]):
    """A function as a node of kind `node`. Called outside a worklet's definition it is that function."""

    definition: NodeDefinition
    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[P, R], definition: NodeDefinition) -> None:
        self._function = function
        self.definition = definition
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Place the node; outside a worklet's definition, call the function."""
        trace = current_trace()
        if trace is None:
            return self._function(*args, **kwargs)
        return cast(R, trace.place(self._resolved(), args, kwargs))  # a symbol that stands for an R

    def with_options(self, **options: Unpack[NodeOptions]) -> Node[P, R]:
        """The same code with other options, as for `node`; `name` is what the node is called in the graph."""
        return Node(self._function, changed(self.definition, options))

    def _resolved(self) -> NodeDefinition:
        # A hint may name a class that is defined below the node, so it is looked up again when the node is used.
        if self.definition.shape.unresolved:
            self.definition = replace(self.definition, shape=shape_of(self._function, caller_locals()))
        return self.definition

    def __repr__(self) -> str:
        return f"<node {self.definition.name!r}>"


class NodeDecorator(Protocol):
    """What `node(...)` with options gives."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Node[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Node[P, R]: ...


# An async function's node stands for what it returns: a worklet passes values on, it awaits nothing.
@overload
def node(function: Callable[P, Coroutine[Any, Any, R]], /) -> Node[P, R]: ...


@overload
def node(function: Callable[P, R], /) -> Node[P, R]: ...


@overload
def node(
    *,
    retries: int = 0,
    backoff: float = 0.0,
    timeout: float | None = None,
    on_error: JsonValue = "fail",
    cache: float | None = None,
    quick: bool | None = None,
    name: str | None = None,
) -> NodeDecorator: ...


def node(
    function: Callable[..., Any] | None = None,
    /,
    *,
    retries: int = 0,
    backoff: float = 0.0,
    timeout: float | None = None,
    on_error: JsonValue = "fail",
    cache: float | None = None,
    quick: bool | None = None,
    name: str | None = None,
) -> Any:
    """Make a function, plain or async, a node.

    Args:
        retries: how often a failed attempt is repeated.
        backoff: seconds before the first repeat; each further wait doubles.
        timeout: seconds that one attempt may take.
        on_error: "fail", or the node's value if all attempts fail.
        cache: seconds for which the same arguments give the same result without running the code; in the memory of the
            process that runs it. For code that neither acts on the outside nor asks who its run is for.
        quick: True runs a plain function on the event loop (for well under a millisecond, no waiting), False in a
            thread; None decides by measuring.
        name: the node's name in the graph; the function's own if None.

    Raises:
        DefinitionError: an option or the function doesn't fit.
    """

    def decorate(function: Callable[..., Any]) -> Node[Any, Any]:
        faults = _option_faults(function, retries, backoff, timeout)
        if faults:
            raise DefinitionError("A node is defined wrongly.", faults=faults)
        definition = NodeDefinition(
            kind="node",
            name=name or function.__name__.strip("<>"),
            shape=shape_of(function, caller_locals()),
            function=function,
            retries=retries,
            backoff=backoff,
            timeout=timeout,
            quick=quick,
            description=(inspect.getdoc(function) or "").partition("\n\n")[0],
            place=_place_of(function),
        )
        if cache is not None:
            definition = changed(definition, {"cache": cache})
        if on_error != "fail":
            definition = changed(definition, {"on_error": on_error})
        return Node(function, definition)

    return decorate if function is None else decorate(function)


def _place_of(function: Callable[..., Any]) -> Place:
    code = inspect.unwrap(function).__code__
    return Place(code.co_filename, code.co_firstlineno)


def _option_faults(function: Any, retries: int, backoff: float, timeout: float | None) -> list[Any]:
    place = caller_place()
    if isinstance(function, Node) or not inspect.isfunction(inspect.unwrap(function)):
        what = f"@node wants a function and found {type(function).__name__}."
        return [definition_fault(what, place=place, fix="put @pw.node right above a def")]
    label = function.__name__
    faults: list[tuple[str, str | None]] = []
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        faults.append(("it yields, and a node gives back one value.", "return a list"))
    shape = Shape((), Any, inspect.Signature())
    options = NodeDefinition("node", label, shape, retries=retries, backoff=backoff, timeout=timeout)
    faults += [(msg, None) for msg in _misfits(options)]
    return [definition_fault(msg, node=label, place=_place_of(function), fix=fix) for msg, fix in faults]


class _Placed:
    """A node without code of its own."""

    _definition: NodeDefinition

    def with_options(self, **options: Unpack[NodeOptions]) -> Self:
        """The same node with other options, as for `node`; `name` is what the node is called in the graph."""
        made = copy.copy(self)
        made._definition = changed(self._definition, options)
        return made


class ModelNode(_Placed):
    """A deployed model as a node. Made by `model`."""

    def __init__(self, name: str, version: str | None, timeout: float | None, retries: int, backoff: float) -> None:
        self.name = name
        self.version = version
        settings: dict[str, JsonValue] = {"model": name, "version": version}
        self._definition = NodeDefinition(
            "model", node_id(name), _ONE_INPUT, settings=settings, timeout=timeout, retries=retries, backoff=backoff
        )

    def __call__(self, inputs: Any) -> Any:
        """Place the node; outside a worklet's definition, ask the model that is reachable here.

        Raises:
            SetupError: no models can be reached from here.
            DefinitionError: it is called inside a node.
        """
        trace = current_trace()
        if trace is None:
            return ask_model(self.name, inputs, self.version)
        return trace.place(self._definition, (inputs,), {})

    def __repr__(self) -> str:
        return f"<model {self.name!r}>" if self.version is None else f"<model {self.name!r}@{self.version}>"


def model(
    name: str, version: str | None = None, *, timeout: float | None = None, retries: int = 0, backoff: float = 0.0
) -> ModelNode:
    """The model of that name as a node: `model("iris")(features)` gives its outputs.

    Args:
        name: a deployed model.
        version: a fixed version; None takes the one that is live when the worklet runs.
        timeout: seconds that one attempt may take.
        retries: how often a failed attempt is repeated.
        backoff: seconds before the first repeat; each further wait doubles.
    """
    if not isinstance(name, str) or not name:
        fault = definition_fault(f"model() wants a model's name and found {name!r}.", place=caller_place())
        raise DefinitionError("A model node is defined wrongly.", faults=[fault])
    return ModelNode(name, version, timeout, retries, backoff)


class SaveNode(_Placed):
    """A node that writes rows into a table. Made by `save`."""

    def __init__(self, table: str, key: tuple[str, ...] = ()) -> None:
        self.table = table
        settings: dict[str, JsonValue] = {"table": table, **({"key": list(key)} if key else {})}
        self._definition = NodeDefinition("save", f"save_{node_id(table)}", _ONE_ROW, settings=settings)

    def __call__(self, row: Any) -> Any:
        """Place the node; it gives the row back. Raises DefinitionError outside a worklet's definition."""
        trace = current_trace()
        if trace is None:
            fault = definition_fault(
                f"save({self.table!r}) is called outside a worklet's function.",
                place=caller_place(),
                fix="call it in a function under @pw.worklet, not in a node",
            )
            raise DefinitionError("Rows are saved by a worklet's run.", faults=[fault])
        return trace.place(self._definition, (row,), {})

    def __repr__(self) -> str:
        return f"<save into {self.table!r}>"


def save(table: str, *, key: str | Sequence[str] = ()) -> SaveNode:
    """A node that writes rows into `table`: `save("results")(row)`.

    A row is a mapping, a pydantic model or a dataclass; a list writes one row each. The rows of a run are written in
    one transaction when it ends well, or waits for a person, and once, however often it is repeated.

    Args:
        table: letters, digits, `_` and `-`.
        key: fields that name a row, of which the table then has one: `save("stock", key="item")` puts a new row in
            the place of the one with the same item. Of two runs the one that began later counts.

    Raises:
        DefinitionError: the table's name or the key doesn't fit.
    """
    fields = (key,) if isinstance(key, str) else tuple(key)
    if not isinstance(table, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", table):
        fault = definition_fault(
            f"save() wants a table's name (letters, digits, _ and -) and found {table!r}.", place=caller_place()
        )
        raise DefinitionError("A save node is defined wrongly.", faults=[fault])
    if len(set(fields)) != len(fields) or not all(isinstance(each, str) and each for each in fields):
        fault = definition_fault(
            f"save({table!r}) is given the key {key!r}.", place=caller_place(), fix="name a field, or a list of fields"
        )
        raise DefinitionError("A save node is defined wrongly.", faults=[fault])
    return SaveNode(table, fields)


class QueryNode(_Placed):
    """A node that reads the store with SQL. Made by `query`."""

    def __init__(self, sql: str, name: str, limit: int, timeout: float | None, retries: int, backoff: float) -> None:
        self.sql = sql
        names = parameters_of(sql)
        signature = inspect.Signature([inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in names])
        self._definition = NodeDefinition(
            "query",
            name,
            Shape(tuple(Parameter(each, keyword_only=True) for each in names), Any, signature),
            settings={"sql": sql, "limit": limit},
            timeout=timeout,
            retries=retries,
            backoff=backoff,
        )

    def __call__(self, **parameters: Any) -> Any:
        """Place the node; it gives a list of mappings. Raises DefinitionError outside a worklet's definition."""
        trace = current_trace()
        if trace is None:
            fault = definition_fault(
                f"the query {self._definition.name!r} is called outside a worklet's function.",
                place=caller_place(),
                fix="call it in a function under @pw.worklet, not in a node",
            )
            raise DefinitionError("The store is queried by a worklet's run.", faults=[fault])
        return trace.place(self._definition, (), parameters)

    def __repr__(self) -> str:
        return f"<query {self._definition.name!r}>"


def query(
    sql: str,
    *,
    name: str = "query",
    limit: int = DEFAULT_LIMIT,
    timeout: float | None = None,
    retries: int = 0,
    backoff: float = 0.0,
) -> QueryNode:
    """A node that reads the store: `query("select ... where x = :x")(x=value)` gives a list of mappings, one a row.

    The transaction is read-only, and values are bound, never put into the text.

    Args:
        sql: one statement; each `:name` in it is a parameter of the node.
        name: the node's name in the graph.
        limit: the most rows; more fail the node.
        timeout: seconds that one attempt may take.
        retries: how often a failed attempt is repeated.
        backoff: seconds before the first repeat; each further wait doubles.

    Raises:
        DefinitionError: there is no SQL. Its other faults are told with the worklet's.
    """
    if not isinstance(sql, str) or not sql.strip():
        fault = definition_fault(f"query() wants a SQL statement and found {sql!r}.", place=caller_place())
        raise DefinitionError("A query node is defined wrongly.", faults=[fault])
    return QueryNode(sql, node_id(name), limit, timeout, retries, backoff)


def node_id(name: str) -> str:
    """The name as a node may be called."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "node"
