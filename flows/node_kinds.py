"""The kinds of nodes for people who draw graphs: the arguments of each, and the JSON schema of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from .graph import GraphNode
from .queries import parameters_of
from .requesting import ARGUMENTS as HTTP_ARGUMENTS
from .source_functions import SourceFunction

Long = Annotated[str, Field(json_schema_extra={"format": "multiline"})]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CodeSettings(_Settings):
    """Runs a function."""


class MapSettings(_Settings):
    """Runs a function for each item of a list."""

    over: str = Field("", description="The parameter that gets one item at a time.")
    at_once: int = Field(8, ge=1, description="How many items are worked on at the same time.")
    runner: Literal["dask"] | None = Field(None, description="Where items are worked on; empty is the server itself.")


class ModelSettings(_Settings):
    """Asks a model."""

    model: str = Field("", description="The model's name.", json_schema_extra={"format": "model"})
    version: str | None = Field(None, description="A fixed version; empty takes the one that is live.")


class DecideSettings(_Settings):
    """Goes one of two ways; the nodes of an arm say so by “Runs only if”."""


class QuerySettings(_Settings):
    """Reads rows by SQL; `:name` in it is an argument."""

    sql: Long = Field("", description="One SELECT; `:name` stands for an argument.")
    limit: int = Field(10_000, ge=1, description="More rows than these are left out.")


class SaveSettings(_Settings):
    """Writes rows to a table."""

    table: str = Field("", description="The table's name.")
    key: list[str] | None = Field(None, description="Fields that tell rows apart; a row with the same is replaced.")


class HttpSettings(_Settings):
    """Asks another server."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    returns: str | None = Field(None, description="The type of the answer, such as dict[str, float].")
    max_bytes: int = Field(10_000_000, ge=1, description="A longer answer fails the node.")


class NotifySettings(_Settings):
    """Sends people a message."""

    target: str = Field("", description="An address for apprise, or secret:NAME.")


class ReviewSettings(_Settings):
    """Asks a person, and waits; only in submitted runs."""

    title: str = Field("", description="What the inbox shows.")
    role: Literal["operator", "builder", "admin"] = "operator"
    due: float | None = Field(None, gt=0, description="Seconds that people have.")
    on_due: JsonValue = Field("fail", description='"fail", or {"value": ...} that counts if nobody decides in time.')
    returns: str | None = Field(None, description="The type of the decision; empty is yes or no with a comment.")


class CallSettings(_Settings):
    """Runs another worklet."""

    worklet: str = Field("", description="The worklet's name.", json_schema_extra={"format": "worklet"})
    version: int | None = Field(None, ge=1, description="A fixed version; empty takes the one that is live.")
    by_name: bool = Field(False, description="The value is a mapping that holds each input by its name.")


_KINDS: Mapping[str, type[_Settings]] = {
    "node": CodeSettings,
    "model": ModelSettings,
    "decide": DecideSettings,
    "map": MapSettings,
    "query": QuerySettings,
    "save": SaveSettings,
    "http": HttpSettings,
    "notify": NotifySettings,
    "review": ReviewSettings,
    "call": CallSettings,
}
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "model": ("inputs",),
    "save": ("row",),
    "notify": ("body", "title"),
    "call": ("inputs",),
    "review": ("value",),
    "decide": ("value",),
    "http": tuple(HTTP_ARGUMENTS),
}
_OPTIONAL = frozenset({("notify", "title"), *(("http", name) for name in HTTP_ARGUMENTS if name != "url")})
# What forms for all kinds show; those that need more than a form have a place of their own.
_NOT_IN_THE_FORM = frozenset(
    {"id", "kind", "function", "arguments", "settings", "when", "on_error", "input_schema", "output_schema", "source"}
)


def node_kinds() -> list[dict[str, Any]]:
    """Every kind that can be placed: its name, what it does, and the JSON schema of its settings."""
    return [
        {"kind": kind, "about": (settings.__doc__ or "").strip(), "schema": settings.model_json_schema()}
        for kind, settings in _KINDS.items()
    ]


def option_schema() -> dict[str, Any]:
    """The JSON schema of what nodes of every kind may have: retries, timeout and the like."""
    schema = GraphNode.model_json_schema(by_alias=True)
    properties = {name: part for name, part in schema["properties"].items() if name not in _NOT_IN_THE_FORM}
    return {"type": "object", "properties": properties}


def arguments_of(node: GraphNode, functions: Mapping[str, SourceFunction]) -> list[dict[str, Any]]:
    """The arguments that a node may be given: name, whether it is required, and the type as it is written."""
    if node.kind in ("node", "map"):
        function = functions.get(node.function or "")
        known = function.parameters if function is not None else ()
        return [
            {"name": each.name, "required": each.required, "type": each.type, "document_type": each.document_type}
            for each in known
        ]
    if node.kind == "query":
        return [_plain(name) for name in parameters_of(str(node.settings.get("sql") or ""))]
    if node.kind == "decide" and node.settings.get("join"):
        return [_plain(name) for name in ("decision", "then", "otherwise")]
    return [_plain(name, required=(node.kind, name) not in _OPTIONAL) for name in _ARGUMENTS.get(node.kind, ())]


def _plain(name: str, *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "required": required, "type": None, "document_type": None}
