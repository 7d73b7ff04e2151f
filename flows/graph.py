"""The graph of a worklet as a document: nodes, where their arguments come from, schemas. JSON in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag

from .triggers import Trigger

Kind = Literal[
    "node", "model", "decide", "map", "query", "save", "http", "notify", "publish", "review", "call"
]  # fmt: skip
# Where the items of a map can be worked out, beside the process that runs the worklet.
RUNNERS: tuple[str, ...] = ("dask",)
# Kinds that act on the outside: their value need not be used.
ACTING_KINDS: frozenset[str] = frozenset({"save", "http", "notify", "publish", "review", "call"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AttributeStep(_Part):
    """Take an attribute of the value so far."""

    attribute: str


class ItemStep(_Part):
    """Take an item of the value so far: a key of a mapping or an index of a sequence."""

    item: int | str


Step = AttributeStep | ItemStep


class FromInput(_Part):
    """A parameter of the worklet, or a part of it."""

    input: str
    path: tuple[Step, ...] = ()


class FromNode(_Part):
    """What a node gave back, or a part of it."""

    node: str
    path: tuple[Step, ...] = ()


class Constant(_Part):
    """A value fixed in the definition."""

    constant: JsonValue


class ListOf(_Part):
    """A list made of other arguments."""

    list: tuple[Argument, ...]


class ObjectOf(_Part):
    """A mapping made of other arguments."""

    object: dict[str, Argument]


_SORTS = ("input", "node", "constant", "list", "object")


def _sort(value: Any) -> str:
    """What an argument is, by the one key that tells it; so that a fault is told of that sort alone."""
    has = value.__contains__ if isinstance(value, dict) else lambda key: hasattr(value, key)
    return next((key for key in _SORTS if has(key)), "constant")


Argument = Annotated[
    Annotated[FromInput, Tag("input")]
    | Annotated[FromNode, Tag("node")]
    | Annotated[Constant, Tag("constant")]
    | Annotated[ListOf, Tag("list")]
    | Annotated[ObjectOf, Tag("object")],
    Discriminator(_sort),
]


class SourcePlace(_Part):
    """Where a node is defined."""

    file: str
    line: int


class GraphInput(_Part):
    """A parameter of the worklet."""

    name: str = Field(description="A Python identifier.")
    type: str | None = Field(default=None, description="As in Python, classes as `module:Name`: `list[shop:Order]`.")
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema", description="For programs; `type` decides.")
    required: bool = True
    default: JsonValue = Field(default=None, description="What it is where it is not given; unless `required`.")

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)


class Branch(_Part):
    """The arm of a decision in which a node stands."""

    node: str = Field(description="The node of the kind `decide`.")
    arm: bool


class Fallback(_Part):
    """The value that a node has if it fails."""

    value: JsonValue = None


class GraphNode(_Part):
    """A node: what it does (`kind`, `function` or `settings`) and where each argument comes from."""

    id: str = Field(min_length=1, max_length=128)
    kind: Kind = "node"
    function: str | None = Field(default=None, description="`module:name` of the code, for the kinds `node` and `map`.")
    arguments: dict[str, Argument] = Field(default_factory=dict)
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="What the kind needs: model, table, ...")
    retries: int = Field(default=0, ge=0, le=100)
    backoff: float = Field(default=0.0, ge=0, description="Seconds before the first retry; it doubles.")
    timeout: float | None = Field(default=None, gt=0, description="Seconds for one attempt.")
    on_error: Fallback | Literal["branch"] | None = Field(
        default=None,
        description='Its value if it fails; null fails the run; "branch" where a decision with the setting `failed` '
        "takes it.",
    )
    cache: float | None = Field(
        default=None, gt=0, description="Seconds for which the same arguments give the same result."
    )
    when: Branch | None = Field(default=None, description="Run only if the decision went this way.")
    quick: bool | None = Field(default=None, description="Run on the event loop: yes, no, or as measured (null).")
    input_schema: dict[str, Any] = Field(default_factory=dict)
    output_schema: dict[str, Any] = Field(default_factory=dict)
    description: str = ""
    source: SourcePlace | None = None


class GraphDocument(_Part):
    """A worklet's whole definition, but for the code of its nodes.

    What a node's function takes and gives (`input_schema`, `output_schema`) is for programs; its code decides.
    """

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")
    description: str = ""
    tags: tuple[str, ...] = ()
    requirements: tuple[str, ...] = Field(default=(), description="Packages of an environment of its own.")
    python: str | None = Field(default=None, description="The Python version of that environment; null: the server's.")
    timeout: float | None = Field(default=None, gt=0, description="Seconds for the whole run.")
    concurrency: int | None = Field(default=None, ge=1, description="Submitted runs under way at once; null: any.")
    triggers: tuple[Annotated[Trigger, Field(discriminator="on")], ...] = ()
    inputs: tuple[GraphInput, ...] = ()
    body: str | None = Field(default=None, description="The one parameter whose fields are the request's body itself.")
    nodes: tuple[GraphNode, ...] = ()
    output: Argument = Constant(constant=None)
    output_type: str | None = Field(default=None, description="The type of the result, as that of an input.")
    input_schema: dict[str, Any] = Field(default_factory=dict)
    output_schema: dict[str, Any] = Field(default_factory=dict)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Every (node, node that needs it), each once."""
        pairs: dict[tuple[str, str], None] = {}
        for node in self.nodes:
            for needed in needs_of(node):
                pairs[(needed, node.id)] = None
        return list(pairs)

    def node(self, id: str) -> GraphNode:
        """The node of that id. Raises KeyError."""
        for node in self.nodes:
            if node.id == id:
                return node
        raise KeyError(id)


def references(argument: Argument) -> Iterator[FromInput | FromNode]:
    """Every reference inside an argument."""
    if isinstance(argument, FromInput | FromNode):
        yield argument
    elif isinstance(argument, ListOf):
        for part in argument.list:
            yield from references(part)
    elif isinstance(argument, ObjectOf):
        for part in argument.object.values():
            yield from references(part)


def needs_of(node: GraphNode) -> list[str]:
    """The ids of the nodes that `node` waits for, each once, in order."""
    found = (reference for argument in node.arguments.values() for reference in references(argument))
    needed = [reference.node for reference in found if isinstance(reference, FromNode)]
    return list(dict.fromkeys([node.when.node, *needed] if node.when is not None else needed))


def arms_around(node: GraphNode, nodes: Mapping[str, GraphNode]) -> list[Branch]:
    """The arms that a node stands in, the innermost first; as long as the graph has no ring."""
    found: list[Branch] = []
    arm = node.when
    while arm is not None and arm not in found:
        found.append(arm)
        arm = nodes[arm.node].when if arm.node in nodes else None
    return found


ListOf.model_rebuild()
ObjectOf.model_rebuild()
