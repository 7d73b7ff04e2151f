"""The view document: pages of components on a grid, with bindings, actions, state and access. JSON in and out.

Read one with `checks.parse`, which says every fault with its place. The document is a value: `operations.apply`
makes a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, JsonValue, Tag

from .declarations import SLUG as SLUG
from .declarations import Api as Api
from .declarations import Column as Column
from .declarations import DataTable as DataTable
from .declarations import Name as Name
from .declarations import Parameter as Parameter
from .declarations import Part as Part
from .declarations import Query as Query
from .declarations import Slug as Slug
from .declarations import StateDeclaration as StateDeclaration
from .declarations import TableName as TableName
from .declarations import Theme as Theme
from .declarations import ViewAccess as ViewAccess

COLUMNS = 12
# What follows a component's condition is named like a property; no kind has one of this name.
VISIBLE = "visible_if"
# What stands for a model's only input among those by name.
WHOLE = "value"
# Names in a page's address that are no parameters of it.
RESERVED_PARAMS = frozenset({"page", "visitor", "ticket"})
# Paths that the views process and the API need for themselves.
RESERVED_SLUGS = frozenset({"ui", "static", "components", "cdn", "examples", "drafts", "schema", "sources"})

StateName = Annotated[str, Field(pattern=r"^(session|user|view)\.[A-Za-z][A-Za-z0-9_]{0,62}$")]
Path = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}(\.[A-Za-z0-9_]{1,64}){0,7}$")]


# --- bindings ------------------------------------------------------------------------------------------


class StateBinding(Part):
    """A declared state: its value (or the part at `path`), or whether it is loading, empty or in error."""

    state: StateName
    path: Path | None = None
    status: Literal["loading", "empty", "error"] | None = None


class ComponentBinding(Part):
    """A readable value of another component."""

    component: Name
    value: Name = "value"


class TableBinding(Part):
    """The newest rows of a table that the signed-in user owns."""

    table: TableName
    limit: int = Field(default=12, ge=1, le=200)


class QueryBinding(Part):
    """The rows that a query of this view finds, or the part at `path` (`0.name`: a column of the first row).

    It is asked again when its parameters, or the rows of its tables, change.
    """

    query: Name
    params: dict[Name, Binding] = Field(default={})
    path: Path | None = None


class WorkletBinding(Part):
    """What a worklet answers, or the part at `path`; asked once every input has a value, and anew when one changes."""

    worklet: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    input: dict[Name, Binding] = Field(default={})
    path: Path | None = None


class ModelBinding(Part):
    """What a model answers (`NAME`, or a fixed `NAME@VERSION`), or the part at `path`.

    It is given its inputs by name, or `value` as the whole. It is asked once each has a value, and anew as one changes.
    """

    model: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}(@[A-Za-z0-9._-]{1,63})?$")]
    input: dict[Name, Binding] = Field(default={})
    value: Binding | None = None
    path: Path | None = None


class ApiBinding(Part):
    """What an HTTP API of this view answers, or the part at `path`; asked once every parameter has a value."""

    api: Name
    params: dict[Name, Binding] = Field(default={})
    path: Path | None = None


class ReviewsBinding(Part):
    """What people are asked to decide and the visitor may, or the part at `path`; looked at again every few seconds.

    Those due first come first. Each row has `id`, `title`, `worklet`, `node`, `run`, `role`, `state`, `created`, `due`,
    the `value` that is to be judged if it is short, and what was decided: `decision`, `decided`, `decided_by`.
    """

    reviews: Literal["open", "decided", "expired", "withdrawn", "all"]
    worklet: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] | None = None
    node: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    limit: int = Field(default=100, ge=1, le=500)
    path: Path | None = None


class ReviewBinding(Part):
    """One review by its id, or the part at `path`: as in the rows, and its `value`, which is to be judged."""

    review: Binding
    path: Path | None = None


class UserBinding(Part):
    """Something about whoever looks at the view."""

    user: Literal["id", "name", "role"]


class ParamBinding(Part):
    """A parameter: of the page's address (`?name=value`), or given by the page that has the view in a frame."""

    param: Name
    default: JsonValue = None


class ConstantBinding(Part):
    """A value as it stands."""

    constant: JsonValue


class ExpressionBinding(Part):
    """An expression over state, components and the user (see expressions.py)."""

    expr: str = Field(min_length=1, max_length=500)


class EventBinding(Part):
    """What the event brought with it; in actions only."""

    event: Path


# The key that tells which binding it is; the first of them that is there. Reviews may name a worklet too.
BINDING_TAGS = (
    "reviews",
    "state",
    "component",
    "table",
    "query",
    "worklet",
    "model",
    "api",
    "review",
    "user",
    "param",
    "constant",
    "expr",
    "event",
)


