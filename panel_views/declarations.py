"""What a view document declares beside its pages: states, tables, queries, who may look, and how it looks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
SLUG = r"^[a-z0-9][a-z0-9-]{0,62}$"
Slug = Annotated[str, Field(pattern=SLUG)]
# A site, as browsers name it: no path, no slash at the end. `https://*.example.org` is every site below one.
ORIGIN = r"^https?://(\*\.)?[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?(:[0-9]{1,5})?$"
Origin = Annotated[str, Field(pattern=ORIGIN, max_length=280)]
# Of components that authors write: the name, the script's length, and which properties a document can bind.
COMPONENT_NAME = r"^[a-z][a-z0-9_]{0,62}$"
MAX_SCRIPT = 500_000
BINDABLE = frozenset({"value", "data"})
# The names of their properties and events.
PROPERTY = r"[A-Za-z][A-Za-z0-9_]{0,62}"
# What every component has, or the page says of it.
RESERVED = frozenset({"label", "disabled", "component", "props", "fault", "error", "complaint", "empty", "visible_if"})
TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class Part(BaseModel):
    """Base of the document's parts: unknown keys are faults, values are not changed in place."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StateDeclaration(Part):
    """A state. `session` lives as long as the page; `user` and `view` persist, for one user or for all."""

    name: Name
    scope: Literal["session", "user", "view"] = "session"
    default: JsonValue = None

    @property
    def key(self) -> str:
        """The name with its scope, as bindings write it."""
        return f"{self.scope}.{self.name}"


class Column(Part):
    """A column of a table."""

    name: Name
    type: Literal["text", "number", "boolean", "json"] = "text"
    required: bool = False


class DataTable(Part):
    """A table whose rows the view's queries read by its name, its `save` actions write and its `remove` actions delete.

    Of rows with the same values in `key` there is one: saving again changes it. `write` is the role that it takes.
    """

    name: TableName
    columns: list[Column] = Field(min_length=1, max_length=100)
    key: list[Name] = Field(default=[], max_length=10)
    write: Literal["viewer", "operator", "builder", "admin"] = "operator"


class Query(Part):
    """A statement that reads: one SELECT, with `:name` where a parameter goes."""

    name: Name
    sql: str = Field(min_length=1, max_length=10_000)
    limit: int = Field(default=1_000, ge=1, le=50_000)


class Api(Part):
    """Another server that the view asks. What changes something there by PUT, PATCH or DELETE is for actions alone.

    Each `{name}` in the address, behind its host, is filled with a parameter. The others follow the `?` of a GET or a
    DELETE, and are the JSON body of a POST, PUT or PATCH. Each `{NAME}` in `secret_headers` is filled with a secret of
    the server, and never leaves it for the page.
    """

    name: Name
    url: str = Field(min_length=1, max_length=2_000)
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, str] = Field(default={}, max_length=30)
    secret_headers: dict[str, str] = Field(default={}, max_length=10)


class ViewAccess(Part):
    """Who may look: whoever has at least this role; only some (`private`); or everybody, signed in or not (`public`).

    Links that are shared (see /api/views/{slug}/shares) let people in beside these.
    """

    public: bool = False
    private: bool = False
    role: Literal["viewer", "operator", "builder", "admin"] = "viewer"
    # Names of users whom a private view is for, beside admins.
    users: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(default=[], max_length=500)
    # Sites whose pages may have the view in a frame.
    origins: list[Origin] = Field(default=[], max_length=50)


class Theme(Part):
    """How a view looks: its colour, name and logo (by default the server's), and light, dark or as the reader likes."""

    accent: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")
    mode: Literal["light", "dark", "auto"] = "auto"
    name: str = Field(default="", max_length=60)
    # A data address, so that a view is whole in one file.
    logo: str = Field(
        default="", max_length=140_000, pattern=r"^(data:image/(png|jpeg|webp|svg\+xml);base64,[A-Za-z0-9+/=]+)?$"
    )


class Parameter(Part):
    """A parameter of a page, in its address (`?name=value`); checked when the page is opened."""

    name: Name
    type: Literal["text", "number", "boolean"] = "text"
    default: str | float | bool | None = None
