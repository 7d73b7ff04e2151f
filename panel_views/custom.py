"""Components that authors write: a class that says which properties there are, and a script that draws them.

The app checks documents against the definition, the views processes draw with it: so it is kept in the store, with the
script, which goes out under the address that its content gives. A push makes a new version, and the newest one counts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from jsonschema import Draft202012Validator, SchemaError
from pydantic import Field, JsonValue, ValidationError
from referencing import Registry
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from ..connectors.access import Principal
from ..connectors.errors import Conflict, DefinitionError, Fault, NotFound
from ..connectors.store import Store
from ..connectors.tables import ViewComponent, now
from .declarations import COMPONENT_NAME, MAX_SCRIPT, PROPERTY, RESERVED, Part
from .document import ViewDocument
from .faults import unknown

TYPE = "custom"
MAX_SCHEMA = 100_000
_DEFAULT_EXPORT = re.compile(r"\bexport\s+default\b|\bexport\s*\{[^}]*\bdefault\b")
_PROPERTY = re.compile(PROPERTY)
# Every component that takes a value fires it by itself.
CHANGE = "change"
# How often a push begins again that another one of the same component has overtaken; each time one of them is done.
_ATTEMPTS = 100


class CustomDefinition(Part):
    """What a component is: its properties as a JSON schema with a default each, and the text of its script.

    `events` are what the script fires beside `change`, each with the JSON schema of what it brings. `values` are the
    properties, beside `value`, that the script gives and bindings read.
    """

    name: Annotated[str, Field(pattern=COMPONENT_NAME)]
    title: Annotated[str, Field(min_length=1, max_length=100)]
    about: Annotated[str, Field(max_length=500)] = ""
    properties: dict[str, JsonValue]
    events: dict[str, JsonValue] = Field(default={}, max_length=50)
    values: list[str] = Field(default=[], max_length=50)
    script: Annotated[str, Field(min_length=1, max_length=MAX_SCRIPT)]

    @property
    def hash(self) -> str:
        """The script's, for its address."""
        return hashlib.sha256(self.script.encode()).hexdigest()

    @property
    def own(self) -> dict[str, Any]:
        """The schema of each property."""
        found = self.properties.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of each property."""
        return {name: part.get("default") for name, part in self.own.items()}

    @property
    def readable(self) -> list[str]:
        """The names of what bindings read."""
        return [*(["value"] if "value" in self.own else []), *self.values]

    def misfit(self, event: str, brought: Any) -> str | None:
        """What is wrong with an event of its script, or with what that brings."""
        if event not in self.events:
            return f"the component {self.name!r} has no event {event[:64]!r}"
        for error in Draft202012Validator(self.events[event], registry=Registry()).iter_errors(brought):
            where = ".".join(map(str, error.absolute_path))
            return _short(f"{where}: {error.message}" if where else error.message)
        return None

    def faults(self, given: Mapping[str, Any]) -> list[Fault]:
        """What is wrong with values of its properties; what is not given is at its default."""
        found = []
        for name in given:
            if name not in self.own:
                found.append(unknown((name,), f"property of the component {self.name!r}", name, sorted(self.own)))
        known = {name: value for name, value in given.items() if name in self.own}
        # With a registry of its own it fetches nothing, wherever a `$ref` may lead.
        for error in Draft202012Validator(self.properties, registry=Registry()).iter_errors({**self.defaults, **known}):
            place = tuple(error.absolute_path)
            if place and place[0] in known:
                found.append(Fault(place, _short(error.message), "value"))
        return found

    def to_json(self) -> dict[str, Any]:
        """As a push sends it."""
        plain = self.model_dump(mode="json")
        # What was pushed before there were these is the same as without them.
        return {name: value for name, value in plain.items() if value or name not in ("events", "values")}


def read_definition(value: Any) -> CustomDefinition:
    """Read and check a definition. Raises DefinitionError with every fault and its place."""
    try:
        definition = CustomDefinition.model_validate(value)
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        raise _refused(value, [Fault(entry["loc"], entry["msg"], entry["type"]) for entry in entries]) from None
    faults = [*_schema_faults(definition), *_event_faults(definition), *_value_faults(definition)]
    faults += _script_faults(definition)
    if faults:
        raise _refused(value, faults)
    return definition


def _schema_faults(definition: CustomDefinition) -> Iterator[Fault]:
    schema, at = definition.properties, ("properties",)
    wrong = next(_not_a_schema(at, schema), None)
    if wrong is not None:
        yield wrong
        return
    if schema.get("type") != "object":
        yield Fault(at, "the schema is not of an object", "value", 'write {"type": "object", "properties": {...}}')
        return
    for name, part in definition.own.items():
        place = (*at, "properties", name)
        if name in RESERVED or not _PROPERTY.fullmatch(name):
            yield Fault(place, f"no property can be named {name[:64]!r}", "value", "choose another name")
        elif not isinstance(part, dict) or "default" not in part:
            yield Fault(place, "it has no default", "missing", "give it one: a component is drawn before it is bound")
    yield from (Fault((*at, "properties", *fault.loc, "default"), fault.msg, "value")
                for fault in definition.faults(_given_defaults(definition)))  # fmt: skip


def _not_a_schema(at: tuple[str, ...], schema: Any) -> Iterator[Fault]:
    if not isinstance(schema, dict):
        yield Fault(at, "it is no JSON schema", "value", 'write {"type": ...}')
    elif len(json.dumps(schema)) > MAX_SCHEMA:
        yield Fault(at, f"the schema has more than {MAX_SCHEMA:,} characters", "value", "declare less")
    elif any(not reference.startswith("#") for reference in _references(schema)):
        yield Fault(at, "a $ref leads out of the schema", "value", "write `#/$defs/NAME`")
    else:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            yield Fault((*at, *map(str, error.absolute_path)), _short(error.message), "value")


def _event_faults(definition: CustomDefinition) -> Iterator[Fault]:
    for name, schema in definition.events.items():
        at = ("events", name[:64])
        if name == CHANGE:
            yield Fault(at, "`change` is fired by itself as the value changes", "value", "choose another name")
        elif name in RESERVED or not _PROPERTY.fullmatch(name):
            yield Fault(at, f"no event can be named {name[:64]!r}", "value", "choose another name")
        yield from _not_a_schema(at, schema)


def _value_faults(definition: CustomDefinition) -> Iterator[Fault]:
    for number, name in enumerate(definition.values):
        at = ("values", number)
        if name == "value" or name in definition.values[:number]:
            yield Fault(at, f"{name!r} is read already", "duplicate", "leave it out")
        elif name not in definition.own:
            yield unknown(at, "property", name[:64], sorted(definition.own))


def _given_defaults(definition: CustomDefinition) -> dict[str, Any]:
    return {name: part["default"] for name, part in definition.own.items() if isinstance(part, dict)
            and "default" in part}  # fmt: skip


def _references(schema: Any) -> Iterator[str]:
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if key in ("$ref", "$dynamicRef") and isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield from _references(value)


def _script_faults(definition: CustomDefinition) -> Iterator[Fault]:
    if "\x00" in definition.script:
        yield Fault(("script",), "it is no text", "value", "give the JavaScript itself, in UTF-8")
    elif not _DEFAULT_EXPORT.search(definition.script):
        fix = "write `export default ({ root, h, send }) => { ...; return (props, status) => { ... } }`"
        yield Fault(("script",), "it has no default export", "value", fix)


def _refused(value: Any, faults: list[Fault]) -> DefinitionError:
    name = value.get("name") if isinstance(value, dict) else None
    what = f"The component {name[:64]!r}" if isinstance(name, str) else "The component"
    return DefinitionError(f"{what} has {len(faults)} fault{'s' if len(faults) != 1 else ''}.", faults=faults)


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:300] + "…"


# --- in the store -----------------------------------------------------------------------------------------------


def push(store: Store, value: Any, by: Principal) -> tuple[CustomDefinition, int]:
    """Make a definition the one that counts; its version. The same as before is no new one. Raises DefinitionError."""
    with store.session() as session:
        return push_in(session, value, by.id, by.name)


def push_in(session: Session, value: Any, by: str | None, by_name: str) -> tuple[CustomDefinition, int]:
    """The same inside a transaction that is under way. Raises DefinitionError, Conflict."""
    definition = read_definition(value)
    described = _described(definition)
    for _ in range(_ATTEMPTS):
        newest = _newest(session, definition.name)
        if newest is not None and newest.definition == described and newest.script == definition.script:
            return definition, newest.number
        number = (newest.number if newest is not None else 0) + 1
        row = ViewComponent(
            name=definition.name, number=number, hash=definition.hash, definition=described,
            script=definition.script, created_by=by, created_by_name=by_name, created_at=now(),
        )  # fmt: skip
        try:
            # What the transaction has done before stays, whatever comes of this.
            with session.begin_nested():
                session.add(row)
        except IntegrityError:
            continue  # another push has taken this number at this moment
        return definition, number
    raise Conflict(f"The component {definition.name!r} is being pushed by others all the time; push it again.")


def listed(store: Store) -> list[dict[str, Any]]:
    """What authors have pushed, by name, without the scripts."""
    with store.read() as session:
        numbers = select(ViewComponent.name, func.max(ViewComponent.number)).group_by(ViewComponent.name)
        rows = [_row(session, name, number) for name, number in session.exec(numbers)]
        return [
            {**row.definition, "version": row.number, "hash": row.hash, "by": row.created_by_name,
             "at": row.created_at.isoformat()}
            for row in sorted(rows, key=lambda row: row.name)
        ]  # fmt: skip


def remove(store: Store, name: str) -> None:
    """Forget every version. Views that have it say so in its place. Raises NotFound."""
    with store.session() as session:
        if _newest(session, name) is None:
            raise NotFound(f"There is no component {name[:64]!r}; see GET /api/views/custom.")
        session.exec(delete(ViewComponent).where(col(ViewComponent.name) == name))


def script_of(store: Store, hash: str) -> str | None:
    """The script of that hash."""
    with store.read() as session:
        return session.exec(select(ViewComponent.script).where(ViewComponent.hash == hash)).first()


def definitions(session: Session, names: Iterable[str]) -> dict[str, CustomDefinition]:
    """The newest definitions of these names; those that there are."""
    rows = (_newest(session, name) for name in sorted(set(names)))
    return {row.name: CustomDefinition.model_validate({**row.definition, "script": row.script}) for row in rows if row}


def definition_of(store: Store, name: str) -> CustomDefinition:
    """The newest definition of that name, with its script. Raises NotFound."""
    with store.read() as session:
        found = definitions(session, [name]).get(name)
    if found is None:
        raise NotFound(f"There is no component {name[:64]!r}; see GET /api/views/custom.")
    return found


def used(document: ViewDocument) -> set[str]:
    """The names of the components of this kind that a document has."""
    named = (part.properties.get("component") for part in document.components() if part.type == TYPE)
    return {name for name in named if isinstance(name, str) and name}


def first_values(document: ViewDocument, known: Mapping[str, CustomDefinition]) -> dict[tuple[str, str], Any]:
    """What the readable values of a document's components of this kind are as the page is opened."""
    found: dict[tuple[str, str], Any] = {}
    for part in document.components():
        definition = known.get(str(part.properties.get("component"))) if part.type == TYPE else None
        if definition is not None:
            fixed = part.properties.get("props")
            said = {**(fixed if isinstance(fixed, dict) else {}), "value": part.properties.get("value")}
            for name in definition.readable:
                value = said.get(name)
                found[part.id, name] = definition.defaults[name] if value is None else value
    return found


def _described(definition: CustomDefinition) -> dict[str, Any]:
    return {name: value for name, value in definition.to_json().items() if name != "script"}


def _newest(session: Session, name: str) -> ViewComponent | None:
    query = select(ViewComponent).where(ViewComponent.name == name).order_by(col(ViewComponent.number).desc())
    return session.exec(query.limit(1)).first()


def _row(session: Session, name: str, number: int) -> ViewComponent:
    query = select(ViewComponent).where(ViewComponent.name == name, ViewComponent.number == number)
    return session.exec(query).one()