def _binding_tag(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    found = [key for key in BINDING_TAGS if key in keys]
    return found[0] if found else None


Binding = Annotated[
    Annotated[ReviewsBinding, Tag("reviews")]
    | Annotated[StateBinding, Tag("state")]
    | Annotated[ComponentBinding, Tag("component")]
    | Annotated[TableBinding, Tag("table")]
    | Annotated[QueryBinding, Tag("query")]
    | Annotated[WorkletBinding, Tag("worklet")]
    | Annotated[ModelBinding, Tag("model")]
    | Annotated[ApiBinding, Tag("api")]
    | Annotated[ReviewBinding, Tag("review")]
    | Annotated[UserBinding, Tag("user")]
    | Annotated[ParamBinding, Tag("param")]
    | Annotated[ConstantBinding, Tag("constant")]
    | Annotated[ExpressionBinding, Tag("expr")]
    | Annotated[EventBinding, Tag("event")],
    Discriminator(
        _binding_tag,
        custom_error_type="binding",
        custom_error_message="a binding has one of the keys "
        + ", ".join(BINDING_TAGS[:-1])
        + " or "
        + BINDING_TAGS[-1],
    ),
]


# What is asked for elsewhere: for properties alone.
ASKING = (QueryBinding, WorkletBinding, ModelBinding, ApiBinding, ReviewsBinding, ReviewBinding)
# What something depends on: a binding that holds or does not. Python code may write an expression as text.
Condition = Annotated[Binding, "condition"]


def given_to(binding: Binding) -> dict[str, Binding]:
    """What a question is asked with, by what follows it in the document."""
    if isinstance(binding, QueryBinding | ApiBinding):
        return binding.params
    if isinstance(binding, ModelBinding) and binding.value is not None:
        return {WHOLE: binding.value}
    if isinstance(binding, ReviewBinding):
        return {"review": binding.review}
    if isinstance(binding, ReviewsBinding):
        asked = {"worklet": binding.worklet, "node": binding.node, "limit": binding.limit}
        return {name: ConstantBinding(constant=value) for name, value in asked.items() if value is not None}
    return binding.input if isinstance(binding, WorkletBinding | ModelBinding) else {}


# --- actions -------------------------------------------------------------------------------------------


class Step(Part):
    """Base of the actions. `when` does not hold: the action is left out. It fails: `on_error` is done, and no more."""

    do: str
    when: Condition | None = None
    on_error: list[Action] = Field(default=[], max_length=20)


class RunWorklet(Step):
    """Run a worklet and put its answer, or its fault, into a state. A newer run outdates an older one."""

    do: Literal["run_worklet"]
    worklet: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    input: dict[Name, Binding] = Field(default={})
    into: StateName


class SubmitRun(Step):
    """Begin a durable run of a worklet, which goes on though the page is closed; its answer comes into a state.

    `progress` tells how far it is: `run` (its id), `state`, and how many nodes are `done`. `log` takes the lines
    that its nodes log, as they come; a log component shows them.
    """

    do: Literal["submit_run"]
    worklet: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    input: dict[Name, Binding] = Field(default={})
    into: StateName
    progress: StateName | None = None
    log: StateName | None = None


class AskApi(Step, ApiBinding):
    """Ask an HTTP API of this view, for what acts on another system, and put its answer into a state.

    It is asked once each time, and never again by itself. `path` takes a part of the answer; without `into` it goes
    nowhere. A parameter whose value is nothing is left out.
    """

    do: Literal["ask_api"]
    into: StateName | None = None


class AskQuery(Step, QueryBinding):
    """Ask a query of this view, and put the rows that it finds into a state.

    `path` takes a part of them (`0.name`: a column of the first row).
    """

    do: Literal["ask_query"]
    into: StateName


class AskModel(Step, ModelBinding):
    """Ask a model and put its answer into a state.

    `NAME@VERSION` is a fixed version. It is given its inputs by name, or `value` as the whole; an input whose value is
    nothing is left out. `path` takes a part of the answer.
    """

    do: Literal["ask_model"]
    into: StateName


class CancelRun(Step):
    """Cancel a run that `submit_run` began, by its id."""

    do: Literal["cancel_run"]
    run: Binding


class SetState(Step):
    """Set a state."""

    do: Literal["set_state"]
    state: StateName
    value: Binding


class Refresh(Step):
    """Read a table again."""

    do: Literal["refresh"]
    table: TableName


class SendEvent(Step):
    """Tell the page that has the view in a frame of something; without such a page nothing happens."""

    do: Literal["send"]
    event: Name
    data: Binding | None = None


class Navigate(Step):
    """Go to a page of this view, or of another one, with parameters in its address."""

    do: Literal["navigate"]
    page: Name | None = None
    view: Slug | None = None
    params: dict[Name, Binding] = Field(default={})


class Save(Step):
    """Write a row into a table of this view: the `values` of a form, and of single columns those in `row`."""

    do: Literal["save"]
    table: TableName
    row: dict[Name, Binding] = Field(default={})
    values: Binding | None = None


class Remove(Step):
    """Delete a row of a table of this view: the one with the key that `row` gives, column by column."""

    do: Literal["remove"]
    table: TableName
    row: dict[Name, Binding] = Field(default={})


class OpenModal(Step):
    """Open a modal of this page."""

    do: Literal["open_modal"]
    modal: Name


class CloseModal(Step):
    """Close a modal of this page."""

    do: Literal["close_modal"]
    modal: Name


class Notify(Step):
    """Say something for a moment, at the edge of the page."""

    do: Literal["notify"]
    text: Binding
    style: Literal["info", "success", "warning", "error"] = "info"


class Copy(Step):
    """Put a text onto the visitor's clipboard."""

    do: Literal["copy"]
    text: Binding


class Download(Step):
    """Hand the visitor a file: one of this server by its address; rows as CSV; anything else as text or JSON."""

    do: Literal["download"]
    source: Binding
    name: Annotated[str, Field(pattern=r"^[\w. -]{1,100}$")] = "download.csv"


class Decide(Step):
    """Decide a review as the visitor, who has to be one of those that it asks."""

    do: Literal["decide"]
    review: Binding
    decision: Binding


Action = Annotated[
    RunWorklet
    | SubmitRun
    | CancelRun
    | AskApi
    | AskQuery
    | AskModel
    | Save
    | Remove
    | SetState
    | Refresh
    | SendEvent
    | Navigate
    | OpenModal
    | CloseModal
    | Notify
    | Copy
    | Download
    | Decide,
    Field(discriminator="do"),
]


# --- components, pages, document -------------------------------------------------------------------------


class Place(Part):
    """Where a component stands on its grid of twelve columns, and how large it is."""

    x: int = Field(default=0, ge=0, lt=COLUMNS)
    y: int = Field(default=0, ge=0, le=500)
    w: int = Field(default=COLUMNS, ge=1, le=COLUMNS)
    h: int = Field(default=2, ge=1, le=100)


class Component(Part):
    """A component: its kind, its place on the page or in a container (`parent`), and what it is bound to.

    It is there while `visible_if` holds; without one, always.
    """

    id: Name
    type: str = Field(max_length=64)
    at: Place = Place()
    parent: Name | None = None
    properties: dict[str, JsonValue] = Field(default={})
    bindings: dict[str, Binding] = Field(default={})
    actions: dict[str, list[Action]] = Field(default={})
    visible_if: Condition | None = None

    def bound(self) -> dict[str, Binding]:
        """Every binding by what follows it: properties, and whether the component is there (`VISIBLE`)."""
        return self.bindings if self.visible_if is None else {**self.bindings, VISIBLE: self.visible_if}


class Page(Part):
    """A page: components on a grid. Where it declares parameters, its bindings read no others."""

    id: Name = "main"
    title: str = Field(default="", max_length=200)
    # The list of pages leaves it out: it makes sense with parameters only.
    hidden: bool = False
    params: list[Parameter] = Field(default=[], max_length=30)
    components: list[Component] = Field(default=[], max_length=200)

    def within(self, id: str) -> set[str]:
        """The ids of all that a container holds, however deep."""
        found: set[str] = set()
        layer = {id}
        while layer:
            layer = {part.id for part in self.components if part.parent in layer} - found
            found |= layer
        return found


class ViewDocument(Part):
    """A view."""

    version: Literal[1] = 1
    slug: Slug
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)
    theme: Theme = Theme()
    access: ViewAccess = ViewAccess()
    state: list[StateDeclaration] = Field(default=[], max_length=200)
    tables: list[DataTable] = Field(default=[], max_length=30)
    queries: list[Query] = Field(default=[], max_length=100)
    apis: list[Api] = Field(default=[], max_length=30)
    pages: list[Page] = Field(min_length=1, max_length=20)

    def table(self, name: str) -> DataTable | None:
        """The declared table of that name."""
        return next((table for table in self.tables if table.name == name), None)

    def query(self, name: str) -> Query | None:
        """The declared query of that name."""
        return next((query for query in self.queries if query.name == name), None)

    def api(self, name: str) -> Api | None:
        """The declared API of that name."""
        return next((api for api in self.apis if api.name == name), None)

    def components(self) -> list[Component]:
        """Every component of every page."""
        return [component for page in self.pages for component in page.components]

    def page_at(self, id: str) -> Page:
        """The page of that id, or the first one."""
        return next((page for page in self.pages if page.id == id), self.pages[0])

    def component(self, id: str) -> Component | None:
        """The component of that id."""
        return next((component for component in self.components() if component.id == id), None)

    def to_json(self) -> dict[str, Any]:
        """The document as plain JSON, without what is at its default."""
        return {"version": self.version, **self.model_dump(mode="json", exclude_defaults=True, by_alias=True)}


def submitted_by(document: ViewDocument) -> Iterator[SubmitRun]:
    """Every action that begins a durable run."""
    for component in document.components():
        waiting = [action for actions in component.actions.values() for action in actions]
        while waiting:
            action = waiting.pop()
            waiting += action.on_error
            if isinstance(action, SubmitRun):
                yield action


def json_schema() -> dict[str, Any]:
    """The published JSON schema of version 1."""
    schema = ViewDocument.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:worklets:view:1", **schema}
